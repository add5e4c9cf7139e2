"""The command that serves pages and API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from fdnix.cli.extras import of_extra
from fdnix.cli.index_file import DB_OPTION, find_index

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
    with of_extra("web"):
        from fdnix.web.server import serve  # noqa: PLC0415
    path = find_index(database, os.environ)
    serve(path, host, port, ready=lambda url: click.echo(f"fdnix: serving {path} at {url}"))
