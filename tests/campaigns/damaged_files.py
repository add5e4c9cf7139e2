"""Opens damaged databases: each is answered from or refused in words, none ends in an exception.

Example: PYTHONPATH=src:tests python tests/campaigns/damaged_files.py out/fdnix-data.duckdb \
out/fdnix.duckdb --count 500
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.steps import steps
from fdnix.database.sizes import database_info
from fdnix.errors import FdnixError
from fdnix.pipeline import minify_options
from fdnix.search import SearchIndex
from fdnix.search.minify import write_minified
from fdnix.settings import load_settings
from support.search import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

# https://duckdb.org/docs/stable/internals/storage: three headers, then blocks.
_HEADERS = 3 * 4096
_BLOCK = 256 * 1024
_SECONDS = 60
_DEFECT = 1
_REFUSED = 4
_TEXTS = ("terminal file manager", "edtior", "music license:mit -vim", "", "libary")


def flip(content: bytearray, chance: random.Random) -> None:
    """Turn a few bits round."""
    for _ in range(chance.choice([1, 1, 8, 100])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def swap(content: bytearray, chance: random.Random) -> None:
    """Put two blocks in each other's place."""
    first, second = (_block(content, chance) for _ in range(2))
    content[first], content[second] = content[second], content[first]


def empty(content: bytearray, chance: random.Random) -> None:
    """Fill a block, or a part of one, with zeros."""
    where = _block(content, chance)
    start = chance.randrange(where.start, where.stop)
    content[start : where.stop] = bytes(where.stop - start)


def cut(content: bytearray, chance: random.Random) -> None:
    """Leave away the end."""
    del content[chance.randrange(len(content)) :]


_DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, swap, empty, cut)


def _block(content: bytearray, chance: random.Random) -> slice:
    number = chance.randrange((len(content) - _HEADERS) // _BLOCK)
    return slice(_HEADERS + number * _BLOCK, _HEADERS + (number + 1) * _BLOCK)


def read_all(path: Path) -> None:
    """Read the file at `path` in all the ways that fdnix does."""
    meta = database_info(path).meta
    if meta["kind"] == "full":
        output = path.with_suffix(".minified")
        output.unlink(missing_ok=True)
        write_minified(path, output, minify_options(load_settings({})), model=MODEL)
        return
    with SearchIndex.open(path) as index:
        for text in _TEXTS:
            names = [hit.package_id for hit in index.search(text)]
            index.search_and_count(text)
            index.suggest(text[:3])
        for name in names[:3]:
            index.get(name)
            index.similar(name)
            index.which(name)


def _child(path: Path) -> None:
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    code = 0
    try:
        read_all(path)
    except FdnixError as error:
        code = error.exit_code
    except BaseException:  # noqa: BLE001 (that there is none is what is to be seen)
        code = _DEFECT
        sys.stderr.write(traceback.format_exc())
    sys.stderr.flush()
    os._exit(code)


@dataclass
class Outcome:
    """How the readers of damaged files ended: by exit code, those below 0 by a signal."""

    files: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    @property
    def crashes(self) -> int:
        """How many ended DuckDB itself, which nobody can catch."""
        return sum(times for code, times in self.codes.items() if code < 0)

    @property
    def failures(self) -> int:
        """How many were neither answered from nor refused, but for crashes."""
        return self.files - self.codes[0] - self.codes[_REFUSED] - self.crashes


def campaign(files: list[Path], count: int, seed: int, directory: Path) -> Outcome:
    """Read `count` damaged copies of the files, each in a process of its own."""
    chance = random.Random(seed)
    outcome = Outcome()
    originals = [file.read_bytes() for file in files]
    forking = multiprocessing.get_context("fork")
    for number in steps(count):
        content = bytearray(originals[number % len(originals)])
        damage = chance.choice(_DAMAGES)
        damage(content, chance)
        path = directory / "damaged.duckdb"
        path.write_bytes(content)
        child = forking.Process(target=_child, args=[path])
        child.start()
        child.join(_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        outcome.files += 1
        outcome.codes[child.exitcode or 0] += 1
        if child.exitcode not in {0, _REFUSED}:
            sys.stderr.write(f"{files[number % len(files)]}, {damage.__name__}: file {number}\n")
    return outcome


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="full or minified databases")
    parser.add_argument("--count", type=int, default=500, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn by")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        outcome = campaign(given.files, given.count, given.seed, Path(directory))
    print(
        f"{outcome.files:,} damaged files: {outcome.codes[0]:,} answered from, "
        f"{outcome.codes[_REFUSED]:,} refused, {outcome.crashes:,} crashes of DuckDB, "
        f"{outcome.failures:,} ended otherwise: {dict(sorted(outcome.codes.items()))}"
    )
    sys.exit(bool(outcome.failures))


if __name__ == "__main__":
    main()
