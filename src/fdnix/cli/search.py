"""The command that searches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from fdnix.cli import render
from fdnix.cli.index_file import DB_OPTION, open_index
from fdnix.cli.options import JSON_OPTION, options
from fdnix.search.filters import FILTERS

if TYPE_CHECKING:
    from pathlib import Path


@click.command("search")
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, help="How many to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="How many to pass over.")
@options(
    *(click.option(row.option, row.field, is_flag=row.is_flag, help=row.help) for row in FILTERS)
)
@click.option("--explain", is_flag=True, help="Show what the scores are made of.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "lines"]),
    default="text",
    help="lines: attribute path, version and description between tabs, for fzf and cut.",
)
@DB_OPTION
@JSON_OPTION
def search_command(
    *,
    text: tuple[str, ...],
    limit: int,
    offset: int,
    explain: bool,
    form: str,
    database: Path | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Search the minified database for TEXT.

    TEXT may hold filters (license:mit maintainer:NAME set:python313Packages
    platform:x86_64-linux is:free is:working is:secure is:available is:top-level), "quoted phrases"
    and, after a --, -words that must not occur and filters with a - that must not hold.

    \b
    Example: fdnix search terminal file manager with previews
             fdnix search --db out/fdnix.duckdb --free -- editor license:mit -vim
             fdnix search --format lines editor | fzf --preview 'fdnix show {1}'
    """
    from fdnix.search import Filters  # noqa: PLC0415 (DuckDB is slow to import)

    with open_index(database, os.environ) as index:
        results = index.search(
            " ".join(text), limit=limit, offset=offset, filters=Filters(**filters)
        )
    if as_json:
        render.as_json(results)
    elif form == "lines":
        render.search_lines(results)
    else:
        render.search_results(results, explain=explain)
