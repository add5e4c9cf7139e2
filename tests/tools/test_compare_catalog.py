"""What a full database holds is what its catalogue says, told by a script of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from support.catalogues import settings_in

if TYPE_CHECKING:
    from fdnix.settings import Settings

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "src" / "fdnix" / "nixpkgs" / "sample.json"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("sample"), processing_mode="metadata")
    pipeline.run(settings)
    return settings


def compare(database: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "compare_catalog.py"), str(SAMPLE), str(database)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_is_indexed_without_a_difference(sample: Settings) -> None:
    done = compare(sample.output_path)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE packages SET description = 'Else' WHERE package_id = 'ripgrep'",
         "ripgrep: description: expected"),
        ("UPDATE packages SET unfree = NOT unfree WHERE package_id = 'ripgrep'",
         "ripgrep: unfree: expected False, found True"),
        ("UPDATE packages SET maintainers = maintainers[2:] WHERE package_id = 'ripgrep'",
         "ripgrep: maintainers: expected"),
        ("DELETE FROM packages WHERE package_id = 'ripgrep'", "ripgrep: is missing"),
    ],
)  # fmt: skip
def test_a_difference_is_named(sample: Settings, tmp_path: Path, change: str, said: str) -> None:
    changed = tmp_path / "changed.duckdb"
    changed.write_bytes(sample.output_path.read_bytes())
    with connect(changed) as connection:
        connection.execute(change)
    done = compare(changed)
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    assert line.startswith(said)
