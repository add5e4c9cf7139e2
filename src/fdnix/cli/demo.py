"""The command that tries fdnix out."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import render
from fdnix.cli.runs import run_and_show
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
    run_and_show(settings, as_json=False)
    with SearchIndex.open(settings.output_minified_path) as index:
        for text in ("terminal file manager with previews", "postgres", "convert heic to jpg"):
            click.secho(f"\n$ fdnix search --db out/fdnix.duckdb {text}", bold=True)
            render.search_results(index.search(text, limit=3))
