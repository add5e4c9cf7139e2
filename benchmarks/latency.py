"""How long a search takes, query vector included, and the memory that many of them take."""

from __future__ import annotations

import json
import sys
from itertools import cycle, islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import quantiles
from time import perf_counter

import click

from fdnix.search import Filters, SearchIndex

TYPED = (
    "postgres", "ripgrap", "docker compose", "python requests", "python313Packages.numpy", "fd",
    "terminal file manager with previews", "convert heic to jpg", "editor license:mit -vim",
    "postgresql 17", "a library to read and write many image formats from the command line",
    "set:emacsPackages completion",
)  # fmt: skip
"""Queries of every shape, for when no file is given."""

MANY = 1000
"""After so many queries the peak memory is read."""


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--queries",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines with a `query`; by default a dozen of every shape.",
)
@click.option("--rounds", default=3, help="How often each query is asked.")
@click.option("--limit", default=200, help="How many queries of the file are asked.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, queries: Path | None, rounds: int, limit: int, as_json: bool) -> None:
    """Search DATABASE and print milliseconds, and the process's peak memory in MiB."""
    texts = _read(queries, limit) if queries else list(TYPED)
    started = perf_counter()
    with SearchIndex.open(database) as index:
        opened = perf_counter() - started
        index.search(texts[0])
        first = perf_counter() - started
        # The first with filters is planned then, as the first without was.
        first_filtered = _seconds(index, "editor license:mit", None)
        warm = [_seconds(index, text, None) for _ in range(rounds) for text in texts]
        free = Filters(free_only=True)
        filtered = [_seconds(index, text, free) for _ in range(rounds) for text in texts]
        for text in islice(cycle(texts), max(0, MANY - 2 * rounds * len(texts))):
            index.search(text)
    report = {
        "opening": round(opened * 1000, 1),
        "opening and first": round(first * 1000, 1),
        "first filtered": round(first_filtered * 1000, 1),
        **_percentiles("warm", warm),
        **_percentiles("filtered", filtered),
        "peak MiB": round(_peak_mib(), 1),
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        for name, value in report.items():
            click.echo(f"{name:20} {value:8.1f}{'' if name.endswith('MiB') else ' ms'}")


def _read(path: Path, limit: int) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    step = max(1, len(lines) // limit)
    return [json.loads(line)["query"] for line in lines[::step]]


def _seconds(index: SearchIndex, text: str, filters: Filters | None) -> float:
    started = perf_counter()
    index.search(text, filters=filters)
    return perf_counter() - started


def _peak_mib() -> float:
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of either).
    return getrusage(RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {
        f"{name}, p50": round(cuts[49] * 1000, 1),
        f"{name}, p99": round(cuts[98] * 1000, 1),
    }


if __name__ == "__main__":
    main()
