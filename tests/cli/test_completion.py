"""What the shells complete, asked of the real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which fdnix is."""
    command = tmp_path / "bin/fdnix"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m fdnix "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shells_script_is_what_it_reads(shell: str, path: str) -> None:
    made = subprocess.run(
        ["fdnix"],
        env=os.environ | {"PATH": path, "_FDNIX_COMPLETE": f"{shell}_source"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "fdnix" in made
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=made, check=True, text=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_options(path: str) -> None:
    script = """
    eval "$(_FDNIX_COMPLETE=bash_source fdnix)"
    complete_as_bash_does() {
        COMPREPLY=() COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _fdnix_completion fdnix
        echo "${COMPREPLY[@]}"
    }
    complete_as_bash_does fdnix sh
    complete_as_bash_does fdnix show --j
    """
    ended = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    assert ended.stdout.splitlines() == ["show", "--json"]
