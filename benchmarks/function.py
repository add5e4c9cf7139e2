"""What the Lambda function costs on one processor: its start, its answers and its memory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from urllib.parse import quote_plus

import click

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.lambda_runtime import running, unzipped_function, unzipped_layer, why_not_confined
from web import QUERIES

MOST_SECONDS = 1.2
MOST_BYTES = 512_000_000


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--starts", type=click.IntRange(1), default=10, help="How often it starts.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, starts: int, as_json: bool) -> None:
    """Run the function over the layer of DATABASE, confined as Lambda does, and print its cost.

    One more start goes before those that count: it brings the files into memory.
    """
    if reason := why_not_confined():
        raise click.ClickException(reason)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    typed = [query[:end] for query in QUERIES for end in range(1, len(query) + 1)]
    cold: list[float] = []
    with TemporaryDirectory() as name:
        task, layer = unzipped_function(Path(name)), unzipped_layer(Path(name), database)
        for _ in range(starts + 1):
            started = perf_counter()
            with running(task, layer, confined=True) as function:
                function("/api/v1/search", "q=terminal+file+manager")
                cold.append(perf_counter() - started)
        with running(task, layer, confined=True) as function:
            function("/api/v1/search", "q=terminal+file+manager")
            warm = {}
            for path in ("/api/v1/search", "/"):
                times = []
                for query in typed:
                    started = perf_counter()
                    function(path, f"q={quote_plus(query)}")
                    times.append(1000 * (perf_counter() - started))
                warm[f"warm {path}, median, ms"] = median(times)
                warm[f"warm {path}, p99, ms"] = quantiles(times, n=100)[98]
            peak = function.peak_bytes()
    report = {
        "start to first answer, median, s": median(cold[1:]),
        "start to first answer, most, s": max(cold[1:]),
        **warm,
        "memory, pages of files included, MB": peak / 1e6,
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        for key, value in report.items():
            click.echo(f"{key:40} {value:10.3f}")
    if median(cold[1:]) > MOST_SECONDS or peak > MOST_BYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
