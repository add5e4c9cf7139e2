"""What a person sees in a terminal while work goes on: messages, and bars drawn by rich.

On a terminal there are bars; elsewhere the same facts are plain lines, on standard error. Results
go to standard output.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from fdnix.cli import shown
from fdnix.progress import lines, log, show_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLOR = False if os.environ.get("NO_COLOR") else None
"""Click's `color`: False for none (https://no-color.org), None for colours on a terminal alone."""


class _Handler(logging.Handler):
    """Writes to standard error as it is now: a bar puts a stand-in there that writes above it."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(shown.lines(self.format(record)), err=True, color=COLOR)


def set_up(*, verbose: bool = False) -> None:
    """Send the package's log and progress to standard error; `verbose` adds what tells a defect."""
    terminal = sys.stderr.isatty()
    handler = _Handler()
    handler.setFormatter(
        logging.Formatter(
            "%(asctime)s %(levelname)s %(message)s", "%X" if terminal else "%Y-%m-%dT%H:%M:%S%z"
        )
    )
    show_with(_bar if terminal else lines)
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


@contextmanager
def _bar(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415 (a slow import that a search does not need)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=total)
        yield lambda amount: bars.advance(task, amount)
