"""The command that tries fdnix out."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli.console import stdout
from fdnix.cli.runs import run_and_show
from fdnix.settings import load_settings


@click.command("demo")
def demo_command() -> None:
    """Index the bundled sample into ./out and search it: no Nix, no AWS, no network.

    \b
    Example: fdnix demo
    """
    from fdnix.cli import render  # noqa: PLC0415 (msgspec and DuckDB are slow to import)
    from fdnix.search import SearchIndex  # noqa: PLC0415

    settings = load_settings(
        {},
        nixpkgs_source="sample",
        output_path=Path("out/fdnix-data.duckdb"),
        output_minified_path=Path("out/fdnix.duckdb"),
    )
    run_and_show(settings, as_json=False)
    with SearchIndex.open(settings.output_minified_path) as index:
        for text in ("terminal file manager with previews", "postgres", "convert heic to jpg"):
            stdout.print(f"\n[bold]$ fdnix search --db out/fdnix.duckdb {text}[/bold]")
            render.search_results(index.search(text, limit=3))
