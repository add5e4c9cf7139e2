"""Reports and results as a person or a script reads them, on standard output."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

from fdnix.cli.console import stderr, stdout

if TYPE_CHECKING:
    from fdnix.artifacts.s3 import Snapshot
    from fdnix.database.sizes import DatabaseInfo
    from fdnix.embedding.bedrock.estimate import Estimate
    from fdnix.pipeline import RunReport
    from fdnix.search import Hit, SearchResults


def as_json(report: object) -> None:
    """Print `report`, a dataclass, as one JSON document: on a terminal indented, else one line."""
    encoded = msgspec.json.encode(report)
    if stdout.is_terminal:
        encoded = msgspec.json.format(encoded, indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def info_tables(info: DatabaseInfo) -> None:
    """Print what a database holds: its meta table, then its tables with their sizes."""
    stdout.print(f"{info.path}: {info.bytes:,} bytes", soft_wrap=True, markup=False)
    meta = Table("key")
    meta.add_column("value", overflow="fold")
    for key, value in info.meta.items():
        meta.add_row(key, value)
    stdout.print(meta)
    tables = Table("table")
    tables.add_column("rows", justify="right")
    tables.add_column("bytes", justify="right")
    for table in info.tables:
        tables.add_row(table.name, f"{table.rows:,}", f"{table.bytes:,}")
    rest = max(0, info.bytes - sum(table.bytes for table in info.tables))
    tables.add_row("indexes and free room", "", f"{rest:,}")
    stdout.print(tables)


def run_table(report: RunReport) -> None:
    """Print the summary of a run."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    if metadata := report.metadata:
        table.add_row("source", metadata.source + (" (unchanged)" if metadata.unchanged else ""))
        table.add_row("nixpkgs revision", metadata.revision or "unknown")
        table.add_row("packages", f"{metadata.packages:,}")
        table.add_row("rejected", f"{metadata.rejected:,}")
        table.add_row("distinct texts", f"{metadata.distinct_texts:,}")
    if embedding := report.embedding:
        table.add_row("texts embedded", f"{embedding.embedded:,}")
        table.add_row("vectors reused", f"{embedding.reused:,}")
        table.add_row("vectors dropped", f"{embedding.dropped:,}")
        table.add_row("texts without a vector", f"{embedding.failed:,}")
        table.add_row("HNSW recall@10", _ratio(embedding.recall))
    for name, size in report.bytes.items():
        table.add_row(f"{name} database, bytes", f"{size:,}")
    if report.minified:
        table.add_row("HNSW recall@10, minified", _ratio(report.minified.recall))
    for kind, url in report.artifacts.items():
        table.add_row(f"{kind} database in S3", url)
    if report.layer:
        table.add_row(
            "layer version" + ("" if report.layer.published else " (unchanged)"), report.layer.arn
        )
    for phase, seconds in report.seconds.items():
        table.add_row(f"seconds, {phase}", f"{seconds:.1f}")
    if len(report.seconds) > 1:
        table.add_row("seconds, all", f"{sum(report.seconds.values()):.1f}")
    stdout.print(table)


def estimate_table(estimate: Estimate) -> None:
    """Print what embedding would come to."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("provider", estimate.provider)
    table.add_row("model", estimate.model)
    table.add_row("texts to embed", f"{estimate.texts:,}")
    table.add_row("batch jobs", f"{estimate.jobs:,}")
    table.add_row("texts on demand", f"{estimate.on_demand:,}")
    table.add_row("tokens, about", f"{estimate.tokens:,}")
    table.add_row("US dollars, about", "unknown" if estimate.usd is None else f"{estimate.usd:.4f}")
    stdout.print(table)


def search_results(results: SearchResults, *, explain: bool = False) -> None:
    """Print hits: styled on a terminal, plain lines elsewhere; `explain` adds the scores' parts."""
    if results.notice:
        stderr.print(results.notice, style="yellow", markup=False, highlight=False)
    for hit in results.hits:
        name = Text(hit.package_id, style="bold")
        name.append(f"  {hit.version or ''}", style="not bold")
        if len(hit.variants) > 1:
            name.append(f"  (+{len(hit.variants) - 1} variants)", style="not bold dim")
        marks = [mark for mark in ("broken", "insecure", "unfree") if getattr(hit, mark)]
        if marks:
            name.append(f"  [{', '.join(marks)}]", style="not bold red")
        stdout.print(name, soft_wrap=True)
        if hit.description:
            stdout.print(Text(f"    {hit.description}"), soft_wrap=True)
        stdout.print(Text(f"    nix shell {_installable(hit.package_id)}"), soft_wrap=True)
        stdout.print(Text(f"    found by: {hit.why}", style="dim"), soft_wrap=True)
        if explain:
            stdout.print(Text(f"    {_explanation(hit)}", style="dim"), soft_wrap=True)
    count = f"{len(results.hits)} of {results.total:,}" if results.hits else "nothing found"
    seconds = sum(results.timings.values())
    stderr.print(f"{count}, {seconds * 1000:.0f} ms", style="dim", highlight=False)


def _installable(package_id: str) -> str:
    """What `nix shell` takes for a package, quoted where a shell would read it otherwise."""
    # A # within a word starts no comment, but shlex does not know that.
    return "nixpkgs#" + shlex.quote(package_id)


def _explanation(hit: Hit) -> str:
    parts = "  ".join(f"{name} {value:.2f}" for name, value in asdict(hit.parts).items())
    return f"score {hit.score:.2f}: {parts}"


def snapshot_table(snapshots: list[Snapshot]) -> None:
    """Print the snapshots that lie in S3."""
    table = Table("snapshot", "database", "written", "bytes")
    table.add_column("object", overflow="fold")
    for snapshot in snapshots:
        for kind, remote in snapshot.objects.items():
            table.add_row(
                snapshot.name,
                kind,
                f"{remote.last_modified:%Y-%m-%d %H:%M:%S} UTC",
                f"{remote.size:,}",
                str(remote.at),
            )
    stdout.print(table)


def _ratio(value: float | None) -> str:
    return "no index" if value is None else f"{value:.3f}"
