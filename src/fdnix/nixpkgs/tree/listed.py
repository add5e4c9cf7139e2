"""A channel's `programs.sqlite`, which says what programs each binary package has.

It has one table, `Programs (name, system, package)`, whose package is an attribute path; the
command-not-found of NixOS reads it (nixos/modules/programs/command-not-found).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Final

from fdnix.errors import DataError
from fdnix.nixpkgs.text import fold_line

if TYPE_CHECKING:
    from pathlib import Path

_MOST_ROWS: Final = 5_000_000
_MOST_STEPS: Final = 2_000_000_000
_STEPS_AT_ONCE: Final = 1_000_000
_LONGEST_NAME: Final = 255
"""Bytes that a file's name has at most on Linux."""


def listed_programs(path: Path, system: str | None) -> dict[str, list[str]]:
    """The programs of each attribute path, in their alphabetical order.

    Of the systems in the file, `system` is read, else the one that it has most rows of.

    Raises:
        DataError: it is damaged, or no such list.
    """
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    found: defaultdict[str, list[str]] = defaultdict(list)
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            # The file is from elsewhere: nothing in it runs, and no query of it without an end.
            connection.execute("PRAGMA trusted_schema = OFF")
            steps = iter(range(_MOST_STEPS // _STEPS_AT_ONCE))
            connection.set_progress_handler(lambda: next(steps, None) is None, _STEPS_AT_ONCE)
            for name, package in connection.execute(
                _QUERY, (_system(connection, system), _MOST_ROWS)
            ):
                if (clean := fold_line(name)) and len(clean.encode()) <= _LONGEST_NAME:
                    found[package].append(clean)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(f"it is no list of programs: {error}") from error
    return dict(found)


_QUERY: Final = """
    SELECT name, package FROM Programs
    WHERE system = ? AND typeof(name) = 'text' AND typeof(package) = 'text'
    ORDER BY package, name LIMIT ?
"""


def _system(connection: sqlite3.Connection, wanted: str | None) -> str:
    kind = connection.execute("SELECT type FROM sqlite_master WHERE name = 'Programs'").fetchone()
    if kind != ("table",):
        raise DataError("it has no table Programs")
    counts = connection.execute("SELECT system, count(*) FROM Programs GROUP BY system").fetchall()
    systems = {system: rows for system, rows in counts if isinstance(system, str)}
    if wanted in systems or not systems:
        return wanted or ""
    return max(systems, key=lambda system: systems[system])
