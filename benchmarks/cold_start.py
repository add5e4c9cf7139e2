"""What one `fdnix search` costs as a process: CPU and wall time, the start of Python included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import click


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--query", default="terminal file manager with previews", help="What is searched.")
@click.option("--runs", type=click.IntRange(1), default=15, help="How many processes are started.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, query: str, runs: int, as_json: bool) -> None:
    """Search DATABASE in processes of their own, one after another, and print seconds.

    One more process goes before them and is not counted: it brings the files into memory.
    """
    report: dict[str, float] = {}
    for name, arguments in {
        "search": ("search", "--db", str(database), query),
        "search --help": ("search", "--help"),
    }.items():
        _, *measured = [_run(arguments) for _ in range(runs + 1)]
        for kind, seconds in zip(("CPU", "wall"), zip(*measured, strict=True), strict=True):
            report[f"{name}, {kind}, median"] = round(median(seconds), 3)
            report[f"{name}, {kind}, most"] = round(max(seconds), 3)
    if as_json:
        click.echo(json.dumps(report))
    else:
        for name, value in report.items():
            click.echo(f"{name:28} {value:7.3f} s")


def _run(arguments: tuple[str, ...]) -> tuple[float, float]:
    """The CPU seconds, of user and system, and the wall seconds of one command."""
    command = [sys.executable, "-m", "fdnix", *arguments]
    before, started = os.times(), perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after, wall = os.times(), perf_counter() - started
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system, wall


if __name__ == "__main__":
    main()
