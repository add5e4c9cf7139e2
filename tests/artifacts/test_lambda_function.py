"""The function's bundle: what makes it ends with the command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_pip_ends_with_the_command_that_is_killed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        with subprocess.Popen(
            [sys.executable, "-m", "fdnix", "bundle-function", tmp_path / "function.zip"],
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCE),
                "PIP_INDEX_URL": index,
                "PIP_NO_CACHE_DIR": "1",
                "PIP_CONFIG_FILE": os.devnull,
                "TMPDIR": str(tmp_path),
            },
        ) as command:
            asking, _ = silent.accept()
            command.kill()
        with asking:
            asking.settimeout(60)
            # Nobody answers: the connection ends when pip does.
            while asking.recv(4096):
                pass
