"""The command that serves pages and API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from fdnix.cli.index_file import DB_OPTION, find_index
from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@click.command("serve")
@DB_OPTION
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 takes any that is free.",
)
def serve_command(*, database: Path | None, host: str, port: int) -> None:
    """Serve the search to browsers and programs, until Ctrl-C.

    A new file that is renamed over the database is taken over without a failed request.

    \b
    Example: fdnix serve --db out/fdnix.duckdb
    """
    try:
        from fdnix.web.server import serve  # noqa: PLC0415 (of the extra `web`)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("fdnix"):
            raise
        raise SettingsError(
            f"this needs {error.name}, which is not installed: pip install 'fdnix[web]'"
        ) from error
    path = find_index(database, os.environ)
    serve(path, host, port, ready=lambda url: click.echo(f"fdnix: serving {path} at {url}"))
