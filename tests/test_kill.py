"""SIGKILL in every phase: the previous artifacts stay as they are, and the next run completes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from campaigns import kills
from fdnix import pipeline
from support.artifacts import run_arguments, verify
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from fdnix.settings import Settings

ROOT = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT.parent / 'src'}:{ROOT}"}

PLACES = {
    "decoding": "fdnix.pipeline:read_catalog",
    "normalising": "fdnix.pipeline:decode",
    "inserting packages": "fdnix.database.full:package_table",
    "taking vectors over": "fdnix.database.full:_take_over_vectors",
    "embedding": "fdnix.embedding.phase:_vector_table",
    "before the HNSW index": "fdnix.embedding.phase:create_hnsw",
    "after the HNSW index": "fdnix.embedding.phase:measure_recall",
    "copying the vectors": "fdnix.search.minify:attach",
    "before the full-text index": "fdnix.search.build:create_fts",
    "after the full-text index": "fdnix.search.minify:measure_recall",
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the artifacts of a run over forty packages."""
    directory = tmp_path_factory.mktemp("before")
    source = write_catalogue(directory / "packages.json", entries(40))
    pipeline.run(settings_in(directory, source))
    return directory


@pytest.fixture
def settings(before: Path, tmp_path: Path) -> Settings:
    """The settings of a run over fifty packages, beside those artifacts."""
    directory = tmp_path / "out"
    shutil.copytree(before, directory)
    return settings_in(directory, write_catalogue(directory / "packages.json", entries(50)))


def finish(settings: Settings) -> None:
    """The same run again completes, and leaves nothing but the artifacts."""
    report = pipeline.run(settings)
    assert report.minified
    assert report.minified.packages == 50
    assert report.minified.vectors == 50
    verify(settings, packages={50})
    assert {path.name for path in settings.output_path.parent.iterdir()} == {
        "packages.json",
        "fdnix-data.duckdb",
        "fdnix.duckdb",
    }


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_kill_leaves_whole_artifacts_and_the_next_run_completes(
    place: str, settings: Settings
) -> None:
    minified = settings.output_minified_path.read_bytes()
    killed = subprocess.run(
        [sys.executable, "-m", "support.killed", place, *run_arguments(settings)],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert settings.output_minified_path.read_bytes() == minified
    verify(settings, packages={40, 50})
    finish(settings)


@pytest.mark.parametrize("phase", ["metadata", "embedding", "minified"])
def test_a_kill_before_the_rename_leaves_the_artifact_byte_for_byte(
    phase: str, settings: Settings
) -> None:
    for earlier in ("metadata", "embedding", "minified"):
        if earlier == phase:
            break
        pipeline.run(settings.replace(processing_mode=earlier))
    files = (settings.output_path, settings.output_minified_path)
    contents = [path.read_bytes() for path in files]
    killed = subprocess.run(
        [
            *(sys.executable, "-m", "support.killed", "fdnix.database.atomic:_put_in_place"),
            *run_arguments(settings),
            f"--mode={phase}",
        ],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(list(settings.output_path.parent.glob("*.building"))) == 1
    assert [path.read_bytes() for path in files] == contents
    finish(settings)


def test_a_kill_while_the_catalogue_comes_in_loses_nothing(settings: Settings) -> None:
    contents = settings.output_path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "fdnix", *run_arguments(settings), "--source=-"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin
        # More than a pipe holds: it is written once part of it has been read.
        process.stdin.write(b" " * 1_000_000)
        process.stdin.flush()
        process.kill()
    assert settings.output_path.read_bytes() == contents
    finish(settings)


def test_signals_at_any_moment_harm_nothing_and_leave_nothing_behind() -> None:
    signals = [signal.SIGKILL, random.choice([signal.SIGTERM, signal.SIGINT])]
    with kills.place(aws=False) as where:
        outcome = kills.campaign(where, signals, seed=random.randrange(1000))
    assert outcome.runs == 2
    assert outcome.faults == []
