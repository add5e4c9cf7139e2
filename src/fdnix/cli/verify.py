"""The command that reads a database whole."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import render, tables
from fdnix.cli.options import JSON_OPTION
from fdnix.search.verify import verify_database


@click.command("verify")
@click.argument("database", type=click.Path(path_type=Path))
@JSON_OPTION
def verify_command(*, database: Path, as_json: bool) -> None:
    """Read a database whole, and tell whether it has a fault.

    It is held against what it says of itself, and a SHA-256 in DATABASE.sha256 is compared. Exit
    code 4 tells of a fault.

    \b
    Example: fdnix verify out/fdnix.duckdb
    """
    found = verify_database(database)
    render.as_json(found) if as_json else tables.verification_table(found)
