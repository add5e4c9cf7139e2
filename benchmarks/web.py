"""How `fdnix serve` holds out: clients in a loop, while the index is replaced under it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from urllib.parse import quote_plus

import click
import httpx

QUERIES = (
    "ripgrep",
    "terminal file manager",
    "postgresql",
    "python requests",
    "convert heic to jpg",
    "web server",
    "firefox",
    "music player license:gpl-3.0",
    "docker compose",
    "password manager",
    "note taking",
    "emacs magit",
)
ALLOWED = 8
"""How often the median of one client the slowest hundredth of several may take."""


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--clients", type=click.IntRange(1), default=8, help="How many ask at once.")
@click.option("--seconds", type=click.IntRange(1), default=60, help="For how long.")
@click.option("--replace", type=click.IntRange(0), default=20, help="How often it is replaced.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, clients: int, seconds: int, replace: int, as_json: bool) -> None:
    """Ask a server over DATABASE as people type, and print times in milliseconds.

    First one client alone, then several; meanwhile copies of the file are renamed over it.
    """
    with TemporaryDirectory(dir=database.parent) as name:
        served = Path(name) / "fdnix.duckdb"
        shutil.copyfile(database, served)
        command = [sys.executable, "-m", "fdnix", "serve", "--db", str(served), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = (server.stdout.readline() if server.stdout else "").split()[-1]
                report = _measured(url, served, clients, seconds, replace)
            finally:
                server.terminate()
    if as_json:
        click.echo(json.dumps(report))
    else:
        for key, value in report.items():
            click.echo(f"{key:36} {value:10,.1f}")
    if report["failed"] or report["p99 / median of one"] > ALLOWED:
        sys.exit(1)


def _measured(url: str, served: Path, clients: int, seconds: int, replace: int) -> dict[str, float]:
    typed = [query[:end] for query in QUERIES for end in range(1, len(query) + 1)]
    alone: list[float] = []
    failed: list[str] = []
    # Once through, so that everything is warm; then again, with answers that are not remembered.
    warm: list[float] = []
    for limit, times in ((20, warm), (21, alone)):
        _ask(url, typed, time.monotonic() + 1000, times, failed, limit=limit)
    several: list[float] = []
    until = time.monotonic() + seconds
    random.seed(13)
    threads = [
        threading.Thread(
            target=_loop, args=(url, random.sample(typed, len(typed)), until, several, failed)
        )
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for number in range(replace):
        time.sleep(max(0, (until - time.monotonic()) / (replace - number + 1)))
        fresh = served.with_name("fresh")
        shutil.copyfile(served, fresh)
        os.replace(fresh, served)  # noqa: PTH105 (the call that is measured)
    for thread in threads:
        thread.join()
    swaps = next(
        float(line.split()[1])
        for line in httpx.get(f"{url}metrics").text.splitlines()
        if line.startswith("fdnix_index_swaps ")
    )
    slowest = quantiles(several, n=100)[98]
    return {
        "one client, median": 1000 * median(alone),
        "several clients, median": 1000 * median(several),
        "several clients, p99": 1000 * slowest,
        "p99 / median of one": slowest / median(alone),
        "requests a second": len(several) / seconds,
        "requests": len(several),
        "replaced": swaps,
        "failed": len(failed),
    }


def _loop(
    url: str, queries: list[str], until: float, times: list[float], failed: list[str]
) -> None:
    while time.monotonic() < until:
        _ask(url, queries, until, times, failed)


def _ask(
    url: str,
    queries: list[str],
    until: float,
    times: list[float],
    failed: list[str],
    *,
    limit: int = 20,
) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        for query in queries:
            if time.monotonic() > until:
                return
            started = time.perf_counter()
            try:
                answer = client.get(f"/api/v1/search?q={quote_plus(query)}&limit={limit}")
            except httpx.HTTPError as error:
                failed.append(str(error))
                continue
            times.append(time.perf_counter() - started)
            if answer.status_code != httpx.codes.OK:
                failed.append(answer.text)


if __name__ == "__main__":
    main()
