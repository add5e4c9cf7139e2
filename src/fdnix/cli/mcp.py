"""The command that serves the search to assistants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from fdnix.cli.extras import of_extra
from fdnix.cli.index_file import DB_OPTION, open_index

if TYPE_CHECKING:
    from pathlib import Path


@click.command("mcp")
@DB_OPTION
def mcp_command(*, database: Path | None) -> None:
    """Serve the search to an assistant over standard input and output (MCP).

    The assistant starts this itself; docs/mcp.md shows how the usual ones are told to. It needs the
    extra `mcp`, and no network.

    \b
    Example: fdnix mcp
    """
    with of_extra("mcp"):
        from fdnix.web.mcp import server  # noqa: PLC0415
    with open_index(database, os.environ) as index:
        server(index).run("stdio")
