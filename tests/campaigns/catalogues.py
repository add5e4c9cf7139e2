"""Reads catalogues with something wrong in them: none may end in an exception or lose a good row.

Example: PYTHONPATH=src:tests python tests/campaigns/catalogues.py --count 20000
"""

from __future__ import annotations

import argparse
import gzip
import importlib.resources
import json
import lzma
import random
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import zstandard

from campaigns.steps import steps
from fdnix.embedding.text import content_hash, embedding_text
from fdnix.errors import DataError
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.package import Package

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKED: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    brotli.compress,
    gzip.compress,
    lzma.compress,
    zstandard.ZstdCompressor().compress,
)
_ODD = (
    *(
        b"1e400",
        b"-1e999",
        b"9" * 5000,
        b"-" + b"9" * 5000,
        b"0." + b"1" * 5000,
        b"1e-9999",
        b"3.5",
    ),
    *(b"null", b"true", b"[]", b"{}", b'""', b'[null,1,"a",{}]', b'{"spdxId":1}', b'[[["x"]]]'),
    *(b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0000"', b'"\\u202e"', b'{"k\xff":1}'),
    *(b'"[/x]"', b'"https://[::1"', b'{"a":{"b":[1e400]}}', b'"' + b"w " * 50_000 + b'"'),
    *(b"[" * 300 + b"]" * 300, b"[" * 5000 + b"]" * 5000, b'{"a":' * 1500 + b"1" + b"}" * 1500),
)
_KEYS = (
    *(b"unknown", b"description", b"longDescription", b"license", b"maintainers", b"platforms"),
    *(b"teams", b"homepage", b"identifiers", b"broken", b"outputsToInstall", b"position"),
    *(b"sourceProvenance", b"knownVulnerabilities", b"mainProgram"),
    *(b"k\xff", b"\\ud800", b"\\u0000", b""),
)
_PATHS = (b"odd", b"o\xffdd", b"o\\ud800d", b"", b"o\\u0000", b"a.b.c", b'\\"', b"[/x]")
_GOOD = 20
_AS_A_CHANNEL = 0.5


def _sample() -> dict[str, bytes]:
    text = (importlib.resources.files("fdnix.nixpkgs") / "sample.json").read_bytes()
    document = json.loads(text)
    entries = document.get("packages", document)
    return {name: json.dumps(entry).encode() for name, entry in entries.items()}


def odd_entry(chance: random.Random) -> bytes:
    """An entry, with its attribute path, of which something is wrong."""
    value, key = chance.choice(_ODD), chance.choice(_KEYS)
    path = chance.choice(_PATHS)
    meta = b'"meta":{"%s":%s,"description":"Odd"}' % (key, value)
    return chance.choice(
        [
            b'"%s":%s' % (path, value),
            b'"%s":{"name":"odd-1",%s}' % (path, meta),
            b'"%s":{"name":%s}' % (path, value),
            b'"%s":{"name":"odd-1","outputs":%s}' % (path, value),
            b'"%s":{"name":"odd-1","outputs":{"%s":%s}}' % (path, key, value),
            b'"%s":{"name":"odd-1","meta":%s}' % (path, value),
            b'"%s":{"name":"odd-1","%s":%s}' % (path, key, value),
            b'"%s":{"pname":%s,"version":%s}' % (path, value, value),
        ]
    )


@dataclass
class Outcome:
    """What a campaign found."""

    catalogues: int = 0
    failures: int = 0
    refused: int = 0
    lost: int = 0


def damaged(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes changed, lost or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(changed))
        changed[at : at + chance.choice([0, 1, 1, 50])] = chance.randbytes(chance.randint(0, 3))
    return bytes(changed)


def campaign(count: int, seed: int, directory: Path) -> Outcome:
    """Read `count` catalogues: half with odd entries among good ones, half with damaged bytes."""
    chance = random.Random(seed)
    sample = _sample()
    outcome = Outcome()
    path = directory / "packages"
    for number in steps(count):
        good = set(chance.sample(sorted(sample), _GOOD))
        members = [json.dumps(name).encode() + b":" + sample[name] for name in sorted(good)]
        whole = number % 2 == 0
        if whole:
            members += [odd_entry(chance) for _ in range(chance.randint(1, 3))]
            chance.shuffle(members)
        data = b"{" + b",".join(members) + b"}"
        if chance.random() < _AS_A_CHANNEL:
            data = b'{"version":"2","packages":' + data + b"}"
        data = chance.choice(_PACKED)(data)
        path.write_bytes(data if whole else damaged(data, chance))
        outcome.catalogues += 1
        _read(path, good if whole else set(), outcome)
    return outcome


def _read(path: Path, good: set[str], outcome: Outcome) -> None:
    """Read one catalogue, which should hold the `good` packages, and note what came of it."""
    found: set[str] = set()
    try:
        found = {p.package_id for p in decode(read_catalog(path)) if _embedded(p)}
    except DataError as error:
        outcome.refused += 1
        sys.stderr.write(f"{error}\n" if good else "")
    except Exception:  # noqa: BLE001 (that there is none is what is to be seen)
        outcome.failures += 1
        sys.stderr.write(f"{path.read_bytes()!r:.3000}\n{traceback.format_exc()}")
    outcome.lost += len(good - found)


def _embedded(row: object) -> bool:
    """Whether a row is a package, whose text can then be embedded and hashed."""
    if not isinstance(row, Package):
        return False
    text = embedding_text(
        row.package_id,
        row.pname,
        row.version,
        row.main_program,
        row.description,
        row.long_description,
    )
    return bool(content_hash(text))


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="how many catalogues")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn by")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        outcome = campaign(given.count, given.seed, Path(directory))
    print(
        f"{outcome.catalogues:,} catalogues: {outcome.failures} exceptions, {outcome.refused:,} "
        f"refused in words, {outcome.lost} good rows lost"
    )
    sys.exit(bool(outcome.failures or outcome.lost))


if __name__ == "__main__":
    main()
