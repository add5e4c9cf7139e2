"""What is seen while work goes on: lines in a pipe, bars on a terminal, never in the results."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix.cli import console
from fdnix.progress import log
from support.catalogues import entries, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "TERM": "xterm"}


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """The handlers that a test sets up go with it."""
    yield
    log.handlers.clear()
    log.propagate = True


@pytest.mark.usefixtures("_own_logging")
def test_in_a_pipe_a_message_is_one_line_with_its_time_and_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.set_up()
    log.info("a message %s", "x" * 300)
    log.debug("only when verbose")
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    time, level, text = line.split(" ", 2)
    assert len(time) == len("2026-01-01T00:00:00+0000")
    assert (level, text) == ("INFO", "a message " + "x" * 300)


@pytest.mark.usefixtures("_own_logging")
def test_verbose_shows_what_helps_to_find_a_defect(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_up(verbose=True)
    log.debug("details")
    assert "DEBUG details" in capsys.readouterr().err


def test_on_a_terminal_every_phase_draws_and_the_results_stay_clean(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(40))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "fdnix", "run", "--json", "--source=-"),
            *(f"--output={tmp_path}/full", f"--minified={tmp_path}/min"),
        ],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        assert process.stdin
        process.stdin.write(source.read_bytes())
        process.stdin.close()
        screen = b""
        # On Linux the end of a terminal whose other side has closed is an error.
        while chunk := _read(ours):
            screen += chunk
        assert process.stdout
        results = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0, screen.decode()
    assert results.startswith(b"{")
    assert results.endswith(b"}\n")
    shown = screen.decode()
    for text in ("phase metadata", "packages", "texts embedded", "phase minified"):
        assert text in shown
    assert "Traceback" not in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_a_terminated_run_ends_its_work_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "fdnix", "metadata", "--source=-", f"--output={tmp_path}/full"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(b'{"a":')
        process.stdin.flush()
        assert process.stderr
        assert b"phase metadata" in process.stderr.readline()
        time.sleep(0.5)  # it waits for more of the catalogue now
        process.terminate()
        assert process.wait(30) == 143
    assert list(tmp_path.iterdir()) == []
