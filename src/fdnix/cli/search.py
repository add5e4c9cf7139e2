"""The command that searches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from fdnix.cli import render
from fdnix.cli.options import JSON_OPTION
from fdnix.errors import SettingsError
from fdnix.search.filters import FILTERS


def _filter_options(command: Any) -> Any:
    for row in reversed(FILTERS):
        command = click.option(row.option, row.field, is_flag=row.is_flag, help=row.help)(command)
    return command


@click.command("search")
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, help="How many to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="How many to pass over.")
@_filter_options
@click.option("--explain", is_flag=True, help="Show what the scores are made of.")
@click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    envvar="OUTPUT_MINIFIED_PATH",
    default="/out/fdnix.duckdb",
    help="The minified database. [OUTPUT_MINIFIED_PATH]",
)
@JSON_OPTION
def search_command(
    *,
    text: tuple[str, ...],
    limit: int,
    offset: int,
    database: Path,
    explain: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Search the minified database for TEXT.

    TEXT may hold filters (license:mit maintainer:NAME set:python313Packages
    platform:x86_64-linux is:free is:working is:secure is:available is:top-level), "quoted phrases"
    and, after a --, -words that must not occur and filters with a - that must not hold.

    \b
    Example: fdnix search --db out/fdnix.duckdb terminal file manager with previews
             fdnix search --db out/fdnix.duckdb --free -- editor license:mit -vim
    """
    from fdnix.search import Filters, SearchIndex  # noqa: PLC0415 (DuckDB is slow to import)

    if not database.exists():
        raise SettingsError(
            f"{database}: there is no index here; make one with `fdnix run --source channel "
            f"--minified {database}`, or name one with --db or OUTPUT_MINIFIED_PATH"
        )
    # Not of the settings: a search is not kept from its work by what they say of runs.
    aws_region = os.environ.get("AWS_REGION") or None
    with SearchIndex.open(database, aws_region=aws_region) as index:
        results = index.search(
            " ".join(text), limit=limit, offset=offset, filters=Filters(**filters)
        )
    render.as_json(results) if as_json else render.search_results(results, explain=explain)
