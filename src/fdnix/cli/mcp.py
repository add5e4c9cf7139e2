"""The command that serves the search to assistants."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

import click

from fdnix.cli.index_file import DB_OPTION, open_index
from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType


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
        # The thread that waits for the assistant's next line would keep the process; there is
        # nothing to tidy up of a file that is only read.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)
        server(index).run("stdio")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    click.echo("fdnix: stopped", err=True)
    os._exit(128 + number)
