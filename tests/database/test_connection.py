"""Files are opened with clear errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from fdnix.database.atomic import building
from fdnix.database.connection import (
    attach,
    connect,
    count,
    identifier,
    literal,
    load_extension,
    lock,
    memory_there_is,
    reading,
)
from fdnix.errors import DataError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.settings import Settings


def write_some(path: Path, rows: int = 3) -> None:
    with connect(path) as connection:
        connection.execute("CREATE TABLE t AS FROM range(?)", [rows])


def rows_of(path: Path) -> int:
    with connect(path, read_only=True) as connection:
        return len(connection.execute("FROM t").fetchall())


def test_a_truncated_file_is_refused_by_readers_in_one_line(
    indexed: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "db"
    path.write_bytes(indexed.output_path.read_bytes()[:10_000])
    with pytest.raises(DataError, match="DuckDB cannot open it") as caught, connect(path):
        pass
    assert "\n" not in str(caught.value)


def test_damage_that_shows_while_reading_is_one_message(indexed: Settings, tmp_path: Path) -> None:
    path = tmp_path / "db"
    content = indexed.output_path.read_bytes()
    # Past the three headers of 4 kB that DuckDB reads on opening, and the first blocks.
    path.write_bytes(content[:12_288] + bytes(len(content) - 12_288))
    with pytest.raises(DataError) as caught, connect(path, read_only=True) as connection:
        connection.execute("FROM packages").fetchall()
    assert str(path) in str(caught.value)


def test_a_read_only_connection_cannot_write(tmp_path: Path) -> None:
    write_some(tmp_path / "db")
    with (
        connect(tmp_path / "db", read_only=True) as connection,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        connection.execute("DROP TABLE t")


def test_a_writer_leaves_half_of_the_memory_to_what_is_beside_it(tmp_path: Path) -> None:
    memory = "SELECT parse_formatted_bytes(current_setting('memory_limit'))"
    with connect(None) as connection:
        usual = count(connection, memory)  # four fifths of the machine's, or the container's
    with connect(tmp_path / "db") as connection:
        assert count(connection, memory) == pytest.approx(usual * 5 / 8, rel=0.01)
    assert memory_there_is() == pytest.approx(usual * 5 / 4, rel=0.01)


def test_a_locked_writer_writes_its_file_and_reaches_no_other(tmp_path: Path) -> None:
    write_some(tmp_path / "source")
    write_some(tmp_path / "other")
    with connect(tmp_path / "db") as connection:
        attach(connection, tmp_path / "source", "source")
        lock(connection)
        for reaching in (
            f"ATTACH {literal(tmp_path / 'other')} AS other",
            f"FROM read_text({literal(tmp_path / 'other')})",
            f"COPY (SELECT 1) TO {literal(tmp_path / 'new')}",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error, match=r"disabled|running"):
                connection.execute(reaching)
        # More than fits, so that it is put on disk for a while.
        connection.execute("SET memory_limit = '60MB'; SET threads = 1")
        connection.execute("CREATE TABLE t AS SELECT md5(i::VARCHAR) FROM range(1500000) AS r(i)")
        connection.execute("CREATE TABLE sorted AS FROM t ORDER BY ALL")
        connection.execute("CREATE TABLE copied AS FROM source.t")
        connection.execute("CHECKPOINT")
    assert {path.name for path in tmp_path.iterdir()} == {"source", "other", "db"}


def test_an_extension_that_cannot_be_had_is_named_with_its_remedies() -> None:
    with duckdb.connect() as connection, pytest.raises(DataError) as caught:
        load_extension(connection, "no_such_extension")
    assert "duckdb-extension-no_such_extension==" in str(caught.value)
    assert "DUCKDB_EXTENSION_DIRECTORY" in str(caught.value)


def test_quotes_in_paths_and_names_stay_part_of_them(tmp_path: Path) -> None:
    path = tmp_path / 'it\'s; DROP "me".db'
    write_some(path)
    assert rows_of(path) == 3
    with duckdb.connect() as connection:
        name = "a\"b'c"
        connection.execute(f"CREATE TABLE {identifier(name)} AS SELECT {literal(name)} AS text")
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchone() == (name,)


def test_what_reads_is_locked(tmp_path: Path) -> None:
    write_some(tmp_path / "db")
    (tmp_path / "secret").write_text("x")
    with connect(tmp_path / "db", read_only=True, extensions=()) as connection:
        for statement in (
            f"FROM read_text({literal(tmp_path / 'secret')})",
            f"COPY t TO {literal(tmp_path / 'copy.csv')}",
            f"ATTACH {literal(tmp_path / 'new')}",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "FROM read_text('http://127.0.0.1:9/x')",
            "FROM statement",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["db", "secret"]


@pytest.mark.parametrize("work", [reading, building])
def test_too_little_memory_is_told_and_is_no_damage(work: Any, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '20MB'; SET temp_directory = ''")
        with pytest.raises(SettingsError, match="there is not memory enough"), work(tmp_path / "f"):
            connection.execute("CREATE TABLE t AS SELECT hash(range) FROM range(50000000)")
