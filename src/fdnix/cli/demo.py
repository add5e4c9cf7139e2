"""The command that tries fdnix out."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import render
from fdnix.cli.runs import run_and_show
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.errors import SettingsError
from fdnix.search import SearchIndex
from fdnix.settings import load_settings


@click.command("demo")
def demo_command() -> None:
    """Index the bundled sample into ./out and search it: no Nix, no AWS, no network.

    \b
    Example: fdnix demo
    """
    settings = load_settings(
        {},
        nixpkgs_source="sample",
        output_path=Path("out/fdnix-data.duckdb"),
        output_minified_path=Path("out/fdnix.duckdb"),
    )
    for path in (settings.output_path, settings.output_minified_path):
        _refuse_to_replace(path)
    run_and_show(settings, as_json=False)
    with SearchIndex.open(settings.output_minified_path) as index:
        for text in ("terminal file manager with previews", "postgres", "nslookup", "exa"):
            click.secho(f"\n$ fdnix search --db out/fdnix.duckdb {text}", bold=True)
            render.search_results(index.search(text, limit=3))


def _refuse_to_replace(path: Path) -> None:
    """Keep an index of something else than the sample where it is."""
    if not path.is_file():
        return
    with connect(path, read_only=True, extensions=()) as connection:
        source = read_file_info(connection, path).get("source")
    if source != "sample":
        raise SettingsError(
            f"{path}: holds an index of another source ({source}), which the demo would replace; "
            "run fdnix demo in another folder, or move this file away"
        )
