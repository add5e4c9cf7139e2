"""Throws random queries at an index: none may end in an exception, none may take long.

Example: PYTHONPATH=src:tests python tests/campaigns/queries.py out/fdnix.duckdb --count 50000
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from campaigns.steps import steps
from fdnix.database.connection import connect
from fdnix.search import SearchIndex
from fdnix.search.filters import FILTERS

_ODD = (
    *("\v", "\u00a0", "\t", "\n", "\0", "\u2028", "\ud800", "\ufeff", "\u202e", "🦀"),
    *("é", "e\u0301", "日本", *"\"'-:;%_\\()[]{}*?+#@$&|<>/~`^", "' OR 1=1 --", "nixpkgs#"),
    *("--", '""', '-"', "::", "-:", "is:", "-is:", '"-', "${x}", "{x}"),
)
_WORDS = [
    "editor",
    "terminal",
    "file",
    "c++",
    "c#",
    "python3",
    "postgresql_17",
    "a",
    "e",
    "of",
    "the",
    "library",
    "vim",
    "x264",
    "lib",
]
_VALUES = ["mit", "gpl", "x", '"a b"', '""', "linux", "python313Packages", "ada", "é", "-", "free"]
_ON_THE_EDGE = 2


def query(chance: random.Random, words: list[str]) -> str:
    """A query of words, filters, phrases, exclusions and rubbish, of up to 1,100 characters."""
    kinds = (
        lambda: chance.choice(words),
        lambda: "-" + chance.choice(words),
        lambda: (
            chance.choice(["", "-"])
            + chance.choice([row.key for row in FILTERS if not row.is_flag])
            + ":"
            + chance.choice(_VALUES)
        ),
        lambda: (
            chance.choice(["is:", "-is:"])
            + chance.choice([row.key for row in FILTERS if row.is_flag] + ["fre"])
        ),
        lambda: (
            chance.choice(["", "-"])
            + '"'
            + " ".join(chance.choices(words, k=chance.randint(1, 3)))
            + '"'
        ),
        lambda: "".join(chance.choices(_ODD, k=chance.randint(1, 5))),
        lambda: "".join(chr(chance.randint(1, 0x2FFF)) for _ in range(chance.randint(1, 8))),
        lambda: "-" + "".join(chance.choices("aeiostnr", k=chance.randint(1, 2))),
    )
    chosen = chance.choices(kinds, k=chance.randint(1, len(kinds)))
    size = chance.choice([1, 3, 10, 50, 400])
    parts = [chance.choice(chosen)() for _ in range(chance.randint(1, size))]
    return chance.choice([" ", " ", " ", "\v", "\u00a0", ""]).join(parts)[
        : chance.choice([100, 1000, 1100])
    ]


@dataclass
class Outcome:
    """What a campaign found; times are in seconds of CPU."""

    queries: int = 0
    failures: int = 0
    differences: int = 0
    compared: int = 0
    slowest: float = 0.0
    slowest_query: str = ""


def campaign(path: Path, count: int, seed: int, compare: int) -> Outcome:
    """Ask `count` queries, every `compare`th of them through the macro too."""
    chance = random.Random(seed)
    outcome = Outcome()
    with SearchIndex.open(path) as index, connect(path, read_only=True, extensions=()) as client:
        known = client.execute("SELECT word FROM search_vocabulary USING SAMPLE 2000").fetchall()
        words = _WORDS + [word for (word,) in known]
        for number in steps(count):
            text = query(chance, words)
            outcome.queries += 1
            before = time.process_time()
            try:
                found = index.search(text, limit=10)
            except Exception:  # noqa: BLE001 (that there is none is what is to be seen)
                outcome.failures += 1
                sys.stderr.write(f"{text!a}\n{traceback.format_exc()}\n")
                continue
            took = time.process_time() - before
            if took > outcome.slowest:
                outcome.slowest, outcome.slowest_query = took, text
            if compare and number % compare == 0:
                outcome.compared += 1
                sent = text.encode("utf-8", "replace").decode().replace("\0", " ")
                rows = client.execute(
                    "SELECT package_id, total FROM fdnix_search(?, max_hits := 10)", [sent]
                ).fetchall()
                # Sums of floating-point numbers, in another order, decide what is just near enough.
                near = all(abs(total - found.total) <= _ON_THE_EDGE for _, total in rows)
                if not near or [name for name, _ in rows] != [h.package_id for h in found.hits]:
                    outcome.differences += 1
                    sys.stderr.write(f"{text!a}\n{rows}\n{[h.package_id for h in found.hits]}\n")
    return outcome


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("index", type=Path, help="a minified database")
    parser.add_argument("--count", type=int, default=50_000, help="how many queries")
    parser.add_argument("--seed", type=int, default=1, help="what the queries are drawn by")
    parser.add_argument(
        "--compare", type=int, default=100, help="ask every Nth in SQL too; 0: none"
    )
    given = parser.parse_args()
    outcome = campaign(given.index, given.count, given.seed, given.compare)
    print(
        f"{outcome.queries:,} queries, {outcome.failures} exceptions, {outcome.compared:,} "
        f"compared with {outcome.differences} differences; slowest {outcome.slowest:.3f} s of CPU: "
        f"{outcome.slowest_query!a}"
    )
    sys.exit(bool(outcome.failures or outcome.differences))


if __name__ == "__main__":
    main()
