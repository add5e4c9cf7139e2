"""The command that serves the search to assistants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from fdnix.cli.index_file import DB_OPTION, open_index
from fdnix.errors import SettingsError

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
    try:
        from fdnix.web.mcp import server  # noqa: PLC0415 (of the extra `mcp`)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("fdnix"):
            raise
        raise SettingsError(
            f"this needs {error.name}, which is not installed: pip install 'fdnix[mcp]'"
        ) from error
    with open_index(database, os.environ) as index:
        server(index).run("stdio")
