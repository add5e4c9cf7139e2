"""Writes a full database and interrupts itself, as Ctrl-C does, while DuckDB writes the packages.

`python -m support.interrupted PATH` says how that ended. In a process of its own, since DuckDB
crashes where the connection is closed under it.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fdnix.database.full import write_full
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.package import Package

if TYPE_CHECKING:
    from collections.abc import Iterator

# As many as are written at once, so that these are being written when the rows end.
_ROWS = 8192
_SECONDS = 0.01
_TIMES = 4


def _rows(package: Package) -> Iterator[Package]:
    for number in range(_ROWS):
        yield msgspec.structs.replace(package, package_id=f"package{number}")
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)


def main(path: Path) -> None:
    """Write the database, which is interrupted."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sample = path.with_name("sample.json")
    sample.write_bytes((resources.files("fdnix.nixpkgs") / "sample.json").read_bytes())
    package = next(row for row in decode(read_catalog(sample)) if isinstance(row, Package))
    for _ in range(_TIMES):
        with suppress(KeyboardInterrupt):
            write_full(
                path,
                _rows(package),
                expected=_ROWS,
                content_hash=lambda row: row.package_id,
                dimensions=2,
                rejected_limit=0,
                meta={},
            )
    json.dump(sorted(left.name for left in path.parent.iterdir()), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
