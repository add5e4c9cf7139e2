"""Opening DuckDB files with their extensions, and the SQL that lies in folders."""

from __future__ import annotations

from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from fdnix.errors import DataError, SettingsError
from fdnix.progress import log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EXTENSIONS = ("fts", "vss")
_PACKAGE = Path(__file__).parents[1]
# Rows that DuckDB reads or skips together. Look-ups by key read a few rows of sorted tables: a
# small group spares them the rest, and lets both cores scan what is scanned whole.
_ROW_GROUP_SIZE = 4096
# The first version with DICT_FSST, which halves the room that texts take.
_STORAGE_VERSION = "v1.4.0"
MAIN = "main_file"
"""The name that `connect` attaches its file under."""

NO_MEMORY = "there is not memory enough; end other programs, or give this one more"

# Built-in functions are found before what a file names likewise.
_OWN_FIRST = "memory.main,system.main,{}.main"

_NOTHING_BY_ITSELF: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

# Without a directory for what does not fit in memory, nothing is written. Replacements are Python's
# variables, which a view could name.
_LOCK = """
SET temp_directory = '';
SET python_enable_replacements = false;
SET enable_external_access = false;
SET lock_configuration = true;
"""
_LOCK_WRITER = """
SET python_enable_replacements = false;
SET enable_external_access = false;
"""


