"""A full run and a nightly one against a local AWS, beside a local run of the same catalogue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brotli
import click

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CATALOGUE = "nixpkgs-26.11/packages.json.br"
MAX_TIME_RATIO = 1.3
MAX_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Row:
    """One run: wall seconds, those of them that the emulator worked, peak memory, and records."""

    run: str
    seconds: float
    emulator_seconds: float
    peak_bytes: int
    embedded: int
    reused: int
    records_asked: int
    records_paid_twice: int


@contextmanager
def local_aws() -> Iterator[dict[str, str]]:
    """The environment of a local AWS, in a process of its own."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-m", "support.local_aws"],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker
    environment: dict[str, str] = {}
    for line in process.stdout:
        name, _, value = line.strip().partition("=")
        environment[name] = value
        if name == "BEDROCK_POLL_INTERVAL":
            break
    try:
        yield environment
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def statistics(environment: dict[str, str]) -> dict[str, Any]:
    """What the Bedrock emulator counted so far."""
    url = environment["AWS_ENDPOINT_URL_BEDROCK"] + "/_statistics"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - a loopback URL
        counted: dict[str, Any] = json.load(answer)
    return counted


def run(name: str, source: Path, out: Path, environment: dict[str, str]) -> Row:
    """Run all phases into the new directory `out`."""
    command = [sys.executable, "-m", "fdnix", "run", "--json", "--source", str(source)]
    command += ["--output", str(out / "full.duckdb"), "--minified", str(out / "min.duckdb")]
    out.mkdir()
    before = statistics(environment) if environment else {}
    started = time.perf_counter()
    with (out / "report.json").open("wb") as report:
        process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment,
            stdout=report,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise click.ClickException(f"the run {name!r} ended with {status}")
    after = statistics(environment) if environment else {}
    embedding = json.loads((out / "report.json").read_bytes())["embedding"]
    return Row(
        run=name,
        seconds=round(seconds, 1),
        emulator_seconds=round(after.get("seconds", 0) - before.get("seconds", 0), 1),
        peak_bytes=usage.ru_maxrss * 1024,
        embedded=embedding["embedded"],
        reused=embedding["reused"],
        records_asked=after.get("asked", 0) - before.get("asked", 0),
        records_paid_twice=after.get("charged_twice", 0),
    )


def changed(source: Path, count: int, to: Path) -> Path:
    """The catalogue with `count` of its descriptions changed, spread over it."""
    document = json.loads(brotli.decompress(source.read_bytes()))
    entries = list(document["packages"].values())
    for entry in entries[:: len(entries) // count][:count]:
        entry["meta"]["description"] = f"Changed: {entry['name']}"
    to.write_text(json.dumps(document), encoding="utf-8")
    return to


@click.command()
@click.option(
    "--catalogue",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A packages.json.br; the default is the one in FDNIX_TEST_DATA.",
)
@click.option("--changed", "count", default=40, show_default=True, help="Packages changed nightly.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def main(*, catalogue: Path | None, count: int, as_json: bool) -> None:
    """Compare runs against a local AWS with a local run.

    Ends with 1 if a bar is missed: without the emulator's time at most 1.3 times the local run,
    at most 2 GB, nothing paid for twice, and nightly exactly the changed texts asked for.
    """
    data = os.environ.get("FDNIX_TEST_DATA")
    if catalogue is None and data is None:
        raise click.UsageError("give --catalogue or set FDNIX_TEST_DATA")
    source = catalogue or Path(str(data)) / CATALOGUE
    with tempfile.TemporaryDirectory() as directory, local_aws() as aws:
        here = Path(directory)
        stored = aws | {"DUCKDB_DATA_KEY": "full.duckdb", "DUCKDB_MINIFIED_KEY": "min.duckdb"}
        # In a process of its own: a child's peak memory begins with that of its parent.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            nightly = pool.submit(changed, source, count, here / "nightly.json").result()
        rows = [
            run("local", source, here / "local", {}),
            run("AWS, full", source, here / "first", stored),
            run("AWS, nightly", nightly, here / "second", stored),
        ]
    local, full, night = rows
    ratio = (full.seconds - full.emulator_seconds) / local.seconds
    if as_json:
        click.echo(json.dumps({"rows": [asdict(row) for row in rows], "ratio": ratio}, indent=2))
    else:
        click.echo(
            f"{'run':<13}{'s':>8}{'emulator s':>12}{'peak MB':>9}{'embedded':>10}{'reused':>8}"
            f"{'asked':>8}{'paid twice':>12}"
        )
        for row in rows:
            click.echo(
                f"{row.run:<13}{row.seconds:>8.1f}{row.emulator_seconds:>12.1f}"
                f"{row.peak_bytes / 1e6:>9.0f}{row.embedded:>10,}{row.reused:>8,}"
                f"{row.records_asked:>8,}{row.records_paid_twice:>12}"
            )
        click.echo(f"time without the emulator's, to the local run's: {ratio:.2f}")
    missed = (
        ratio > MAX_TIME_RATIO
        or max(full.peak_bytes, night.peak_bytes) > MAX_BYTES
        or night.records_paid_twice > 0
        or night.records_asked != night.embedded
        or night.embedded > count
    )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
