"""Commands that run phases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from fdnix import pipeline
from fdnix.cli import render, tables
from fdnix.cli.options import JSON_OPTION, options, setting
from fdnix.settings import EmbeddingProvider, ProcessingMode, load_settings

if TYPE_CHECKING:
    from fdnix.settings import Settings

SOURCE_OPTIONS = (
    setting(
        "nixpkgs_source", "--source", help="auto, nixpkgs, nix-env, channel, sample, a file or -."
    ),
    setting("nixpkgs_channel", "--channel", help="The channel to download."),
    setting("nixpkgs_path", "--nixpkgs", help="The nixpkgs that Nix evaluates."),
    setting(
        "force_metadata",
        "--force",
        is_flag=True,
        help="Index an unchanged catalogue too, and one that is implausible as a whole.",
    ),
)
FULL_OPTION = setting(
    "output_path", "--output", type=click.Path(path_type=Path), help="The full database."
)
# What embedding and minifying work on: an option must win over DUCKDB_PATH too.
WORKED_ON_OPTION = setting(
    "duckdb_path",
    "--output",
    type=click.Path(path_type=Path),
    help="The full database; else OUTPUT_PATH.",
)
MINIFIED_OPTION = setting(
    "output_minified_path",
    "--minified",
    type=click.Path(path_type=Path),
    help="The minified database.",
)
EMBEDDING_OPTIONS = (
    setting(
        "embedding_provider",
        "--provider",
        type=click.Choice(get_args(EmbeddingProvider)),
        help="Where vectors come from.",
    ),
    setting("force_rebuild_embeddings", "--rebuild", is_flag=True, help="Embed every text again."),
    setting(
        "replace_embeddings",
        "--replace",
        is_flag=True,
        help="Replace vectors of another provider, model or dimension.",
    ),
)


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
    estimate = pipeline.estimate_embedding(settings)
    render.as_json(estimate) if as_json else tables.estimate_table(estimate)


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
    report = pipeline.run(settings)
    if as_json:
        render.as_json(report)
    else:
        tables.run_table(report)
