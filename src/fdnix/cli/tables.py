"""Reports as tables that a person reads, on standard output, drawn by rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from fdnix.cli import shown

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
    stdout.print(f"{shown.line(info.path)}: {info.bytes:,} bytes", soft_wrap=True)
    meta = Table("key")
    meta.add_column("value", overflow="fold")
    for key, value in info.meta.items():
        _add(meta, key, value)
    stdout.print(meta)
    for sentence in info.made_without:
        stdout.print(sentence, soft_wrap=True)
    tables = Table("table")
    tables.add_column("rows", justify="right")
    tables.add_column("bytes", justify="right")
    for table in info.tables:
        _add(tables, table.name, f"{table.rows:,}", f"{table.bytes:,}")
    rest = max(0, info.bytes - sum(table.bytes for table in info.tables))
    _add(tables, "indexes and free room", "", f"{rest:,}")
    stdout.print(tables)


def verification_table(found: Verification) -> None:
    """Print what was verified."""
    table = Table(show_header=False)
    _add(table, "kind", found.kind)
    _add(table, "tables read", f"{found.tables:,}")
    _add(table, "rows read", f"{found.rows:,}")
    _add(table, "SHA-256", found.sha256 or f"no {found.path}.sha256 to compare")
    if found.kind == "minified":
        _add(
            table, "macros", "this fdnix's" if found.macros else "of another version: not compared"
        )
    stdout.print(table)


def run_table(report: RunReport) -> None:
    """Print the summary of a run."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    if metadata := report.metadata:
        _add(table, "source", metadata.source + (" (unchanged)" if metadata.unchanged else ""))
        _add(table, "nixpkgs revision", metadata.revision or "unknown")
        _add(table, "nixpkgs tree", metadata.tree or "none")
        _add(table, "packages", f"{metadata.packages:,}")
        _add(table, "rejected", f"{metadata.rejected:,}")
        _add(table, "distinct texts", f"{metadata.distinct_texts:,}")
    if embedding := report.embedding:
        _add(table, "texts embedded", f"{embedding.embedded:,}")
        _add(table, "vectors reused", f"{embedding.reused:,}")
        _add(table, "vectors dropped", f"{embedding.dropped:,}")
        _add(table, "texts without a vector", f"{embedding.failed:,}")
        _add(table, "HNSW recall@10", _ratio(embedding.recall))
    for name, size in report.bytes.items():
        _add(table, f"{name} database, bytes", f"{size:,}")
    if report.minified:
        _add(table, "HNSW recall@10, minified", _ratio(report.minified.recall))
    for kind, url in report.artifacts.items():
        _add(table, f"{kind} database in S3", url)
    if report.layer:
        _add(
            table,
            "layer version" + ("" if report.layer.published else " (unchanged)"),
            report.layer.arn,
        )
    for phase, seconds in report.seconds.items():
        _add(table, f"seconds, {phase}", f"{seconds:.1f}")
    if len(report.seconds) > 1:
        _add(table, "seconds, all", f"{sum(report.seconds.values()):.1f}")
    stdout.print(table)


def estimate_table(estimate: Estimate) -> None:
    """Print what embedding would come to."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    _add(table, "provider", estimate.provider)
    _add(table, "model", estimate.model)
    _add(table, "texts to embed", f"{estimate.texts:,}")
    _add(table, "batch jobs", f"{estimate.jobs:,}")
    _add(table, "texts on demand", f"{estimate.on_demand:,}")
    _add(table, "tokens, about", f"{estimate.tokens:,}")
    _add(table, "US dollars, about", "unknown" if estimate.usd is None else f"{estimate.usd:.4f}")
    stdout.print(table)


def snapshot_table(snapshots: list[Snapshot]) -> None:
    """Print the snapshots that lie in S3."""
    table = Table("snapshot", "database", "written", "bytes")
    table.add_column("object", overflow="fold")
    for snapshot in snapshots:
        for kind, remote in snapshot.objects.items():
            _add(
                table,
                snapshot.name,
                kind,
                f"{remote.last_modified:%Y-%m-%d %H:%M:%S} UTC",
                f"{remote.size:,}",
                str(remote.at),
            )
    stdout.print(table)


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(shown.line, cells))


def _ratio(value: float | None) -> str:
    return "no index" if value is None else f"{value:.3f}"
