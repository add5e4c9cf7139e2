"""The nixpkgs tree joins in from wherever NIXPKGS_TREE and the catalogue's source have it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import brotli
import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.errors import DataError, SourceError
from support.catalogues import entry, settings_in, write_catalogue
from support.channel_server import CHANNEL, REVISION, Channel, Fault, serve
from support.trees import FILES, PACKAGES, program_list, tarball, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fdnix.pipeline import MetadataReport
    from fdnix.settings import Settings

TARBALL = "nixexprs.tar.xz"
SECOND = "nixos/modules/second.nix"
SECOND_MODULE = "{ pkgs, ... }: { config.environment.systemPackages = [ pkgs.serverd ]; }"


def catalogue(**changes: object) -> dict[str, object]:
    packages = {
        name: entry(name.rpartition(".")[2], **({"position": position} if position else {}))
        for name, position in PACKAGES.items()
    }
    return packages | changes


def published(packages: dict[str, object]) -> bytes:
    return bytes(brotli.compress(json.dumps({"version": "2", "packages": packages}).encode()))


@pytest.fixture
def channel() -> Iterator[Channel]:
    with serve(published(catalogue())) as served:
        served.tree = tarball()
        served.redirect_to = "/nixpkgs/nixpkgs-26.11pre1"
        yield served


def of_channel(channel: Channel, directory: Path, **overrides: object) -> Settings:
    return settings_in(
        directory,
        "channel",
        nixpkgs_channel=CHANNEL,
        nixpkgs_channel_url=channel.url,
        processing_mode="metadata",
        **overrides,
    )


def run(settings: Settings) -> MetadataReport:
    report = pipeline.run(settings).metadata
    assert report
    return report


def said(settings: Settings) -> dict[str, str]:
    with connect(settings.output_path, read_only=True) as connection:
        return read_file_info(connection, settings.output_path, kind="full")


def modules_of_serverd(settings: Settings) -> int | None:
    with connect(settings.output_path, read_only=True) as connection:
        row = connection.execute(
            "SELECT modules FROM usage WHERE package_id = 'serverd'"
        ).fetchone()
    return None if row is None else int(row[0])


def test_a_channels_tree_is_that_of_the_release_the_catalogue_is_of(
    channel: Channel, tmp_path: Path
) -> None:
    settings = of_channel(channel, tmp_path)
    assert run(settings).tree == "channel"
    assert modules_of_serverd(settings) == 1
    meta = said(settings)
    assert (meta["tree_source"], meta["tree_revision"]) == ("channel", REVISION)
    asked = [path for path, _ in channel.requests if path.endswith(TARBALL)]
    assert asked == [f"{channel.redirect_to}/{TARBALL}"]
    assert [path.name for path in tmp_path.iterdir()] == ["fdnix-data.duckdb"]


def test_the_tree_of_an_unchanged_catalogue_is_not_fetched_again(
    channel: Channel, tmp_path: Path
) -> None:
    settings = of_channel(channel, tmp_path)
    run(settings)
    again = run(settings)
    assert (again.unchanged, again.tree) == (True, "channel")
    assert len(channel.asked("host", TARBALL)) == 1


def test_a_tree_that_is_wanted_and_missing_is_fetched_for_an_unchanged_catalogue(
    channel: Channel, tmp_path: Path
) -> None:
    settings = of_channel(channel, tmp_path)
    assert run(settings.replace(nixpkgs_tree="none")).tree is None
    assert channel.asked("host", TARBALL) == []
    report = run(settings)
    assert (report.unchanged, report.tree) == (False, "channel")


def test_without_a_tarball_there_is_a_warning_and_an_index(
    channel: Channel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channel.tree = None
    settings = of_channel(channel, tmp_path)
    report = run(settings)
    assert (report.packages, report.tree) == (len(PACKAGES), None)
    assert "there is no tarball of nixpkgs beside the catalogue" in caplog.text
    # Of this catalogue it is not asked for again.
    assert run(settings).unchanged
    assert len(channel.asked("host", TARBALL)) == 1
    assert channel.asked("if-none-match")[-1] == '"v1"'


def test_a_damaged_tarball_is_fetched_again_for_an_unchanged_catalogue(
    channel: Channel, tmp_path: Path
) -> None:
    channel.tree = b"damaged"
    settings = of_channel(channel, tmp_path)
    assert run(settings).tree is None
    assert run(settings).unchanged
    channel.tree = tarball()
    report = run(settings)
    assert (report.unchanged, report.tree) == (False, "channel")


@pytest.mark.parametrize("tree", [None, b"damaged", tarball()[:-300]])
def test_where_a_tree_cannot_be_had_what_the_one_before_said_stays(
    tree: bytes | None, channel: Channel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = of_channel(channel, tmp_path)
    run(settings)
    channel.catalogue = published(catalogue(added=entry("added"), webserver=entry("webserver")))
    channel.etag, channel.tree = '"v2"', tree
    report = run(settings)
    assert (report.packages, report.tree) == (len(PACKAGES) + 2, "channel")
    assert modules_of_serverd(settings) == 1
    assert "used again" in caplog.text
    with connect(settings.output_path, read_only=True) as connection:
        aliases = {name for (name,) in connection.execute("SELECT name FROM aliases").fetchall()}
    # What has become a package is no alias any more.
    assert "python3" in aliases
    assert "webserver" not in aliases


def test_a_tarball_is_resumed_where_it_broke_off(channel: Channel, tmp_path: Path) -> None:
    channel.tree_faults = [Fault(cut_after=200)]
    settings = of_channel(channel, tmp_path)
    assert run(settings).tree == "channel"
    assert channel.asked("range", TARBALL) == [None, "bytes=200-"]


def test_the_channels_list_of_programs_comes_first(channel: Channel, tmp_path: Path) -> None:
    listed = program_list(
        tmp_path / "list",
        [("served", "x86_64-linux", "serverd"), ("servec", "x86_64-linux", "serverd")],
    )
    channel.tree = tarball({**FILES, "programs.sqlite": listed.read_bytes()})
    listed.unlink()
    settings = of_channel(channel, tmp_path)
    run(settings)
    with connect(settings.output_path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT package_id, programs_source, len(programs) FROM packages"
            " WHERE programs IS NOT NULL ORDER BY package_id"
        ).fetchall()
    assert rows == [
        ("editit", "tree", 4),
        ("probe-tools", "tree", 2),
        ("python313", "tree", 1),
        ("serverd", "channel", 2),
    ]


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_has_the_tree_that_is_named(packed: bool, tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", catalogue())
    settings = settings_in(tmp_path, source, processing_mode="metadata")
    assert run(settings).tree is None
    tree = write_tree(tmp_path / "nixpkgs")
    if packed:
        tree = tmp_path / TARBALL
        tree.write_bytes(tarball())
    named = settings.replace(nixpkgs_tree=str(tree))
    report = run(named)
    assert (report.unchanged, report.tree) == (False, "path")
    assert modules_of_serverd(settings) == 1
    assert run(named).unchanged
    # Another tree at the same place is read, and nothing else is waited for.
    if packed:
        tree.write_bytes(tarball({**FILES, SECOND: SECOND_MODULE}))
    else:
        (tree / SECOND).write_text(SECOND_MODULE)
    assert not run(named).unchanged
    assert modules_of_serverd(settings) == 2
    assert run(named).unchanged


def test_a_named_tree_that_is_none_ends_the_run_and_replaces_nothing(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", catalogue())
    settings = settings_in(tmp_path, source, processing_mode="metadata")
    run(settings)
    before = settings.output_path.read_bytes()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: is no nixpkgs"):
        run(settings.replace(nixpkgs_tree=str(tmp_path / "empty")))
    assert settings.output_path.read_bytes() == before


@pytest.mark.nix
@pytest.mark.skipif(shutil.which("nix-env") is None, reason="nix-env is not installed")
def test_an_evaluated_nixpkgs_is_the_tree_too(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "nixpkgs")
    (tree / "default.nix").write_text(
        """{ ... }: {
          serverd = derivation { name = "serverd-1"; system = "x"; builder = "x"; }
            // {
                  meta.description = "Serves";
                  meta.position = "${toString ./.}/pkgs/servers/serverd/default.nix:3";
                };
        }"""
    )
    settings = settings_in(tmp_path, "nix-env", nixpkgs_path=str(tree), processing_mode="metadata")
    assert run(settings).tree == "nixpkgs"
    assert modules_of_serverd(settings) == 1
    assert run(settings).unchanged
    (tree / SECOND).write_text(SECOND_MODULE)
    assert not run(settings).unchanged
    assert modules_of_serverd(settings) == 2


def test_certificates_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    settings = settings_in(tmp_path, "channel", nixpkgs_channel_url="http://127.0.0.1:1")
    with pytest.raises(SourceError, match="SSL_CERT_FILE"):
        pipeline.run(settings)
