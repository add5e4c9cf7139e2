"""A file says what it is, and what is not fdnix's or not of this version is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix.database.connection import connect
from fdnix.database.file_info import (
    SCHEMA_VERSIONS,
    ForeignDatabaseError,
    read_file_info,
    read_older_info,
    verify_build,
    write_file_info,
)
from fdnix.errors import DataError
from support.databases import write_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

PATH = Path("some.duckdb")
FULL_SCHEMA = SCHEMA_VERSIONS["full"]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path / PATH, extensions=()) as connection:
        connection.execute("CREATE TABLE fdnix_meta (key VARCHAR PRIMARY KEY, value VARCHAR)")
        write_file_info(
            connection, {"schema_version": FULL_SCHEMA, "kind": "full", "build_id": "b1"}
        )
        yield connection


def test_what_is_written_is_read_and_none_takes_a_key_away(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    write_file_info(connection, {"rows": 3, "recall": 0.95, "gone": "x"})
    write_file_info(connection, {"rows": 4, "gone": None})
    assert read_file_info(connection, PATH) == {
        "schema_version": str(FULL_SCHEMA),
        "kind": "full",
        "build_id": "b1",
        "rows": "4",
        "recall": "0.95",
    }


def test_another_schema_version_is_refused_and_both_versions_are_named(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    write_file_info(connection, {"schema_version": 99, "fdnix_version": "7.0"})
    with pytest.raises(DataError) as caught:
        read_file_info(connection, PATH)
    assert str(caught.value).startswith(
        f"some.duckdb: has schema version 99, this fdnix reads version {FULL_SCHEMA}"
    )
    assert "(7.0)" in str(caught.value)


def test_each_kind_of_file_has_a_schema_version_of_its_own(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    write_file_info(connection, {"kind": "minified", "schema_version": SCHEMA_VERSIONS["minified"]})
    assert read_file_info(connection, PATH)["kind"] == "minified"
    write_file_info(connection, {"schema_version": SCHEMA_VERSIONS["minified"] + 1})
    with pytest.raises(DataError, match=f"reads version {SCHEMA_VERSIONS['minified']};"):
        read_file_info(connection, PATH)


def test_of_a_full_file_an_older_schema_may_be_read_and_a_newer_may_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for version in (2, FULL_SCHEMA):
        write_file_info(connection, {"schema_version": version})
        assert read_older_info(connection, PATH)["build_id"] == "b1"
    for unknown in (str(FULL_SCHEMA + 1), "none"):
        write_file_info(connection, {"schema_version": unknown})
        with pytest.raises(DataError, match=f"has schema version {unknown}"):
            read_older_info(connection, PATH)
    write_file_info(connection, {"kind": "minified", "schema_version": 2})
    with pytest.raises(DataError, match="a full one is needed"):
        read_older_info(connection, PATH)


def test_a_database_of_the_other_kind_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    assert read_file_info(connection, PATH)
    with pytest.raises(DataError, match="is a full database; a minified one is needed here"):
        read_file_info(connection, PATH, kind="minified")
    write_file_info(connection, {"kind": "other"})
    with pytest.raises(DataError, match="is a other database; a full or minified one is needed"):
        read_file_info(connection, PATH)


@pytest.mark.parametrize("table", ["unrelated (i INTEGER)", "fdnix_meta (other INTEGER)"])
def test_a_database_of_another_program_is_told_apart(table: str) -> None:
    with connect(None, extensions=()) as connection:
        connection.execute(f"CREATE TABLE {table}")
        with pytest.raises(ForeignDatabaseError, match=r"some.duckdb: is not an fdnix database"):
            read_file_info(connection, PATH)


def test_a_file_that_was_replaced_while_it_was_read_is_noticed(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    verify_build(connection, PATH, "b1")
    with pytest.raises(DataError, match="was replaced by another fdnix while it was read"):
        verify_build(connection, PATH, "b2")


@pytest.mark.parametrize(
    ("lacking", "key"),
    [
        ({"build_id": None}, "build_id"),
        ({"package_count": None}, "package_count"),
        ({"hnsw_recall": "much"}, "hnsw_recall"),
        ({"hnsw_index": "embeddings_vss_idx", "hnsw_recall": None}, "hnsw_recall"),
        ({"metadata_at": "yesterday"}, "metadata_at"),
    ],
)
def test_what_is_missing_or_garbled_is_named(
    tmp_path: Path, lacking: dict[str, object], key: str
) -> None:
    path = write_database(tmp_path / "full.duckdb", "full")
    with connect(path, extensions=()) as connection:
        assert read_file_info(connection, path, kind="full")
        write_file_info(connection, lacking)
        with pytest.raises(DataError, match=rf"fdnix_meta does not say.* {key}; build the file"):
            read_file_info(connection, path, kind="full")
