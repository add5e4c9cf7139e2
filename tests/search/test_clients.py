"""Clients outside Python search the file with nothing but DuckDB."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fdnix.search import SearchIndex

TEXT = "terminal file manager"
NODE_API = "@duckdb/node-api@1.5.5-r.5"
SCRIPT = Path(__file__).parents[1] / "support" / "search.mjs"


@pytest.fixture(scope="session")
def node_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script in a folder where Node finds DuckDB."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    ended = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, NODE_API],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        pytest.skip(f"npm cannot install {NODE_API}: {ended.stderr.strip()[:200]}")
    return Path(shutil.copy(SCRIPT, folder))


def test_node_finds_what_the_engine_finds(
    index: SearchIndex, minified: Path, node_script: Path
) -> None:
    assert found(["node", node_script, minified, TEXT]) == expected(index)


def test_duckdbs_own_command_line_finds_what_the_engine_finds(
    index: SearchIndex, minified: Path
) -> None:
    program = Path(sys.executable).with_name("duckdb")
    query = f"SELECT package_id FROM fdnix_search('{TEXT}')"
    assert found([program, "-init", "/dev/null", "-readonly", "-json", minified, query]) == (
        expected(index)
    )


def found(command: list[str | Path]) -> list[str]:
    """The package ids that a command prints as JSON objects."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [row["package_id"] for row in json.loads(ended.stdout)]


def expected(index: SearchIndex) -> list[str]:
    return [hit.package_id for hit in index.search(TEXT).hits]
