"""PROCESSING_MODE, phase by phase: what runs, what is skipped, and what is reported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import brotli
import pytest

from fdnix import pipeline
from fdnix.artifacts import s3
from fdnix.database.connection import connect, count
from fdnix.database.full import verify_counts
from fdnix.database.hnsw import verify_hnsw_plan
from fdnix.embedding.backend import at_once
from fdnix.embedding.local import LocalEmbedder
from fdnix.errors import DataError, SourceError
from support.catalogues import entries, entry, settings_in, write_catalogue
from support.channel_server import CHANNEL, REVISION, serve

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mode", ["both", "full"])
def test_both_and_full_run_all_phases_in_order(mode: str, tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(20))
    report = pipeline.run(settings_in(tmp_path, source, processing_mode=mode))
    assert list(report.seconds) == ["metadata", "embedding", "minified"]
    assert report.bytes == {
        "full": (tmp_path / "fdnix-data.duckdb").stat().st_size,
        "minified": (tmp_path / "fdnix.duckdb").stat().st_size,
    }
    assert report.minified
    assert (report.minified.packages, report.minified.vectors) == (20, 20)


def test_rows_of_others_in_the_file_info_are_left_out_and_lost_ones_are_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    pipeline.run(settings)
    with connect(settings.output_path) as connection:
        connection.execute("INSERT INTO fdnix_meta VALUES ('my note', 'x')")
        connection.execute("DELETE FROM fdnix_meta WHERE key = 'build_id'")
        connection.execute("UPDATE fdnix_meta SET value = 'much' WHERE key = 'hnsw_recall'")
    report = pipeline.run(settings)
    assert report.embedding
    assert report.embedding.reused == 20
    assert "fdnix_meta does not say, or not as fdnix writes it, build_id, hnsw_recall" in (
        caplog.text
    )
    with connect(settings.output_path) as connection:
        connection.execute("INSERT INTO fdnix_meta VALUES ('my note', 'x')")
    settings.output_minified_path.unlink()
    pipeline.run(settings)
    assert "rows of its fdnix_meta are not fdnix's and are left out: my note" in caplog.text
    with connect(settings.output_minified_path, read_only=True) as connection:
        assert not count(connection, "SELECT count(*) FROM fdnix_meta WHERE key = 'my note'")


def test_phases_can_be_run_one_by_one_and_give_the_same(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    for mode in ("metadata", "embedding", "minified"):
        report = pipeline.run(settings.replace(processing_mode=mode))
        assert list(report.seconds) == [mode]
    assert report.metadata is None
    assert report.minified
    assert report.minified.vectors == 20


def test_an_unchanged_catalogue_is_indexed_again_only_when_forced(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    metadata = settings.replace(processing_mode="metadata")
    unchanged = [
        report.metadata.unchanged
        for run in (metadata, metadata, metadata.replace(force_metadata=True))
        if (report := pipeline.run(run)).metadata
    ]
    assert unchanged == [False, True, False]


def test_an_update_embeds_what_is_new_and_a_release_alone_is_nothing_new(tmp_path: Path) -> None:
    packages = entries(20)
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", packages))
    pipeline.run(settings)
    for package in packages.values():
        package |= {"version": "9.9", "name": f"{package['pname']}-9.9"}
    packages["added"] = entry("added", description="Something new")
    write_catalogue(tmp_path / "in.json", packages)
    report = pipeline.run(settings)
    assert report.embedding
    assert (report.embedding.embedded, report.embedding.reused) == (1, 20)
    assert report.minified
    assert (report.minified.packages, report.minified.unchanged) == (21, False)


def test_a_channel_is_downloaded_once_and_then_asked_whether_it_changed(tmp_path: Path) -> None:
    document = json.dumps({"version": "2", "packages": entries(20)}).encode()
    with serve(brotli.compress(document)) as channel:
        settings = settings_in(
            tmp_path,
            Path("channel"),
            nixpkgs_channel=CHANNEL,
            nixpkgs_channel_url=channel.url,
            processing_mode="metadata",
        )
        first, second = (pipeline.run(settings).metadata for _ in range(2))
    assert first
    assert (first.source, first.revision, first.unchanged) == ("channel", REVISION, False)
    assert second
    assert (second.revision, second.packages, second.unchanged) == (REVISION, 20, True)
    assert [path.name for path in tmp_path.iterdir()] == ["fdnix-data.duckdb"]


def test_an_unchanged_catalogue_under_another_etag_is_downloaded_once(tmp_path: Path) -> None:
    document = json.dumps({"version": "2", "packages": entries(20)}).encode()
    with serve(brotli.compress(document)) as channel:
        settings = settings_in(
            tmp_path, Path("channel"), nixpkgs_channel=CHANNEL, nixpkgs_channel_url=channel.url
        )
        pipeline.run(settings)
        channel.etag = '"v2"'
        metadata = settings.replace(processing_mode="metadata")
        reports = [pipeline.run(metadata).metadata for _ in range(2)]
        assert channel.asked("If-None-Match") == [None, '"v1"', '"v2"']
    assert [report and report.unchanged for report in reports] == [True, True]
    with connect(settings.output_path, read_only=True) as connection:
        verify_counts(connection, settings.output_path)
        verify_hnsw_plan(connection, settings.output_path)


def test_a_phase_that_fails_leaves_what_the_earlier_ones_wrote(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(20))
    settings = settings_in(tmp_path, source, minified_max_bytes=1000)
    with pytest.raises(DataError, match="MINIFIED_MAX_BYTES"):
        pipeline.run(settings)
    assert settings.output_path.is_file()
    assert not settings.output_minified_path.exists()
    report = pipeline.run(settings_in(tmp_path, source))
    assert report.metadata
    assert report.metadata.unchanged
    assert report.embedding
    assert report.embedding.embedded == 0


def test_the_provider_is_told_only_when_the_vectors_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    told: list[int] = []

    def confirm() -> None:
        with connect(settings.output_path, read_only=True) as connection:
            told.append(count(connection, "SELECT count(*) FROM embeddings"))

    local = replace(at_once(LocalEmbedder()), confirm=confirm)
    monkeypatch.setattr(pipeline, "_provider", lambda *_: local)
    monkeypatch.setattr(s3, "upload_artifact", lambda *_, **__: told.append(0))
    pipeline.run(settings.replace(processing_mode="metadata"))
    told.clear()
    pipeline.run(settings.replace(processing_mode="embedding"))
    assert told == [0, 20]


def test_a_source_that_fails_touches_nothing(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(20))
    settings = settings_in(tmp_path, source)
    pipeline.run(settings)
    before = settings.output_path.read_bytes()
    source.write_bytes(b"")
    with pytest.raises(SourceError, match="is empty"):
        pipeline.run(settings)
    assert settings.output_path.read_bytes() == before


def test_the_container_is_told_by_its_environment_alone(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(20))
    ended = subprocess.run(
        [sys.executable, ROOT / "src/index.py"],
        env={
            "PATH": os.defpath,
            "PROCESSING_MODE": "metadata",
            "NIXPKGS_SOURCE": str(source),
            "OUTPUT_PATH": str(tmp_path / "out/full.duckdb"),
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "packages" in ended.stdout
    assert (tmp_path / "out/full.duckdb").is_file()


NIX_PACKAGES = """
let
  package = name: meta:
    derivation { inherit name; system = "x"; builder = "x"; } // { inherit meta; };
