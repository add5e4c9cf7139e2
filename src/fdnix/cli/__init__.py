"""The command line: one module a command group, each a thin skin over the library."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from importlib import import_module
from io import TextIOWrapper
from threading import Timer, main_thread
from typing import TYPE_CHECKING, Any, NoReturn

import click

import fdnix
from fdnix.cli import shown
from fdnix.cli.console import COLOR, set_up
from fdnix.cli.extras import not_installed
from fdnix.errors import FdnixError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Each command's module, and its help in the list of commands.
_COMMANDS = {
    "run": ("runs", "Run the phases that PROCESSING_MODE names: all three by default."),
    "metadata": ("runs", "Index the catalogue: write the full database."),
    "embed": ("runs", "Give every distinct text of the full database a vector."),
    "minify": ("runs", "Derive the minified database from the full one."),
    "search": ("search", "Search the minified database for TEXT."),
    "serve": ("serve", "Serve the search to browsers and programs, until Ctrl-C."),
    "show": ("lookup", "Show all that the index holds of the package at ATTRIBUTE."),
    "which": ("lookup", "Show which packages have PROGRAM, likeliest first."),
    "similar": ("lookup", "Show the packages that are most like the one at ATTRIBUTE."),
    "update": (
        "update",
        "Make or refresh the user's own index, which every search finds.",
    ),
    "mcp": ("mcp", "Serve the search to an assistant over standard input and output (MCP)."),
    "info": ("info", "Show what a full or minified database holds."),
    "verify": ("verify", "Read a database whole, and tell whether it has a fault."),
    "snapshots": (
        "snapshots",
        "List the databases that earlier runs left in S3, newest first.",
    ),
    "rollback": (
        "snapshots",
        "Make an earlier SNAPSHOT, by its name in `fdnix snapshots`, the latest.",
    ),
    "bundle-function": (
        "function",
        "Write the zip of the Lambda function that searches the layer to OUTPUT.",
    ),
    "demo": (
        "demo",
        "Index the bundled sample into ./out and search it: no Nix, no AWS, no network.",
    ),
}

_OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
)
_NO_MEMORY = "there is not memory enough; end other programs, or give fdnix more"
_AGAIN = 0.01  # seconds until a signal that was lost is repeated
_DEFECT = "This is a defect of fdnix. Please report it with the lines above."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _signal_again
    if isinstance(sys.stdout, TextIOWrapper):
        # What a terminal's encoding has no character for is no reason to end.
        sys.stdout.reconfigure(errors="replace")
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
        # The reader of our output has gone: what rich makes of it.
        case SystemExit(__context__=BrokenPipeError()):
            code = 0
        case SystemExit(code=int(code)) | click.exceptions.Exit(exit_code=int(code)):
            pass
        case click.ClickException():
            error.show()
            code = error.exit_code
        case click.Abort() | KeyboardInterrupt():
            click.echo("fdnix: stopped", err=True)
            code = 130
        case FdnixError():
            _say(error)
            code = error.exit_code
        case ModuleNotFoundError(name=str(name)) if not name.startswith("fdnix"):
            _say(not_installed(name, "index"))
            code = SettingsError.exit_code
        case UnicodeEncodeError(reason="surrogates not allowed"):
            _say(f"{error.object!a} holds bytes that are not UTF-8; rename it, or name another")
            code = SettingsError.exit_code
        case MemoryError() | OSError() if _is_of_the_machine(error):
            _say(error if isinstance(error, OSError) else f"{_NO_MEMORY}: {error}")
            code = SettingsError.exit_code
        case _:
            traceback.print_exception(error)
            click.echo(_DEFECT, err=True)
    return code


def _is_of_the_machine(error: MemoryError | OSError) -> bool:
    return isinstance(error, MemoryError) or error.errno in _OF_THE_DISK


def _say(error: Exception | str) -> None:
    click.secho(f"fdnix: {shown.lines(error)}", fg="red", err=True, color=COLOR)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds the stack, so that child processes end and temporary files go.
    sys.exit(128 + signal.SIGTERM)


def _signal_again(lost: sys.UnraisableHookArgs) -> None:
    """Repeat a signal that came while Python could raise nothing, as in a `__del__`."""
    number = {SystemExit: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}.get(lost.exc_type)
    if number is None:
        sys.__unraisablehook__(lost)
    else:
        # Not here, where it would be lost too.
        Timer(_AGAIN, signal.pthread_kill, [main_thread().ident, number]).start()


class _Group(click.Group):
    """Commands that are known by name and help until one is used, and only then imported."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in _COMMANDS:
            module = import_module(f"fdnix.cli.{_COMMANDS[name][0]}")
            command = getattr(module, f"{name.replace('-', '_')}_command")
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output has gone, as in `fdnix search … | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.group(
    cls=_Group,
    commands=[click.Command(name, short_help=text) for name, (_, text) in _COMMANDS.items()],
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "color": COLOR,
    },
)
@click.version_option(fdnix.__version__, prog_name="fdnix")
@click.option("-v", "--verbose", is_flag=True, help="Log what helps to find a defect.")
def cli(*, verbose: bool) -> None:
    """Turn nixpkgs into one search index: a DuckDB file with full text and vectors.

    An option that is an environment variable too has its name in square brackets.

    \b
    Example: fdnix demo
             fdnix run --source packages.json.br --output out/fdnix-data.duckdb \\
                       --minified out/fdnix.duckdb
             fdnix search --db out/fdnix.duckdb terminal file manager with previews
    """
    set_up(verbose=verbose)
