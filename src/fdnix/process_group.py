"""Groups of processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WATCHER = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
os.write(1, b"!")
sys.stdin.read()
os.kill(0, signal.SIGKILL)
"""


@contextmanager
def mortal_group() -> Iterator[int]:
    """Yield a group of processes that ends with the block, and with this process.

    A watcher leads it and waits for the end of a pipe, whose other end is this process's alone: the
    kernel closes it however this process ends. The group's number stays taken as long as there is
    the watcher. It is no shell, which an image may lack.
    """
    with subprocess.Popen(  # noqa: S603 - our own Python
        [sys.executable, "-I", "-S", "-c", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    ) as watch:
        try:
            # What is sent to the group from now on does not end the watcher.
            watch.stdout.read(1)  # type: ignore[union-attr]
            yield watch.pid
        finally:
            signal_group(watch.pid, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to all of a group, of which there may be nobody left."""
    # macOS answers PermissionError for a group of which only an unreaped leader is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
