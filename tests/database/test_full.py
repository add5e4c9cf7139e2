"""The full database: its schema, its counts, and what it takes over from the one before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info, write_file_info
from fdnix.database.full import verify_counts
from fdnix.errors import DataError
from support.catalogues import entries, entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from fdnix.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src"


def schema(path: Path) -> str:
    """The tables, views and indexes of a database as DuckDB itself reports them."""
    with connect(path, read_only=True) as connection:
        statements = connection.execute(
            "SELECT sql FROM (SELECT 1 AS part, table_name AS name, sql FROM duckdb_tables() "
            "WHERE database_name = 'main_file' AND schema_name = 'main' UNION ALL "
            "SELECT 2, view_name, sql FROM duckdb_views() "
            "WHERE database_name = 'main_file' AND NOT internal UNION ALL "
            "SELECT 3, index_name, sql FROM duckdb_indexes() "
            "WHERE database_name = 'main_file') ORDER BY part, name"
        ).fetchall()
    return "\n".join(statement.replace(", ", ",\n    ") for (statement,) in statements) + "\n"


@pytest.mark.parametrize("kind", ["full", "minified"])
def test_the_schema_is_the_one_on_record(kind: str, indexed: Settings) -> None:
    path = indexed.output_path if kind == "full" else indexed.output_minified_path
    golden = GOLDEN / f"{kind}.sql"
    assert schema(path) == golden.read_text(encoding="utf-8"), (
        f"raise its number in SCHEMA_VERSIONS, then put what DuckDB reports into {golden.name}"
    )


def test_the_meta_says_where_it_came_from_and_what_it_holds(indexed: Settings) -> None:
    with connect(indexed.output_path, read_only=True) as connection:
        meta = read_file_info(connection, indexed.output_path, kind="full")
        verify_counts(connection, indexed.output_path)
    assert meta["source"] == "file"
    assert len(meta["catalogue_sha256"]) == 64
    assert (meta["package_count"], meta["rejected_count"], meta["distinct_text_count"]) == (
        "60",
        "0",
        "60",
    )
    assert (meta["embedding_model"], meta["embedding_dimensions"], meta["embedding_count"]) == (
        "fdnix-static-256-2",
        "256",
        "60",
    )


def test_rows_that_are_missing_are_noticed(indexed: Settings, tmp_path: Path) -> None:
    for table in ("packages_fts_source", "packages"):
        path = tmp_path / table
        path.write_bytes(indexed.output_path.read_bytes())
        with connect(path) as connection:
            connection.execute(f"DELETE FROM {table} WHERE package_id = 'editor0'")
            with pytest.raises(DataError, match=f"{table} has 59 rows, fdnix_meta says 60"):
                verify_counts(connection, path)


def test_a_rebuild_keeps_the_vectors_of_the_texts_that_are_still_there(tmp_path: Path) -> None:
    packages = entries(20)
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", packages))
    pipeline.run(settings)
    first, *others = packages
    packages.pop(first)
    packages[others[0]] = entry(others[0], description="Something else entirely")
    packages[others[1]]["version"] = "2.0"
    packages[others[1]]["name"] = f"{others[1]}-2.0"
    write_catalogue(tmp_path / "in.json", packages)
    report = pipeline.run(settings)
    assert report.metadata
    assert (report.metadata.packages, report.metadata.unchanged) == (19, False)
    assert report.embedding
    # One text is new; the version's change is none; the two texts that are gone are not kept.
    assert (report.embedding.embedded, report.embedding.reused) == (1, 18)
    assert report.minified
    assert report.minified.vectors == 19


@pytest.mark.parametrize("version", [2, 3])
def test_nothing_is_embedded_again_because_the_schema_is_a_new_one(
    version: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    pipeline.run(settings)
    with connect(settings.output_path) as connection:
        write_file_info(connection, {"schema_version": version, "fdnix_version": "0.1"})
        for statement in ("DROP TABLE usage", "ALTER TABLE packages DROP programs"):
            connection.execute(statement)
    report = pipeline.run(settings)
    assert report.metadata
    assert not report.metadata.unchanged
    assert report.embedding
    assert (report.embedding.embedded, report.embedding.reused) == (0, 20)
    assert not caplog.records


def test_of_a_schema_without_heads_no_vectors_are_taken_over_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    pipeline.run(settings)
    with connect(settings.output_path) as connection:
        write_file_info(connection, {"schema_version": 1})
        connection.execute("DROP INDEX embeddings_vss_idx")
        connection.execute("ALTER TABLE embeddings DROP head")
    report = pipeline.run(settings)
    assert report.embedding
    assert report.embedding.embedded == 20
    assert "no vectors are taken over" in caplog.text


def test_no_package_and_no_malformed_one_is_ever_lost(tmp_path: Path) -> None:
    packages: dict[str, object] = {**entries(30), "bad": {"name": 3}, "worse": None}
    source = write_catalogue(tmp_path / "in.json", packages)
    settings = settings_in(tmp_path, source, rejected_limit=0.1, processing_mode="metadata")
    report = pipeline.run(settings).metadata
    assert report
    assert (report.packages, report.rejected) == (30, 2)
    with connect(settings.output_path, read_only=True) as connection:
        rejected = connection.execute("SELECT package_id FROM rejected_packages").fetchall()
    assert rejected == [("bad",), ("worse",)]


def test_ctrl_c_while_packages_are_written_is_an_interruption_and_no_crash(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "support.interrupted", tmp_path / "fdnix-data.duckdb"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [SOURCE, TESTS]))},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert json.loads(ended.stdout) == ["sample.json"]
