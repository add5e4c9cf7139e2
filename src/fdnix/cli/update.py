"""The command that makes the user's own index."""

from __future__ import annotations

import os

import click

from fdnix.artifacts.published import fetch_index
from fdnix.cli import render
from fdnix.cli.index_file import user_index
from fdnix.cli.options import JSON_OPTION
from fdnix.cli.runs import run_and_show
from fdnix.errors import SettingsError
from fdnix.settings import load_settings

# How the channel is reached. What else the environment says is of other runs, and their bucket.
_VARIABLES = (
    "NIXPKGS_CHANNEL",
    "NIXPKGS_CHANNEL_URL",
    "NIXPKGS_TIMEOUT",
    "DUCKDB_EXTENSION_DIRECTORY",
)


@click.command("update")
@click.option("--channel", "nixpkgs_channel", help="The channel to index. [NIXPKGS_CHANNEL]")
@click.option("--from", "url", help="Fetch the minified database published at this URL instead.")
@click.option("--sha256", help="Its checksum; else what the same URL with .sha256 says.")
@JSON_OPTION
def update_command(
    *, nixpkgs_channel: str | None, url: str | None, sha256: str | None, as_json: bool
) -> None:
    """Make or refresh the user's own index, which every search finds.

    It is made from a channel, with the local model and no account anywhere, or fetched from who
    publishes one. Checksum, size and schema version are verified before anything is replaced; what
    broke off goes on when this is run again.

    \b
    Example: fdnix update
             fdnix update --channel nixos-26.05
             fdnix update --from https://example.org/fdnix.duckdb
    """
    path = user_index()
    if url is not None:
        fetched = fetch_index(url, path, sha256=sha256)
        if as_json:
            render.as_json(fetched)
        else:
            state = "unchanged" if fetched.unchanged else "fetched"
            click.echo(f"{path}: {state}, {fetched.packages:,} packages, {fetched.bytes:,} bytes")
        return
    if sha256 is not None:
        raise SettingsError("--sha256 is of what --from names; give both or neither")
    settings = load_settings(
        {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        nixpkgs_source="channel",
        nixpkgs_channel=nixpkgs_channel,
        embedding_provider="local",
        output_path=path.with_name("fdnix-data.duckdb"),
        output_minified_path=path,
    )
    run_and_show(settings, as_json=as_json)
    if not as_json:
        click.echo(path)
