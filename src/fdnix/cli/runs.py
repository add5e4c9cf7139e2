"""Commands that run phases."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, get_args

import click

from fdnix.cli.options import (
    EMBEDDING_OPTIONS,
    FULL_OPTION,
    JSON_OPTION,
    MINIFIED_OPTION,
    SOURCE_OPTIONS,
    WORKED_ON_OPTION,
    options,
    setting,
)
from fdnix.settings import ProcessingMode, load_settings

if TYPE_CHECKING:
    from fdnix.settings import Settings


@click.command("run")
@setting(
    "processing_mode",
    "--mode",
    type=click.Choice(get_args(ProcessingMode)),
    help="The phases to run.",
)
@options(*SOURCE_OPTIONS, FULL_OPTION, MINIFIED_OPTION, *EMBEDDING_OPTIONS, JSON_OPTION)
def run_command(*, as_json: bool, **overrides: object) -> None:
    """Run the phases that PROCESSING_MODE names: all three by default.

    \b
    Example: fdnix run --source sample --output out/fdnix-data.duckdb \\
                       --minified out/fdnix.duckdb
    """
    run_and_show(load_settings(os.environ, **overrides), as_json=as_json)


@click.command("metadata")
@options(*SOURCE_OPTIONS, FULL_OPTION, JSON_OPTION)
def metadata_command(*, as_json: bool, **overrides: object) -> None:
    """Index the catalogue: write the full database.

    \b
    Example: fdnix metadata --source channel --channel nixos-unstable --output fdnix-data.duckdb
    """
    run_and_show(
        load_settings(os.environ, **overrides, processing_mode="metadata"), as_json=as_json
    )


@click.command("embed")
@options(WORKED_ON_OPTION, *EMBEDDING_OPTIONS, JSON_OPTION)
@click.option("--dry-run", is_flag=True, help="Say what it would send and cost; send nothing.")
def embed_command(*, dry_run: bool, as_json: bool, **overrides: object) -> None:
    """Give every distinct text of the full database a vector.

    \b
    Example: fdnix embed --output fdnix-data.duckdb
             fdnix embed --output fdnix-data.duckdb --provider bedrock --dry-run
    """
    settings = load_settings(os.environ, **overrides, processing_mode="embedding")
    if not dry_run:
        run_and_show(settings, as_json=as_json)
        return
    from fdnix import pipeline  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.cli import render  # noqa: PLC0415

    estimate = pipeline.estimate_embedding(settings)
    render.as_json(estimate) if as_json else render.estimate_table(estimate)


@click.command("minify")
@options(WORKED_ON_OPTION, MINIFIED_OPTION, JSON_OPTION)
def minify_command(*, as_json: bool, **overrides: object) -> None:
    """Derive the minified database from the full one.

    \b
    Example: fdnix minify --output fdnix-data.duckdb --minified fdnix.duckdb
    """
    run_and_show(
        load_settings(os.environ, **overrides, processing_mode="minified"), as_json=as_json
    )


def run_and_show(settings: Settings, *, as_json: bool) -> None:
    """Run the phases of `settings` and print the report."""
    from fdnix import pipeline  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.cli import render  # noqa: PLC0415

    report = pipeline.run(settings)
    if as_json:
        render.as_json(report)
    else:
        render.run_table(report)
