"""`fdnix verify` tells a whole file from one with a fault."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix.database.connection import connect
from fdnix.errors import DataError
from fdnix.search.verify import verify_database
from support.databases import BLOCK, HEADERS, swapped_blocks

if TYPE_CHECKING:
    from fdnix.settings import Settings

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def copy(indexed: Settings, tmp_path: Path) -> Path:
    return shutil.copyfile(indexed.output_minified_path, tmp_path / "fdnix.duckdb")


def test_a_whole_file_is_verified(indexed: Settings, copy: Path) -> None:
    copy.with_name("fdnix.duckdb.sha256").write_text(
        f"{sha256(copy.read_bytes()).hexdigest()}  fdnix.duckdb\n"
    )
    minified, full = verify_database(copy), verify_database(indexed.output_path)
    assert (minified.kind, minified.macros) == ("minified", True)
    assert minified.sha256 == sha256(copy.read_bytes()).hexdigest()
    assert (full.kind, full.macros, full.sha256) == ("full", None, None)
    assert full.rows > 180


def test_another_sha256_is_refused(copy: Path) -> None:
    copy.with_name("fdnix.duckdb.sha256").write_text("0" * 64)
    with pytest.raises(DataError, match="SHA-256"):
        verify_database(copy)


def test_another_macro_is_named(copy: Path) -> None:
    with connect(copy) as connection:
        connection.execute("CREATE OR REPLACE MACRO fdnix_glue(s) AS s")
    with pytest.raises(DataError, match=r"other macros .* fdnix_glue$"):
        verify_database(copy)


def test_rows_that_were_lost_are_noticed(copy: Path) -> None:
    with connect(copy) as connection:
        connection.execute("DELETE FROM packages WHERE package_id LIKE '%7'")
    with pytest.raises(DataError, match="packages has 54 rows, fdnix_meta says 60"):
        verify_database(copy)


def test_a_crash_of_duckdb_over_a_damaged_file_is_told_as_damage(
    indexed: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "fdnix-data.duckdb"
    for swapped in swapped_blocks(indexed.output_path):
        path.write_bytes(swapped)
        ended = subprocess.run(
            [sys.executable, "-m", "fdnix", "verify", str(path)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode in {0, DataError.exit_code}, ended.stderr
        if "crashed" in ended.stderr:
            assert ended.stderr == f"fdnix: {path}: DuckDB crashed over it; the file is damaged\n"
            return
    pytest.skip("this DuckDB crashes over none of these files")


def test_damage_anywhere_is_noticed(copy: Path) -> None:
    content = copy.read_bytes()
    noticed = 0
    blocks = range(HEADERS, len(content) - BLOCK, 2 * BLOCK)
    for start in blocks:
        damaged = bytearray(content)
        damaged[start + 5000] ^= 1
        copy.write_bytes(damaged)
        try:
            verify_database(copy)
        except DataError:
            noticed += 1
    # Not what is free, nor the HNSW index, which no search needs.
    assert noticed >= 0.9 * len(blocks)
