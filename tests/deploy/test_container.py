"""What an operator does with the images: every mode, told by the environment alone.

The images' own steps are carried out (see support.image); then their command runs as their user,
over a read-only root, with /out mounted and nothing else to write to but /tmp.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import duckdb
import pytest

from fdnix.errors import SettingsError
from fdnix.search import SearchIndex
from support.channel_server import serve, serving
from support.image import Image, needs_root, run

if TYPE_CHECKING:
    import subprocess

pytestmark = needs_root

NIXPKGS = Path(__file__).parents[1] / "support" / "nixpkgs"


def index(image: Image, out: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the image as an operator does: read-only, offline, told by the environment alone."""
    volumes = {"/out": out, "/nixpkgs": NIXPKGS}
    return run(image, env=env, volumes=volumes, network=False)


def rows(path: Path, table: str) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_every_phase_runs_alone_and_leaves_the_next_what_it_needs(
    nix_image: Image, out: Path
) -> None:
    for mode, files in {
        "metadata": {"fdnix-data.duckdb"},
        "embedding": {"fdnix-data.duckdb"},
        "minified": {"fdnix-data.duckdb", "fdnix.duckdb"},
    }.items():
        done = index(nix_image, out, PROCESSING_MODE=mode, NIXPKGS_PATH="/nixpkgs")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in out.iterdir()} == files
        assert {path.stat().st_uid for path in out.iterdir()} == {10001}
    with SearchIndex.open(out / "fdnix.duckdb") as found:
        assert found.search("friendly greeting").hits[0].package_id == "hello"


def test_all_phases_run_by_default_and_a_second_run_keeps_what_it_can(
    nix_image: Image, out: Path
) -> None:
    first = index(nix_image, out, NIXPKGS_PATH="/nixpkgs")
    assert first.returncode == 0, first.stderr
    assert "NIX_REMOTE=dummy://" in first.stderr
    second = index(nix_image, out, NIXPKGS_PATH="/nixpkgs", PROCESSING_MODE="full")
    assert second.returncode == 0, second.stderr
    assert "the catalogue is unchanged" in second.stderr
    with duckdb.connect(str(out / "fdnix-data.duckdb"), read_only=True) as connection:
        meta = dict(connection.execute("SELECT key, value FROM fdnix_meta").fetchall())
    assert meta["source"] == "nixpkgs"
    assert {path.name for path in out.iterdir()} == {"fdnix-data.duckdb", "fdnix.duckdb"}
    assert rows(out / "fdnix.duckdb", "packages") == rows(out / "fdnix-data.duckdb", "packages") > 0


def test_the_channels_nixpkgs_is_evaluated_where_none_is_mounted(
    nix_image: Image, tmp_path: Path, out: Path
) -> None:
    channel = tmp_path / "www" / "nixos-26.05"
    channel.mkdir(parents=True)
    with tarfile.open(channel / "nixexprs.tar.xz", "w:xz") as archive:
        archive.add(NIXPKGS, "nixpkgs")
    env = {"NIXPKGS_CHANNEL": "nixos-26.05", "PROCESSING_MODE": "metadata"}
    with serving(channel.parent) as url:
        env["NIXPKGS_CHANNEL_URL"] = url
        done = run(nix_image, env=env, volumes={"/out": out})
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.iterdir()] == ["fdnix-data.duckdb"]
    assert rows(out / "fdnix-data.duckdb", "packages") > 20


def test_the_slim_image_reads_a_channel_and_searches(slim_image: Image, out: Path) -> None:
    listing = {"ripgrep": {"name": "ripgrep-14", "meta": {"description": "Search of lines"}}}
    catalogue = json.dumps({"version": 2, "packages": listing}).encode()
    volumes = {"/out": out}
    with serve(brotli.compress(catalogue)) as channel:
        done = run(slim_image, env={"NIXPKGS_CHANNEL_URL": channel.url}, volumes=volumes)
    assert done.returncode == 0, done.stderr
    search = ["python", "src/index.py", "search", "--db", "/out/fdnix.duckdb", "--json", "lines"]
    done = run(slim_image, search, volumes=volumes, network=False)
    assert done.returncode == 0, done.stderr
    assert "Search of lines" in done.stdout


@pytest.mark.parametrize("kind", ["nix_image", "slim_image"])
def test_nothing_but_out_and_tmp_can_be_written(
    kind: str, out: Path, request: pytest.FixtureRequest
) -> None:
    image: Image = request.getfixturevalue(kind)
    program = (
        "import os, sys\n"
        "print(os.getuid(), os.getgid(), os.getgroups())\n"
        "for place in sys.argv[1:]:\n"
        "    try: open(place + '/file', 'w').close(); print(place, 'yes')\n"
        "    except OSError as error: print(place, error.strerror)\n"
    )
    places = ["/out", "/tmp", "/", "/app", "/app/src", "/environment", "/nixpkgs"]
    done = run(
        image,
        ["python", "-c", program, *places],
        volumes={"/out": out, "/nixpkgs": NIXPKGS},
    )
    identity, *answers = done.stdout.splitlines()
    assert identity == "10001 10001 []", done.stderr
    writable = [answer.split()[0] for answer in answers if answer.endswith("yes")]
    assert writable == ["/out", "/tmp"], answers


def test_a_mistake_in_the_environment_is_named(slim_image: Image, out: Path) -> None:
    done = index(slim_image, out, PROCESSING_MODE="all", VSS_HNSW_M="1")
    assert done.returncode == SettingsError.exit_code
    assert "PROCESSING_MODE" in done.stderr
    assert "VSS_HNSW_M" in done.stderr
