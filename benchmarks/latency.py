"""How long a search takes: the first after opening, and warm ones, query vector included."""

from __future__ import annotations

import json
from pathlib import Path
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
    """Search DATABASE and print milliseconds."""
    texts = _read(queries, limit) if queries else list(TYPED)
    started = perf_counter()
    with SearchIndex.open(database) as index:
        index.search(texts[0])
        first = perf_counter() - started
        warm = [_seconds(index, text, None) for _ in range(rounds) for text in texts]
        free = Filters(free_only=True)
        filtered = [_seconds(index, text, free) for _ in range(rounds) for text in texts]
    report = {
        "first, opening included": round(first * 1000, 1),
        **_percentiles("warm", warm),
        **_percentiles("filtered", filtered),
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        for name, value in report.items():
            click.echo(f"{name:26} {value:8.1f} ms")


def _read(path: Path, limit: int) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    step = max(1, len(lines) // limit)
    return [json.loads(line)["query"] for line in lines[::step]]


def _seconds(index: SearchIndex, text: str, filters: Filters | None) -> float:
    started = perf_counter()
    index.search(text, filters=filters)
    return perf_counter() - started


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {
        f"{name}, p50": round(cuts[49] * 1000, 1),
        f"{name}, p99": round(cuts[98] * 1000, 1),
    }


if __name__ == "__main__":
    main()
