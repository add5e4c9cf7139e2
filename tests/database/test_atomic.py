"""Files are replaced only by whole ones."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.database.atomic import building, run_over
from fdnix.database.connection import connect
from fdnix.database.full import verify_counts
from fdnix.errors import DataError, SettingsError
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.settings import Settings


def write_some(path: Path, rows: int = 3, *, meta: bool = True) -> None:
    with connect(path) as connection:
        connection.execute("CREATE TABLE t AS FROM range(?)", [rows])
        if meta:
            connection.execute("CREATE TABLE fdnix_meta (key VARCHAR, value VARCHAR)")


def rows_of(path: Path) -> int:
    with connect(path, read_only=True) as connection:
        return len(connection.execute("FROM t").fetchall())


def test_a_build_that_ends_well_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new/db"
    for rows in (3, 5):
        with building(path) as part:
            write_some(part, rows)
        assert rows_of(path) == rows
        assert list(path.parent.iterdir()) == [path]


def test_a_build_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write_some(path)
    before = path.read_bytes()

    def fail() -> None:
        with building(path) as part:
            write_some(part)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_build_left_is_no_part_of_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "db"
    (tmp_path / "db.building").write_bytes(b"half")
    (tmp_path / "db.building.wal").write_bytes(b"a log")
    with building(path) as part:
        write_some(part)
    assert rows_of(path) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_two_builds_of_one_file_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with building(path) as part:
        write_some(part)
        with pytest.raises(DataError, match="another fdnix is building this file; wait"):
            building(path).__enter__()
    assert rows_of(path) == 3


def test_two_runs_at_once_end_with_whole_artifacts(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(60)))
    command = [
        *(sys.executable, "-m", "fdnix", "run", f"--source={settings.nixpkgs_source}"),
        *(f"--output={settings.output_path}", f"--minified={settings.output_minified_path}"),
    ]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    runs = [
        subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [run.communicate()[1].decode() for run in runs]
    codes = [run.returncode for run in runs]
    # The second may come just after the first has ended a phase, and succeed.
    assert sorted(codes) in ([0, 0], [0, 4]), errors
    for code, error in zip(codes, errors, strict=True):
        assert code == 0 or "another fdnix" in error, error
    for path in (settings.output_path, settings.output_minified_path):
        with connect(path, read_only=True) as connection:
            verify_counts(connection, path)


@pytest.mark.parametrize("content", [b"a letter to my aunt", b"", bytes(4096)])
def test_only_an_empty_file_or_a_database_is_ever_replaced(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    if not content:
        with building(path) as part:
            write_some(part)
        assert rows_of(path) == 3
        return
    with pytest.raises(SettingsError, match="is no DuckDB database and is not replaced"):
        building(path).__enter__()
    assert path.read_bytes() == content


def test_a_directory_or_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no regular file"):
        building(tmp_path).__enter__()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file: cannot be made"):
        building(tmp_path / "file/db").__enter__()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_directory_that_may_not_be_written_to_is_refused() -> None:
    # Not even root makes files there.
    with pytest.raises(SettingsError, match="/proc: cannot be written to"):
        building(Path("/proc/db")).__enter__()


def test_a_full_disk_is_one_message_and_the_artifact_stays(indexed: Settings) -> None:
    before = indexed.output_path.read_bytes()
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "fdnix", "metadata", "--source=sample"),
            f"--output={indexed.output_path}",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        # The file may not grow above a megabyte.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "could not be built" in ended.stderr
    assert indexed.output_path.read_bytes() == before
    assert not list(indexed.output_path.parent.glob("*.building*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 9 MB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may mount no tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_too_small_is_named_with_what_is_needed(small_disk: Path) -> None:
    full, minified = small_disk / "full.duckdb", small_disk / "minified.duckdb"
    command = [
        *(sys.executable, "-m", "fdnix", "run", "--source=sample"),
        *(f"--output={full}", f"--minified={minified}"),
    ]
    # There is room for the full database of the sample, not for the minified one beside it.
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert re.search(r"No space left.*the disk has [\d,]+ bytes for it, and it takes", ended.stderr)
    assert [path.name for path in small_disk.iterdir()] == ["full.duckdb"]
    with (small_disk / "other").open("wb") as other:
        other.write(bytes(disk_usage(small_disk).free - 1_000_000))
    again = subprocess.run([*command, "--force"], capture_output=True, text=True, check=False)
    assert again.returncode == 2, again.stderr
    assert re.search(r"bytes are free there, and this run needs about \d,\d{3},\d{3}", again.stderr)
    assert re.search(r"and it takes about \d,\d{3},\d{3}: make room", again.stderr)
    assert {path.name for path in small_disk.iterdir()} == {"full.duckdb", "other"}


def test_the_database_of_another_program_is_not_replaced(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, processing_mode="metadata")
    write_some(settings.output_path, meta=False)
    with pytest.raises(DataError, match="is not an fdnix database"):
        pipeline.run(settings)
    assert rows_of(settings.output_path) == 3


@pytest.mark.parametrize("at", [0.02, 0.2, 0.4, 0.6, 0.8, 0.97])
@pytest.mark.parametrize("kind", ["full", "minified"])
def test_a_damaged_artifact_is_built_anew(
    kind: str, at: float, indexed: Settings, tmp_path: Path
) -> None:
    settings = settings_in(
        tmp_path, write_catalogue(tmp_path / "in.json", entries(61)), force_metadata=True
    )
    settings.output_path.write_bytes(indexed.output_path.read_bytes())
    settings.output_minified_path.write_bytes(indexed.output_minified_path.read_bytes())
    path = settings.output_path if kind == "full" else settings.output_minified_path
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + 20_000] = os.urandom(min(20_000, len(content) - start))
    path.write_bytes(content)
    report = pipeline.run(settings)
    assert report.minified
    assert report.minified.vectors == 61
    for artifact in (settings.output_path, settings.output_minified_path):
        with connect(artifact, read_only=True) as connection:
            verify_counts(connection, artifact)


def test_what_a_link_points_to_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "far" / "db", tmp_path / "link"
    path.parent.mkdir()
    write_some(path)
    path.chmod(0o600)
    link.symlink_to(path)
    with building(link) as part:
        write_some(part, 5)
    assert link.readlink() == path
    assert rows_of(path) == 5
    assert path.stat().st_mode & 0o777 == 0o600


def test_devices_and_pipes_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(SettingsError, match="is no regular file"):
            building(path).__enter__()


def test_what_a_program_had_still_to_write_is_not_taken_for_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write_some(path)
    changed = """
