"""The man pages are sound roff, and say what the commands' help says."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from man_pages import man_pages

from fdnix.cli import cli

if TYPE_CHECKING:
    from pathlib import Path


def test_every_command_has_a_page() -> None:
    assert set(man_pages()) == {"fdnix.1", *(f"fdnix-{name}.1" for name in cli.commands)}


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_a_page_shows_options_and_the_example_line_by_line(tmp_path: Path) -> None:
    shown = {}
    for name, text in man_pages().items():
        page = tmp_path / name
        page.write_text(text)
        ended = subprocess.run(
            ["man", "--warnings", "--pager=cat", "--local-file", page],
            env={"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        )
        assert ended.stderr == ""
        shown[name] = ended.stdout
    assert "--db" in shown["fdnix-search.1"]
    assert all("-h, --help" in text for text in shown.values())
    lines = [line.strip() for line in shown["fdnix-search.1"].splitlines()]
    assert "Example: fdnix search terminal file manager with previews" in lines
    assert any(
        line.endswith("--output out/fdnix-data.duckdb \\")
        for line in map(str.strip, shown["fdnix-run.1"].splitlines())
    )
