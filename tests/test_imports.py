"""Imports go one way, as the contracts in pyproject.toml say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# The linter switches off every log of the process that it runs in.
LINT = "from importlinter import cli; exit(cli.lint_imports(no_cache=True, no_logo=True))"


def test_the_contracts_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
