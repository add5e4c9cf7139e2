"""Folders for temporary files: there while their process works, gone soon after it ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fdnix.scratch import scratch, sweep

ROOT = Path(__file__).parents[1]
HOLD = """
import sys
from pathlib import Path
from fdnix.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_swept_once_its_process_is_gone_and_no_sooner(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        env={"PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        sweep(tmp_path)
        assert len(list(tmp_path.glob(".*/file"))) == 1
        process.kill()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [other]


def test_a_folder_goes_with_its_block_however_that_ends(tmp_path: Path) -> None:
    def fail() -> None:
        with scratch(tmp_path) as folder:
            (folder / "file").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []
