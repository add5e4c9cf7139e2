"""Groups of processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def mortal_group() -> Iterator[int]:
    """Yield a group of processes that ends with the block, and with this process.

    A shell leads it and waits for the end of a pipe, whose other end is this process's alone: the
    kernel closes it however this process ends. The group's number stays taken as long as there is
    the shell.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", "trap '' HUP INT TERM; read -r _; kill -KILL 0"],
        stdin=subprocess.PIPE,
        process_group=0,
    ) as watch:
        try:
            yield watch.pid
        finally:
            signal_group(watch.pid, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to all of a group, of which there may be nobody left."""
    # macOS answers PermissionError for a group of which only an unreaped leader is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
