"""Options that several commands share, each made of a setting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from fdnix.settings import EmbeddingProvider

if TYPE_CHECKING:
    from collections.abc import Callable


def setting(name: str, flag: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option that overrides the setting `name`, whose environment variable its help names."""
    text = attributes.pop("help")
    return click.option(flag, name, help=f"{text} [{name.upper()}]", default=None, **attributes)


SOURCE_OPTIONS = (
    setting("nixpkgs_source", "--source", help="auto, nix-env, channel, sample, a file or -."),
    setting("nixpkgs_channel", "--channel", help="The channel to download."),
    setting("nixpkgs_path", "--nixpkgs", help="The nixpkgs that nix-env evaluates."),
    setting("force_metadata", "--force", is_flag=True, help="Index an unchanged catalogue too."),
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
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that adds the options `given` to a command, in their order."""

    def decorate(function: Any) -> Any:
        for option in reversed(given):
            function = option(function)
        return function

    return decorate
