"""The table of platforms is what the nixpkgs that it names says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import platforms
import pytest

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.mark.skipif(
    "FDNIX_TEST_NIXPKGS" not in os.environ or shutil.which("nix-instantiate") is None,
    reason="FDNIX_TEST_NIXPKGS is not set, or nix-instantiate is not installed",
)
def test_the_table_is_what_nixpkgs_says() -> None:
    nixpkgs = Path(os.environ["FDNIX_TEST_NIXPKGS"])
    table = platforms.TABLE.read_text(encoding="utf-8")
    if platforms.tree_hash(nixpkgs / "lib" / "systems") not in table:
        pytest.skip("FDNIX_TEST_NIXPKGS has another lib/systems than the table is of")
    assert platforms.table(nixpkgs) == table


@needs_git
def test_the_revision_beside_the_table_is_the_hash_that_git_knows(tmp_path: Path) -> None:
    for name in ("parse.nix", "default.nix"):
        (tmp_path / name).write_text(name)

    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", "-C", tmp_path, *arguments], text=True).strip()

    git("init", "-q")
    git("add", ".")
    expected = git("write-tree")
    shutil.rmtree(tmp_path / ".git")
    assert platforms.tree_hash(tmp_path) == expected
