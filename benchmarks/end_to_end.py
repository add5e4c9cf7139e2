"""Measures the whole main job on a catalogue, against the bars it is held to.

Every step runs in a process of its own, so that its time and its peak memory are its own. Texts
are embedded by the bare model in one call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MEBIBYTE = 1 << 20

LOAD_JSON = """
import json, sys, time
with open(sys.argv[1], "rb") as file:
    started = time.perf_counter()
    document = json.load(file)
    print(json.dumps({"seconds": time.perf_counter() - started}))
"""

DECOMPRESS = """
import sys
from pathlib import Path
from fdnix.nixpkgs.catalog import _decompressed
source, target = map(Path, sys.argv[1:])
target.write_bytes(_decompressed(source.read_bytes(), str(source)))
"""

TEXTS = """
import json, sys
from pathlib import Path
from fdnix.database.connection import connect
from fdnix.embedding.phase import pending_texts
with connect(Path(sys.argv[1]), read_only=True) as connection:
    Path(sys.argv[2]).write_text(json.dumps([text.text for text in pending_texts(connection)]))
"""

EMBED_BARE = """
import json, sys, time
from pathlib import Path
from fdnix.embedding.local import LocalEmbedder
texts = json.loads(Path(sys.argv[1]).read_text())
model = LocalEmbedder()
model.embed(texts[:100])
started = time.perf_counter()
model.embed(texts)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""

EMBED_OURS = """
import json, sys, time
from itertools import islice
from pathlib import Path
from fdnix.embedding import backend, local
texts = json.loads(Path(sys.argv[1]).read_text())
embedder = local.LocalEmbedder()
embedder.embed(texts[:100])
started = time.perf_counter()
rows = (backend.Text(str(i), text) for i, text in enumerate(texts))
vectors = sum(len(chunk.vectors) for chunk in backend.at_once(embedder).vectors(rows, len(texts)))
print(json.dumps({"seconds": time.perf_counter() - started, "vectors": vectors}))
"""

CHECK = """
import json, sys
from pathlib import Path
from fdnix.database.connection import connect
from fdnix.database.full import verify_counts
from fdnix.database.hnsw import measure_recall, verify_hnsw_plan
from fdnix.search.fts import verify_fts
path = Path(sys.argv[1])
with connect(path, read_only=True) as connection:
    verify_counts(connection, path)
    verify_fts(connection, path, macro="packages_fts_idx")
    verify_hnsw_plan(connection, path)
    print(json.dumps({"recall": measure_recall(connection, path)}))
"""


@dataclass(frozen=True)
class Step:
    """What a process took: wall clock and CPU seconds, peak memory in MiB, and what it printed."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    said: dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A measure, what it may be, and what it is."""

    measure: str
    bar: str
    measured: str
    met: bool


