"""What a person sees in a terminal: styled messages and bars, drawn by rich.

On a terminal rich draws bars; elsewhere the same facts are plain lines, on standard error. Results
go to standard output.
"""

from __future__ import annotations

import logging
import sys
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

from fdnix.progress import lines, log, show_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

stderr = Console(stderr=True)
stdout = Console()


def set_up(*, verbose: bool = False) -> None:
    """Send the package's log and progress to standard error; `verbose` adds what tells a defect."""
    handler: logging.Handler
    if stderr.is_terminal:
        handler = RichHandler(console=stderr, show_path=False, markup=False, log_time_format="%X")
        show_with(_bar)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        )
        show_with(lines)
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


@contextmanager
def _bar(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
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
