"""`fdnix update` makes the index that the other commands find."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import brotli
import pytest

from support.catalogues import entries
from support.channel_server import CHANNEL, REVISION, serve, serving

if TYPE_CHECKING:
    from pathlib import Path


def fdnix(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command for a user whose home is `home`."""
    unset = {"FDNIX_DB", "OUTPUT_MINIFIED_PATH"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, "-m", "fdnix", *arguments],
        env=environ | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_channel_becomes_the_users_index_and_is_found_without_an_option(
    tmp_path: Path,
) -> None:
    catalogue = json.dumps({"version": 2, "packages": entries(30)}).encode()
    with serve(brotli.compress(catalogue)) as channel:
        env = {"NIXPKGS_CHANNEL_URL": channel.url, "ARTIFACTS_BUCKET": "of-another-run"}
        made = fdnix(tmp_path, "update", "--channel", CHANNEL, **env)
        assert made.returncode == 0, made.stderr
        again = fdnix(tmp_path, "update", "--json", "--channel", CHANNEL, **env)
    path = made.stdout.splitlines()[-1]
    assert path.startswith(str(tmp_path))
    assert json.loads(again.stdout)["metadata"]["unchanged"] is True
    shown = fdnix(tmp_path, "show", "editor0", "--json")
    assert shown.returncode == 0, shown.stderr
    assert (
        json.loads(fdnix(tmp_path, "info", path, "--json").stdout)["meta"]["nixpkgs_revision"]
        == REVISION
    )


def test_a_published_index_becomes_the_users(indexed: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((indexed / "fdnix.duckdb").read_bytes()).hexdigest()
    with serving(indexed) as url:
        address = f"{url}/fdnix.duckdb"
        fetched = fdnix(tmp_path, "update", "--json", "--from", address, "--sha256", digest)
        assert fetched.returncode == 0, fetched.stderr
        told = fdnix(tmp_path, "update", "--from", address, "--sha256", digest)
    assert json.loads(fetched.stdout)["packages"] == 30
    assert "unchanged, 30 packages" in told.stdout
    assert fdnix(tmp_path, "search", "editor").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--sha256", "0" * 64], 2, "--from"),
        (["--from", "http://127.0.0.1:9/fdnix.duckdb"], 2, "--sha256"),
        (["--from", "nonsense"], 2, "must be an https URL"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    arguments: list[str], code: int, says: str, tmp_path: Path
) -> None:
    ended = fdnix(tmp_path, "update", *arguments)
    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_an_index_the_way_to_one_is_told(tmp_path: Path) -> None:
    ended = fdnix(tmp_path, "search", "editor", FDNIX_DB=str(tmp_path / "none.duckdb"))
    assert ended.returncode == 2
    assert "`fdnix update`" in ended.stderr
    assert "--db" in ended.stderr
