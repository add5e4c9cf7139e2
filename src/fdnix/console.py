"""What a person sees while work goes on: messages and progress, on standard error.

On a terminal rich draws bars; elsewhere the same facts are plain lines, so that a container's log
stays readable. Results go to standard output and are the command line's concern.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LINE_EVERY_SECONDS = 10.0

stderr = Console(stderr=True)
stdout = Console()
log = logging.getLogger("fdnix")


def set_up_logging(*, verbose: bool = False) -> None:
    """Send the package's log to standard error; `verbose` adds what helps to find a defect."""
    handler: logging.Handler
    if stderr.is_terminal:
        handler = RichHandler(console=stderr, show_path=False, markup=False, log_time_format="%X")
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        )
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A function to call with how much more is done, of `total` (None: not known).

    Draws a bar on a terminal; elsewhere logs a line at most every ten seconds.
    """
    if not stderr.is_terminal:
        yield _plain_progress(label, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as bars:
        task = bars.add_task(label, total=total)
        yield lambda amount: bars.advance(task, amount)


def _plain_progress(label: str, total: int | None) -> Callable[[int], None]:
    done = 0
    last = time.monotonic()

    def advance(amount: int) -> None:
        nonlocal done, last
        done += amount
        if (now := time.monotonic()) - last >= _LINE_EVERY_SECONDS:
            last = now
            log.info("%s: %s", label, f"{done:,} of {total:,}" if total else f"{done:,}")

    return advance
