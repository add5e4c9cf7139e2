"""Results as a person or a script reads them, on standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from fdnix.search.package import MARKS, nix_shell

if TYPE_CHECKING:
    from fdnix.search import Hit, SearchResults


def as_json(report: object) -> None:
    """Print dataclasses as one JSON document: on a terminal indented, else one line."""
    indent, separators = (2, None) if sys.stdout.isatty() else (None, (",", ":"))
    click.echo(
        json.dumps(report, default=_plain, ensure_ascii=False, indent=indent, separators=separators)
    )


def _plain(value: Any) -> Any:
    """What JSON can hold of a value that it knows no form for."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value)}")


def search_results(results: SearchResults, *, explain: bool = False) -> None:
    """Print hits: styled on a terminal, plain lines elsewhere; `explain` adds the scores' parts."""
    if results.notice:
        click.secho(results.notice, fg="yellow", err=True)
    for hit in results.hits:
        click.echo(_headline(hit))
        if hit.description:
            click.echo(f"    {hit.description}")
        click.echo(f"    {nix_shell(hit)}")
        click.secho(f"    found by: {hit.why}", dim=True)
        if explain:
            click.secho(f"    {_explanation(hit)}", dim=True)
    count = f"{len(results.hits)} of {results.total:,}" if results.hits else "nothing found"
    seconds = sum(results.timings.values())
    click.secho(f"{count}, {seconds * 1000:.0f} ms", dim=True, err=True)


def _headline(hit: Hit) -> str:
    parts = [click.style(hit.package_id, bold=True), hit.version or ""]
    if len(hit.variants) > 1:
        parts.append(click.style(f"(+{len(hit.variants) - 1} variants)", dim=True))
    marks = [mark for mark in MARKS if getattr(hit, mark)]
    if marks:
        parts.append(click.style(f"[{', '.join(marks)}]", fg="red"))
    return "  ".join(parts)


def _explanation(hit: Hit) -> str:
    parts = "  ".join(f"{name} {value:.2f}" for name, value in asdict(hit.parts).items())
    return f"score {hit.score:.2f}: {parts}"