import os, sys
from duckdb import connect
connection = connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown; DELETE FROM t")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", changed, str(path)], check=True)
    assert (tmp_path / "db.wal").exists()
    with building(path) as part:
        write_some(part, 5)
    assert list(tmp_path.iterdir()) == [path]
    assert rows_of(path) == 5


def test_a_file_that_a_program_writes_to_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write_some(path)
    held = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", held, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        with pytest.raises(DataError, match="Could not set lock"):
            building(path).__enter__()
        writer.communicate(b"\n")


@pytest.mark.parametrize("force", [False, True])
def test_the_file_of_a_newer_fdnix_is_not_replaced(
    indexed: Settings, tmp_path: Path, *, force: bool
) -> None:
    settings = settings_in(tmp_path, processing_mode="metadata", force_metadata=force)
    settings.output_path.write_bytes(indexed.output_path.read_bytes())
    with connect(settings.output_path) as connection:
        connection.execute("UPDATE fdnix_meta SET value = '99' WHERE key = 'schema_version'")
    before = settings.output_path.read_bytes()
    with pytest.raises(DataError, match="has schema version 99"):
        pipeline.run(settings)
    assert settings.output_path.read_bytes() == before


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "db.building").mkdir()
    with pytest.raises(SettingsError, match=r"db\.building: is in the way"):
        building(tmp_path / "db").__enter__()


def test_a_run_over_a_file_is_alone(tmp_path: Path) -> None:
    with (
        run_over([tmp_path / "db"]),
        pytest.raises(DataError, match="another fdnix is at work on this file"),
    ):
        run_over([tmp_path / "other", tmp_path / "db"]).__enter__()
    assert not list(tmp_path.iterdir())
