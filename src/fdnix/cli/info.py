"""The command that shows what a database holds."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import render, tables
from fdnix.cli.options import JSON_OPTION
from fdnix.database.sizes import database_info


@click.command("info")
@click.argument("database", type=click.Path(path_type=Path))
@JSON_OPTION
def info_command(*, database: Path, as_json: bool) -> None:
    """Show what a full or minified database holds.

    \b
    Example: fdnix info out/fdnix.duckdb
    """
    info = database_info(database)
    render.as_json(info) if as_json else tables.info_tables(info)