in
"""

needs_nix = pytest.mark.skipif(shutil.which("nix-env") is None, reason="nix-env is not installed")


@pytest.mark.nix
@needs_nix
def test_a_package_that_does_not_evaluate_is_set_aside_and_the_others_are_indexed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nixpkgs = tmp_path / "default.nix"
    nixpkgs.write_text(
        f"""{{ ... }}: {NIX_PACKAGES} {{
          aaa = package "aaa-1.0" {{ description = "Before"; }};
          bbb = package "bbb-1.0" {{ available = assert false; true; }};
          ccc = package "ccc-1.0" {{ description = "After"; }};
        }}"""
    )
    settings = settings_in(
        tmp_path, "nix-env", nixpkgs_path=str(nixpkgs), processing_mode="metadata"
    )
    report = pipeline.run(settings).metadata
    assert report
    assert (report.packages, report.rejected) == (2, 1)
    with connect(settings.output_path, read_only=True) as connection:
        rejected = connection.execute("FROM rejected_packages").fetchall()
    assert [package_id for package_id, _ in rejected] == ["bbb"]
    assert "does not evaluate: bbb" in caplog.text


@pytest.mark.nix
@needs_nix
def test_positions_of_a_nixos_channel_are_relative_to_its_nixpkgs(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "hash-nixos" / "nixos" / "pkgs" / "hello" / "package.nix"
    package.parent.mkdir(parents=True)
    package.write_text(
        f'{NIX_PACKAGES} package "hello-1" {{ position = "${{toString ./.}}/package.nix:1"; }}'
    )
    nixpkgs = package.parents[2]
    (nixpkgs / "default.nix").write_text("{ ... }: { hello = import ./pkgs/hello/package.nix; }")
    link = tmp_path / "link"
    link.symlink_to(nixpkgs)
    for path in (nixpkgs, link):
        settings = settings_in(
            tmp_path, "nix-env", nixpkgs_path=str(path), processing_mode="metadata"
        )
        pipeline.run(settings.replace(force_metadata=True))
        with connect(settings.output_path, read_only=True) as connection:
            rows = connection.execute("SELECT position FROM packages").fetchall()
        assert rows == [("pkgs/hello/package.nix:1",)]


def test_a_channels_password_reaches_the_server_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.dumps({"version": "2", "packages": entries(20)}).encode()
    with serve(brotli.compress(document)) as channel:
        url = channel.url.replace("://", "://ada:hunter2@")
        settings = settings_in(
            tmp_path, "channel", nixpkgs_channel=CHANNEL, nixpkgs_channel_url=url
        )
        pipeline.run(settings)
        again = pipeline.run(settings)
        assert again.metadata
        assert again.metadata.unchanged
        channel.revision = None
        channel.catalogue = b"nothing"
        channel.etag = None
        with pytest.raises(DataError) as refusal:
            pipeline.run(settings)
    sent = {headers.get("authorization") for _, headers in channel.requests}
    assert sent == {"Basic YWRhOmh1bnRlcjI="}
    assert "hunter2" not in str(refusal.value)
    for path in tmp_path.iterdir():
        assert b"hunter2" not in path.read_bytes(), path
    said = capfd.readouterr()
    assert "hunter2" not in said.out + said.err
