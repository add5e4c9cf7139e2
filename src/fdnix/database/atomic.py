"""Building database files so that readers never see half of one."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager, suppress
from shutil import copyfile, disk_usage, rmtree
from stat import S_IMODE
from typing import TYPE_CHECKING

import duckdb

from fdnix.database.connection import NO_MEMORY, connect, first_line, lock
from fdnix.database.file_info import ForeignDatabaseError, read_file_info
from fdnix.errors import DataError, FdnixError, SettingsError
from fdnix.scratch import sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


_ELSEWHERE = "name another place in OUTPUT_PATH and OUTPUT_MINIFIED_PATH (--output, --minified)"


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """A path beside `path` to build a database at; it replaces `path` when the block ends well.

    Where `path` is a link, what it points to is replaced. The new file has the mode and, where
    that may be, the owner of the one before. What a killed build left behind is removed first; an
    exception leaves `path` as it was.

    Raises:
        SettingsError: `path` is a file of another kind, or there is no writing there, or no room.
        DataError: another process is building the same file, or writing to it, or it is no
            database of fdnix's.
    """
    path = path.resolve()
    part = _part(path)
    make_directory(path.parent)
    _refuse_foreign(path)
    with _building_alone(path):
        _remove_leftovers(part)
        try:
            yield part
            _put_in_place(part, path)
        except (duckdb.Error, OSError) as error:
            if told := _in_words(path, error):
                raise told from error
            raise
        finally:
            _remove_leftovers(part)


@contextmanager
def run_over(paths: Iterable[Path]) -> Iterator[None]:
    """Hold the databases at `paths` against other runs, from their first phase to their last.

    What killed runs left beside them is removed first.

    Raises:
        DataError: another run is over one of them.
        SettingsError: there is no writing there.
    """
    with ExitStack() as stack:
        for path in sorted({path.resolve() for path in paths}):
            make_directory(path.parent)
            stack.enter_context(_exclusive(path, f".{path.name}.run", "at work on this file"))
            sweep(path.parent)
            # Another one may be building the file outside a run.
            with suppress(DataError), _building_alone(path):
                _remove_leftovers(_part(path))
        yield


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".building")


def _building_alone(path: Path) -> AbstractContextManager[None]:
    return _exclusive(path, f".{path.name}.lock", "building this file")


def _remove_leftovers(part: Path) -> None:
    for file in (part, part.with_name(part.name + ".wal")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(f"{file}: is in the way; remove it: {error.strerror}") from error
    rmtree(part.with_name(part.name + ".tmp"), ignore_errors=True)


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
        lock(connection)
        connection.execute("SET hnsw_enable_experimental_persistence = true")
        yield connection
        connection.execute("CHECKPOINT")


def _put_in_place(part: Path, path: Path) -> None:
    if path.exists():
        before = path.stat()
        with suppress(PermissionError):
            os.chown(part, before.st_uid, before.st_gid)
        part.chmod(S_IMODE(before.st_mode))
    _sync(part)
    # What DuckDB had still to write into the file before would be taken for this one's.
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
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
    room = _room_needed(path) if "No space left" in str(error) else ""
    return SettingsError(f"{path}: could not be built: {unchanged}{room}")


def _room_needed(path: Path) -> str:
    """What to make room for, in words: the new file, part of which is there."""
    part = _part(path)
    files = [part, *part.parent.glob(f"{part.name}.wal"), *part.parent.glob(f"{part.name}.tmp/*")]
    had = disk_usage(path.parent).free + sum(file.stat().st_size for file in files if file.exists())
    before = path.stat().st_size if path.exists() else 0
    needed = f"about {before:,}" if before > had else f"more than {had:,}"
    return f"; the disk has {had:,} bytes for it, and it takes {needed}: make room"


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
    """Refuse to replace what is no file of fdnix's, which a path mistyped may name.

    A damaged file of fdnix's is replaced.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise SettingsError(f"{path}: is no regular file, and is not replaced; {_ELSEWHERE}")
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be replaced: {error.strerror}") from error
    # https://duckdb.org/docs/stable/internals/storage: a checksum, then the magic bytes.
    if head and head[8:] != b"DUCK":
        raise SettingsError(
            f"{path}: is no DuckDB database and is not replaced by one; move it away, or choose "
            "another path"
        )
    try:
        with connect(path, read_only=True, extensions=()) as connection:
            read_file_info(connection, path)
    except ForeignDatabaseError as error:
        raise DataError(f"{error}; it is not replaced; {_ELSEWHERE}") from error
    except DataError as error:
        # A program that writes to it, and a newer DuckDB: in DuckDB's words.
        if any(words in str(error) for words in ("Could not set lock", "with version number")):
            raise DataError(f"{error}; it is not replaced") from error


@contextmanager
def _exclusive(path: Path, name: str, what: str) -> Iterator[None]:
    """Hold the lock of that name beside `path`; the kernel drops it if we are killed."""
    lock = path.with_name(name)
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
            raise DataError(f"{path}: another fdnix is {what}; wait for it to end")
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
