"""The minified database that a command reads: where it is looked for, and how old it is."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from platformdirs import user_data_path

from fdnix.cli import shown
from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from fdnix.search import SearchIndex

CONTAINERS_INDEX = Path("/out/fdnix.duckdb")
_VARIABLES = ("FDNIX_DB", "OUTPUT_MINIFIED_PATH")
_OLD = timedelta(days=31)

DB_OPTION = click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    help="The minified database; else FDNIX_DB, OUTPUT_MINIFIED_PATH, what `fdnix update` made, "
    f"{CONTAINERS_INDEX}.",
)


def user_index() -> Path:
    """Where `fdnix update` keeps the user's own index."""
    return user_data_path("fdnix", appauthor=False) / "fdnix.duckdb"


def find_index(given: Path | None, environ: Mapping[str, str]) -> Path:
    """The first there is of: `given`, what a variable names, the user's own, the container's.

    Raises:
        SettingsError: what is named is not there, or nothing is.
    """
    named = [("--db", given), *((name, _path(environ.get(name))) for name in _VARIABLES)]
    for name, path in named:
        if path is not None:
            if path.exists():
                return path
            raise SettingsError(f"{path}: there is no index here, as {name} says; {_REMEDY}")
    for path in (user_index(), CONTAINERS_INDEX):
        if path.exists():
            return path
    raise SettingsError(f"there is no index at {user_index()} or {CONTAINERS_INDEX}; {_REMEDY}")


_REMEDY = "make one with `fdnix update`, or name a minified database with --db"


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


@contextmanager
def open_index(given: Path | None, environ: Mapping[str, str]) -> Iterator[SearchIndex]:
    """The index that a command reads, open; that it is more than a month old is said.

    Inside the block Ctrl-C ends the process at once, whatever it waits for: a file that is only
    read leaves nothing to tidy up.

    Raises:
        SettingsError: there is none.
        DataError: it is no minified database of this schema version.
    """
    from fdnix.search import SearchIndex  # noqa: PLC0415 (DuckDB is slow to import)

    path = find_index(given, environ)
    # Not of the settings: a search is not kept from its work by what they say of runs.
    region = environ.get("AWS_REGION") or None
    with _ending_at_once(), SearchIndex.open(path, aws_region=region) as index:
        if warning := age_warning(index.info, path, datetime.now(UTC)):
            click.secho(shown.line(warning), fg="yellow", err=True)
        yield index


@contextmanager
def _ending_at_once() -> Iterator[None]:
    before = {
        number: signal.signal(number, _end)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os.write(sys.stderr.fileno(), b"fdnix: stopped\n")
    os._exit(128 + number)


def age_warning(info: Mapping[str, str], path: Path, now: datetime) -> str | None:
    """That the catalogue an index was made of is more than a month old; None where it is not."""
    try:
        made = datetime.fromisoformat(info.get("metadata_at", ""))
        age = now - made
    except (ValueError, TypeError):
        return None
    if age <= _OLD:
        return None
    return f"{path} is of {made:%Y-%m-%d}, {age.days} days old; `fdnix update` makes one of today"
