"""Results as a person or a script reads them, on standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from fdnix.cli import shown
from fdnix.search.package import MARKS, Refusable, nix_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fdnix.search import Hit, SearchResults
    from fdnix.search.package import Package, ProgramOwner, SimilarPackage


def as_json(report: object) -> None:
    """Print dataclasses as one JSON document: on a terminal indented, else one line."""
    indent, separators = (2, None) if sys.stdout.isatty() else (None, (",", ":"))
    ascii_only = (sys.stdout.encoding or "").lower() != "utf-8"
    document = json.dumps(
        report, default=_plain, ensure_ascii=ascii_only, indent=indent, separators=separators
    )
    click.echo(shown.json_text(document))


def _plain(value: Any) -> Any:
    """What JSON can hold of a value that it knows no form for."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value)}")


def search_results(results: SearchResults, *, explain: bool = False) -> None:
    """Print hits: styled on a terminal, plain lines elsewhere; `explain` adds the scores' parts."""
    _notice(results)
    for hit in results:
        _found(hit, f"found by: {hit.why}", len(hit.variants) - 1)
        if explain:
            click.secho(f"    {_explanation(hit)}", dim=True)
    count = f"{len(results.hits)} of {results.total:,}" if results.hits else _NOTHING
    seconds = sum(results.timings.values())
    click.secho(f"{count}, {seconds * 1000:.0f} ms", dim=True, err=True)


def search_lines(results: SearchResults) -> None:
    """Print a line a hit: attribute path, version and description, with a tab between them."""
    _notice(results)
    for hit in results:
        cells = (hit.package_id, hit.version or "", hit.description or "")
        click.echo("\t".join(map(shown.line, cells)))


def owners(found: Sequence[ProgramOwner]) -> None:
    """Print the packages that have a program."""
    for owner in found:
        _found(owner, owner.why)
    if not found:
        click.secho(_NOTHING, dim=True, err=True)


def similar(found: Sequence[SimilarPackage]) -> None:
    """Print the packages that are like another."""
    for other in found:
        _found(other, f"similarity: {other.vector_similarity:.2f}")
    if not found:
        click.secho(f"{_NOTHING}: the index has no vector of it", dim=True, err=True)


def package(found: Package) -> None:
    """Print all that there is to say of one package, a line each, what is empty left out."""
    click.echo(_headline(found))
    if found.description:
        click.echo(f"    {shown.line(found.description)}")
    click.echo(f"    {shown.line(nix_shell(found))}")
    rows = {
        "program": found.main_program,
        "programs": " ".join(found.programs[1:] and found.programs),
        "also called": ", ".join(found.aliases),
        "home page": found.homepage,
        "licence": found.license,
        "platforms": " ".join(found.platforms),
        "popularity": f"{found.popularity:.2f}",
        "maintainers": found.maintainers,
        "source": found.source_url or found.position,
        "available": None if found.available else "no: nixpkgs refuses to build it",
    }
    for name, value in rows.items():
        if value:
            click.echo(f"{name + ':':<13}{shown.line(value)}")
    for name, values in (
        ("known vulnerabilities", [*map(shown.line, found.known_vulnerabilities)]),
        ("variants", [_headline(variant) for variant in found.variants[1:] and found.variants]),
    ):
        if values:
            click.echo(f"{name}:")
            for value in values:
                click.echo(f"    {value}")
    if found.long_description:
        click.echo(f"\n{shown.lines(found.long_description)}")


_NOTHING = "nothing found"


class _Versioned(Refusable, Protocol):
    @property
    def version(self) -> str | None: ...


class _Listed(_Versioned, Protocol):
    @property
    def description(self) -> str | None: ...


def _notice(results: SearchResults) -> None:
    if results.notice:
        click.secho(shown.line(results.notice), fg="yellow", err=True)


def _found(found: _Listed, why: str, other_variants: int = 0) -> None:
    click.echo(_headline(found, other_variants))
    if found.description:
        click.echo(f"    {shown.line(found.description)}")
    click.echo(f"    {shown.line(nix_shell(found))}")
    click.secho(f"    {shown.line(why)}", dim=True)


def _headline(found: _Versioned, other_variants: int = 0) -> str:
    parts = [click.style(shown.line(found.package_id), bold=True), shown.line(found.version or "")]
    if other_variants:
        parts.append(click.style(f"(+{other_variants} variants)", dim=True))
    marks = [mark for mark in MARKS if getattr(found, mark)]
    if marks:
        parts.append(click.style(f"[{', '.join(marks)}]", fg="red"))
    return "  ".join(parts).rstrip()


def _explanation(hit: Hit) -> str:
    parts = "  ".join(f"{name} {value:.2f}" for name, value in asdict(hit.parts).items())
    return f"score {hit.score:.2f}: {parts}"
