"""`fdnix serve` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(database: Path) -> Iterator[str]:
    """The URL of a server over a file, at a port of its own; it ends with the block."""
    command = [sys.executable, "-m", "fdnix", "serve", "--db", str(database), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().split()[-1].rstrip("/")
        finally:
            server.terminate()