def read_sql(package: str, name: str) -> str:
    """The text of `PACKAGE/sql/NAME.sql`."""
    return (_PACKAGE / package / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def literal(text: str | Path) -> str:
    """`text` as an SQL string literal, for the statements that take no parameter (ATTACH, LOAD)."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def connect(
    path: Path | None,
    *,
    read_only: bool = False,
    extensions: Sequence[str] = EXTENSIONS,
    extension_directory: Path | None = None,
    options: Mapping[str, int] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default database is the file at `path` (None: in memory).

    The extensions are loaded before the file is attached: a file with an HNSW index must not be
    written by a connection without `vss`.

    A connection that only reads may read what others made: nothing in the file can have it open
    another file or address, load an extension or change an option, and functions are DuckDB's own
    whatever the file names its macros.

    Args:
        path: the file.
        read_only: whether it is only read.
        extensions: DuckDB's extensions that are needed.
        extension_directory: where they lie, when not in their wheels.
        options: DuckDB's options, for all cursors too; who only reads can set none later.

    Raises:
        DataError: the file is missing, damaged, not DuckDB's, or in use by a writer.
        SettingsError: there is not memory enough to read it.
    """
    with closing(duckdb.connect(config=_NOTHING_BY_ITSELF)) as connection:
        # It would go to standard output, where results belong.
        connection.execute("SET enable_progress_bar = false")
        for name in extensions:
            load_extension(connection, name, extension_directory)
        for option, value in (options or {}).items():
            connection.execute(f"SET GLOBAL {option} = {value:d}")
        if path is None:
            yield connection
            return
        attach(connection, path, MAIN, read_only=read_only)
        if not read_only:
            connection.execute(f"USE {MAIN}")
            # What does not fit in memory goes beside the file, not to where we were started.
            spill = path.with_name(path.name + ".tmp")
            connection.execute(f"SET temp_directory = {literal(spill)}")
            limit = count(connection, read_sql("database", "memory_for_writing"))
            connection.execute(f"SET memory_limit = '{limit:d}B'")
            # Who builds a file tells what became of it.
            yield connection
            return
        prefer_own(connection)
        connection.execute(_LOCK)
        with reading(path):
            yield connection


def memory_there_is() -> int:
    """The bytes of memory of this machine, or that the container (its cgroup) may take."""
    with connect(None, extensions=()) as connection:
        # A fresh connection takes 80 percent.
        memory = "SELECT parse_formatted_bytes(current_setting('memory_limit')) * 5 // 4"
        return count(connection, memory)


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Have a writing connection, which has attached all that it needs, reach no other file.

    What it copies from may be somebody else's file.
    """
    connection.execute(_LOCK_WRITER)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in words what DuckDB meets in the file at `path`, which the block reads.

    Raises:
        DataError: the file is damaged, or does not hold what it should.
        SettingsError: there is not memory enough.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise SettingsError(f"{path}: {NO_MEMORY}: {first_line(error)}") from error
    except (duckdb.Error, UnicodeDecodeError) as error:
        # A signal that comes while DuckDB is at work surfaces as DuckDB's error, caused by ours.
        if isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
            raise
        log.debug("%s", path, exc_info=True)
        raise DataError(
            f"{path}: DuckDB cannot read it: {first_line(error)}; the file is damaged or no "
            "database of fdnix's: make it anew or fetch it again (`fdnix verify` reads it whole)"
        ) from error


def prefer_own(connection: duckdb.DuckDBPyConnection, database: str = MAIN) -> None:
    """Find tables in `database`, but macros of the connection and built-in functions before its."""
    connection.execute(f"SET search_path = {literal(_OWN_FIRST.format(identifier(database)))}")


@contextmanager
def cursor(
    connection: duckdb.DuckDBPyConnection, database: str = MAIN
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A second connection to what `connect` opened, for a result that is read while rows go in.

    It reads `database`, attached under that name.
    """
    with closing(connection.cursor()) as second:
        prefer_own(second, database)
        yield second


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number that `query`, a count, gives."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def attach(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool = True
) -> None:
    """Attach the DuckDB file at `path` under `name`.

    Raises:
        DataError: the file is missing, damaged, not DuckDB's, or in use by a writer.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a directory; name the database file in it")
    if read_only and not path.is_file():
        raise DataError(f"{path}: there is no such file; the phase that writes it comes first")
    mode = "READ_ONLY" if read_only else f"READ_WRITE, STORAGE_VERSION '{_STORAGE_VERSION}'"
    # A reader that knows the row groups' size shares a table of several among its threads.
    mode += f", ROW_GROUP_SIZE {_ROW_GROUP_SIZE}"
    try:
        connection.execute(f"ATTACH {literal(path)} AS {identifier(name)} (TYPE duckdb, {mode})")
    except duckdb.Error as error:
        raise DataError(f"{path}: DuckDB cannot open it: {first_line(error)}") from error


def extension_file(name: str, directory: Path | None = None) -> Path | None:
    """The file of a DuckDB extension in `directory`, else in its wheel; None where neither is."""
    file = f"{name}.duckdb_extension"
    places = [] if directory is None else [directory / file]
    if (wheel := find_spec(f"duckdb_extension_{name}")) and wheel.origin:
        places.append(Path(wheel.origin).parent / "extensions" / f"v{duckdb.__version__}" / file)
    return next((place for place in places if place.is_file()), None)


def load_extension(
    connection: duckdb.DuckDBPyConnection, name: str, directory: Path | None = None
) -> None:
    """Load a DuckDB extension: from `directory`, else its wheel, else installed or downloaded.

    Raises:
        DataError: the extension can be had from none of these.
    """
    found = extension_file(name, directory)
    try:
        if found:
            connection.execute(f"LOAD {literal(found)}")
            return
        # INSTALL returns at once where the extension is installed already.
        connection.execute(f"INSTALL {identifier(name)}")
        connection.execute(f"LOAD {identifier(name)}")
    except duckdb.Error as error:
        raise DataError(
            f"DuckDB {duckdb.__version__} cannot load its extension {name!r}: "
            f"{first_line(error)}; install duckdb-extension-{name}=={duckdb.__version__} with "
            f"pip, or name a directory that holds {name}.duckdb_extension "
            "in DUCKDB_EXTENSION_DIRECTORY"
        ) from error


def first_line(error: Exception) -> str:
    """The first line of what `error`, of DuckDB or the system, says."""
    return str(error).strip().split("\n", 1)[0]
