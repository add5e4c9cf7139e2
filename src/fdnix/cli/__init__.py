"""The command line: one module a command group, each a thin skin over the library."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import click

import fdnix
from fdnix.cli.console import set_up, stderr
from fdnix.cli.demo import demo_command
from fdnix.cli.info import info_command
from fdnix.cli.runs import embed_command, metadata_command, minify_command, run_command
from fdnix.cli.search import search_command
from fdnix.cli.snapshots import rollback_command, snapshots_command
from fdnix.errors import FdnixError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
)
_DEFECT = "This is a defect of fdnix. Please report it with the lines above."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli.main(args=arguments, prog_name="fdnix", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 (each has its exit code)
        sys.exit(_exit_code(error))
    sys.exit(0)


def _exit_code(error: BaseException) -> int:
    """The exit code for what ended a command, after telling the user about it."""
    # A signal that comes while DuckDB is at work surfaces as DuckDB's error, caused by ours.
    if isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
        error = error.__cause__
    code = 1
    match error:
        case SystemExit(code=int(code)) | click.exceptions.Exit(exit_code=int(code)):
            pass
        case click.ClickException():
            error.show()
            code = error.exit_code
        case click.Abort() | KeyboardInterrupt():
            stderr.print("fdnix: stopped")
            code = 130
        case FdnixError():
            _say(error)
            code = error.exit_code
        case BrokenPipeError():
            # The reader of our output has gone, as in `fdnix search … | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        case OSError() if error.errno in _OF_THE_DISK:
            _say(error)
            code = SettingsError.exit_code
        case _:
            traceback.print_exception(error)
            stderr.print(_DEFECT)
    return code


def _say(error: Exception) -> None:
    stderr.print(f"fdnix: {error}", style="red", markup=False, highlight=False, soft_wrap=True)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds the stack, so that child processes end and temporary files go.
    sys.exit(128 + signal.SIGTERM)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fdnix.__version__, prog_name="fdnix")
@click.option("-v", "--verbose", is_flag=True, help="Log what helps to find a defect.")
def cli(*, verbose: bool) -> None:
    """Turn nixpkgs into one search index: a DuckDB file with full text and vectors.

    Every option is an environment variable too, named in its help in square brackets.

    \b
    Example: fdnix demo
             fdnix run --source packages.json.br --output out/fdnix-data.duckdb \\
                       --minified out/fdnix.duckdb
             fdnix search --db out/fdnix.duckdb terminal file manager with previews
    """
    set_up(verbose=verbose)


for _command in (
    run_command,
    metadata_command,
    embed_command,
    minify_command,
    search_command,
    info_command,
    snapshots_command,
    rollback_command,
    demo_command,
):
    cli.add_command(_command)