def step(*arguments: object) -> Step:
    """Run Python with these arguments to its end; standard error goes where ours goes."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("no pipe")
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a step failed with exit code {process.returncode}: {arguments[:3]}")
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of either).
    unit = 1 if sys.platform == "darwin" else 1024
    return Step(
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * unit / MEBIBYTE,
        json.loads(said) if said.strip() else {},
    )


def measure(catalogue: Path, directory: Path) -> tuple[dict[str, Step], dict[str, int]]:
    """Run every step over `catalogue`, with files in `directory`: the steps and the file sizes."""
    document, texts = directory / "packages.json", directory / "texts.json"
    full, minified = directory / "fdnix-data.duckdb", directory / "fdnix.duckdb"
    apart = directory / "apart.duckdb"
    run = ("-m", "fdnix", "run", "--json", f"--source={catalogue}", f"--output={full}")
    steps = {}
    step("-c", DECOMPRESS, catalogue, document)
    # One after the other, so that both see the same machine.
    steps["json.load"] = step("-c", LOAD_JSON, document)
    metadata = ("-m", "fdnix", "metadata", "--json", f"--source={catalogue}", f"--output={apart}")
    steps["metadata alone"] = step(*metadata)
    step("-c", TEXTS, apart, texts)
    steps["bare model"] = step("-c", EMBED_BARE, texts)
    steps["embedding without index"] = step("-c", EMBED_OURS, texts)
    steps["all phases"] = step(*run, f"--minified={minified}")
    steps["second run"] = step(*run, f"--minified={minified}")
    steps["check"] = step("-c", CHECK, minified)
    return steps, {"full": full.stat().st_size, "minified": minified.stat().st_size}


def bars(steps: dict[str, Step], sizes: dict[str, int], packages: int) -> list[Bar]:
    """Hold what was measured against what it may be."""
    load, metadata = steps["json.load"], steps["metadata alone"]
    bare, ours = steps["bare model"], steps["embedding without index"]
    everything, second = steps["all phases"], steps["second run"]
    report, again = everything.said, second.said
    phase = metadata.said["seconds"]["metadata"]
    loading = load.said["seconds"]
    embedding = ours.said["seconds"] / bare.said["seconds"]
    rows, rejected = report["metadata"]["packages"], report["metadata"]["rejected"]
    recall = steps["check"].said["recall"]
    return [
        Bar(
            "packages in, rows out",
            f"{packages:,}, rejected 0",
            f"{rows:,}, rejected {rejected:,}",
            (rows, rejected) == (packages, 0),
        ),
        Bar(
            "metadata phase",
            f"json.load: {loading:.2f} s",
            f"{phase:.2f} s ({phase / loading:.2f} x)",
            phase <= loading,
        ),
        Bar(
            "metadata phase, peak memory",
            "1,500 MB",
            f"{metadata.peak_mib * MEBIBYTE / 1e6:,.0f} MB",
            metadata.peak_mib * MEBIBYTE <= 1.5e9,
        ),
        Bar(
            "local embedding without index",
            f"2 x the bare model: {2 * bare.said['seconds']:.1f} s",
            f"{ours.said['seconds']:.1f} s ({embedding:.2f} x)",
            embedding <= 2,
        ),
        Bar("all phases", "150 s", f"{everything.seconds:.1f} s", everything.seconds <= 150),
        Bar(
            "all phases, peak memory",
            "2,500 MB",
            f"{everything.peak_mib * MEBIBYTE / 1e6:,.0f} MB",
            everything.peak_mib * MEBIBYTE <= 2.5e9,
        ),
        Bar(
            "second run",
            f"half: {everything.seconds / 2:.1f} s",
            f"{second.seconds:.1f} s ({second.seconds / everything.seconds:.2f} x)",
            second.seconds <= everything.seconds / 2,
        ),
        Bar(
            "texts embedded by the second run",
            "0",
            str(again["embedding"]["embedded"]),
            again["embedding"]["embedded"] == 0,
        ),
        Bar(
            "minified file",
            "125,000,000 bytes",
            f"{sizes['minified']:,} bytes",
            sizes["minified"] <= 125_000_000,
        ),
        Bar(
            "HNSW scan in the plan, recall@10, read-only",
            "0.95",
            f"{recall:.3f}",
            recall >= 0.95,
        ),
    ]


def main() -> None:
    """Measure, print, and end with exit code 1 if a bar is not met."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Example: python benchmarks/end_to_end.py --packages 84039 packages.json.br",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("catalogue", type=Path, help="a packages.json, compressed or not")
    parser.add_argument(
        "--packages", type=int, help="how many it lists (default: what fdnix finds)"
    )
    parser.add_argument("--directory", type=Path, help="where files go (default: a temporary one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        steps, sizes = measure(arguments.catalogue.absolute(), Path(directory))
    report = steps["all phases"].said["metadata"]
    packages = arguments.packages or report["packages"] + report["rejected"]
    table = bars(steps, sizes, packages)
    if arguments.json:
        result = {
            "cpus": os.cpu_count(),
            "bars": [asdict(bar) for bar in table],
            "steps": {name: asdict(taken) for name, taken in steps.items()},
            "bytes": sizes,
        }
        print(json.dumps(result, indent=2))
    else:
        widths = [max(len(getattr(bar, name)) for bar in table) for name in ("measure", "bar")]
        for bar in table:
            met = "met" if bar.met else "MISSED"
            print(f"{bar.measure:{widths[0]}}  {bar.bar:{widths[1]}}  {bar.measured}  {met}")
        print()
        for name, taken in steps.items():
            print(
                f"{name:24} {taken.seconds:7.1f} s  {taken.cpu_seconds:7.1f} s CPU "
                f"{taken.peak_mib:7.0f} MiB"
            )
        for phase, seconds in steps["all phases"].said["seconds"].items():
            print(f"  {phase:22} {seconds:7.1f} s")
    sys.exit(not all(bar.met for bar in table))


if __name__ == "__main__":
    main()
