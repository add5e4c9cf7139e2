"""Reports as tables that a person reads, on standard output, drawn by rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from fdnix.artifacts.s3 import Snapshot
    from fdnix.database.sizes import DatabaseInfo
    from fdnix.embedding.bedrock.estimate import Estimate
    from fdnix.pipeline import RunReport
    from fdnix.search.verify import Verification

# In a pipe nothing is wrapped: a script reads keys and ARNs whole.
stdout = Console(width=None if sys.stdout.isatty() else 1000, markup=False, emoji=False)


def info_tables(info: DatabaseInfo) -> None:
    """Print what a database holds: its meta table, then its tables with their sizes."""
    stdout.print(f"{info.path}: {info.bytes:,} bytes", soft_wrap=True)
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


def verification_table(found: Verification) -> None:
    """Print what was verified."""
    table = Table(show_header=False)
    table.add_row("kind", found.kind)
    table.add_row("tables read", f"{found.tables:,}")
    table.add_row("rows read", f"{found.rows:,}")
    table.add_row("SHA-256", found.sha256 or f"no {found.path}.sha256 to compare")
    if found.kind == "minified":
        table.add_row(
            "macros", "this fdnix's" if found.macros else "of another version: not compared"
        )
    stdout.print(table)


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
