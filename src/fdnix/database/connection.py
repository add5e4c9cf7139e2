"""Opening DuckDB files with their extensions, and building them so that readers see no halves."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing, contextmanager
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import duckdb

from fdnix.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCHEMA = resources.files("fdnix.database") / "schema"
EXTENSIONS = ("fts", "vss")
# Rows that DuckDB reads or skips together. Look-ups by key read a few rows of sorted tables: a
# small group spares them the rest, and lets both cores scan what is scanned whole.
_ROW_GROUP_SIZE = 4096
MAIN = "main_file"
"""The name that `connect` attaches its file under."""


def schema_sql(name: str) -> str:
    """The text of `schema/NAME.sql`."""
    return (_SCHEMA / f"{name}.sql").read_text(encoding="utf-8")


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
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default database is the file at `path` (None: in memory).

    The extensions are loaded before the file is attached: a file with an HNSW index must not be
    written by a connection without `vss`.

    Raises:
        DataError: the file is missing, damaged, not DuckDB's, or in use by a writer.
    """
    with closing(duckdb.connect()) as connection:
        # It would go to standard output, where results belong.
        connection.execute("SET enable_progress_bar = false")
        for name in extensions:
            load_extension(connection, name, extension_directory)
        if path is not None:
            attach(connection, path, MAIN, read_only=read_only)
            connection.execute(f"USE {MAIN}")
            if not read_only:
                # What does not fit in memory goes beside the file, not to where we were started.
                spill = path.with_name(path.name + ".tmp")
                connection.execute(f"SET temp_directory = {literal(spill)}")
        try:
            yield connection
        except (duckdb.IOException, duckdb.FatalException) as error:
            # Who builds a file tells what became of it.
            if not read_only:
                raise
            raise DataError(f"{path}: DuckDB cannot read it: {_first_line(error)}") from error


@contextmanager
def cursor(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A second connection to what `connect` opened, for a result that is read while rows go in."""
    with closing(connection.cursor()) as second:
        second.execute(f"USE {MAIN}")
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
    if read_only and not path.is_file():
        raise DataError(f"{path}: there is no such file; the phase that writes it comes first")
    mode = "READ_ONLY" if read_only else f"READ_WRITE, ROW_GROUP_SIZE {_ROW_GROUP_SIZE}"
    try:
        connection.execute(f"ATTACH {literal(path)} AS {identifier(name)} (TYPE duckdb, {mode})")
    except duckdb.Error as error:
        raise DataError(f"{path}: DuckDB cannot open it: {_first_line(error)}") from error


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
            f"{_first_line(error)}; install duckdb-extension-{name}=={duckdb.__version__} with "
            f"pip, or name a directory that holds {name}.duckdb_extension "
            "in DUCKDB_EXTENSION_DIRECTORY"
        ) from error


@contextmanager
def uncompressed(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What the block writes stays uncompressed: what searches read.

    Float compression saves an eighth of the vectors' size and makes reading them three times
    slower; a compressed string costs its whole block to read.
    """
    connection.execute("CHECKPOINT")
    connection.execute("SET force_compression = 'uncompressed'")
    yield
    connection.execute("CHECKPOINT")
    connection.execute("RESET force_compression")


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """A path beside `path` to build a database at; it replaces `path` when the block ends well.

    What a killed build left behind is removed first; an exception leaves `path` as it was.

    Raises:
        SettingsError: `path` is a file of another kind, or there is no writing there, or no room.
        DataError: another process is building the same file.
    """
    part = path.with_name(path.name + ".building")
    leftovers = (part, part.with_name(part.name + ".wal"))
    make_directory(path.parent)
    _refuse_foreign(path)
    with _exclusive(path):
        for file in leftovers:
            file.unlink(missing_ok=True)
        try:
            yield part
            _put_in_place(part, path)
        except (duckdb.IOException, duckdb.FatalException, OSError) as error:
            raise _not_built(path, _first_line(error)) from error
        finally:
            for file in leftovers:
                file.unlink(missing_ok=True)


@contextmanager
def copied(
    path: Path, part: Path, *, extension_directory: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on a copy, at `part`, of the database at `path`: for small changes to it.

    An HNSW index comes along, so its table must not be written to.

    Raises:
        DataError: it is damaged.
    """
    copyfile(path, part)
    with connect(part, extension_directory=extension_directory) as connection:
        connection.execute("SET hnsw_enable_experimental_persistence = true")
        yield connection
        connection.execute("CHECKPOINT")


def _put_in_place(part: Path, path: Path) -> None:
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _not_built(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"{path}: could not be built: {reason}; what was there before is unchanged"
    )


def make_directory(path: Path) -> None:
    """Make the directory at `path`, and those above it, unless they are there.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be made: {error.strerror}") from error


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace what is no DuckDB file, which a path mistyped may name."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingsError(f"{path}: cannot be replaced: {error.strerror}") from error
    # https://duckdb.org/docs/stable/internals/storage: a checksum, then the magic bytes.
    if head and head[8:] != b"DUCK":
        raise SettingsError(
            f"{path}: is no DuckDB database and is not replaced by one; move it away, or choose "
            "another path"
        )


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the lock that says this process builds `path`; the kernel drops it if we are killed."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise SettingsError(f"{path.parent}: cannot be written to: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = lock.stat().st_ino == os.fstat(descriptor).st_ino
        except OSError:
            held = False
        if not held:
            raise DataError(f"{path}: another fdnix is building this file; wait for it to end")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
