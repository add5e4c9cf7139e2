"""Building database files so that readers never see half of one."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from shutil import copyfile
from typing import TYPE_CHECKING

import duckdb

from fdnix.database.connection import NO_MEMORY, connect, first_line
from fdnix.errors import DataError, FdnixError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_ELSEWHERE = "name another place in OUTPUT_PATH and OUTPUT_MINIFIED_PATH (--output, --minified)"


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
        except (duckdb.Error, OSError) as error:
            if told := _in_words(path, error):
                raise told from error
            raise
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


def _in_words(path: Path, error: Exception) -> FdnixError | None:
    """What a user is told of what ended a build; None for a defect of ours and for a signal."""
    unchanged = f"{first_line(error)}; what was there before is unchanged"
    if isinstance(error, duckdb.OutOfMemoryException):
        return SettingsError(f"{path}: {NO_MEMORY}: {unchanged}")
    if isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
        return None
    if not isinstance(error, (OSError, *_OF_FILES)):
        return None
    if any(word in str(error).lower() for word in ("corrupt", "checksum", "serializ")):
        return DataError(
            f"{path}: could not be built, since a file that it is made of is damaged (`fdnix "
            f"verify` tells which): {unchanged}"
        )
    return SettingsError(f"{path}: could not be built: {unchanged}")


_OF_FILES = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
    # What DuckDB makes of a full disk in the middle of a statement.
    duckdb.TransactionException,
)


def make_directory(path: Path) -> None:
    """Make the directory at `path`, and those above it, unless they are there.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be made: {error.strerror}; {_ELSEWHERE}") from error


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
        raise SettingsError(
            f"{path.parent}: cannot be written to: {error.strerror}; {_ELSEWHERE}"
        ) from error
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
