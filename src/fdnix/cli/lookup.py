"""The commands that look packages up: by attribute path, by program, by likeness."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from fdnix.cli import render
from fdnix.cli.index_file import DB_OPTION, open_index
from fdnix.cli.options import JSON_OPTION
from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.search import SearchIndex
    from fdnix.search.package import Package

_LIMIT_OPTION = click.option(
    "--limit", type=click.IntRange(1, 1000), default=10, help="How many to show."
)


@click.command("show")
@click.argument("attribute")
@DB_OPTION
@JSON_OPTION
def show_command(*, attribute: str, database: Path | None, as_json: bool) -> None:
    """Show all that the index holds of the package at ATTRIBUTE.

    \b
    Example: fdnix show ripgrep
             fdnix show --json python313Packages.requests
    """
    with open_index(database, os.environ) as index:
        found = _package(index, attribute)
    render.as_json(found) if as_json else render.package(found)


@click.command("which")
@click.argument("program")
@_LIMIT_OPTION
@DB_OPTION
@JSON_OPTION
def which_command(*, program: str, limit: int, database: Path | None, as_json: bool) -> None:
    """Show which packages have PROGRAM, likeliest first.

    \b
    Example: fdnix which rg
    """
    with open_index(database, os.environ) as index:
        found = index.which(program, limit)
    render.as_json(found) if as_json else render.owners(found)


@click.command("similar")
@click.argument("attribute")
@_LIMIT_OPTION
@DB_OPTION
@JSON_OPTION
def similar_command(*, attribute: str, limit: int, database: Path | None, as_json: bool) -> None:
    """Show the packages that are most like the one at ATTRIBUTE.

    \b
    Example: fdnix similar ripgrep
    """
    with open_index(database, os.environ) as index:
        found = index.similar(_package(index, attribute).package_id, limit)
    render.as_json(found) if as_json else render.similar(found)


def _package(index: SearchIndex, attribute: str) -> Package:
    """The package at an attribute path; where that is another name of one, which is said, that."""
    if found := index.get(attribute):
        return found
    alias = index.alias(attribute)
    if alias and alias.means_target and (found := index.get(str(alias.target))):
        click.secho(alias.note, fg="yellow", err=True)
        return found
    results = index.search(attribute, limit=5)
    near = ", ".join(hit.package_id for hit in results)
    raise SettingsError(
        "; ".join(
            [
                f"there is no package {attribute!r} in {index.path}",
                *filter(None, [results.notice]),
                f"the nearest: {near}" if near else "`fdnix search` finds packages by what they do",
            ]
        )
    )
