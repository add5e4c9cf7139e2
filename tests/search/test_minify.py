"""The minified database: what is in it, its limits, and that any DuckDB client can search it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

import fdnix
from fdnix import pipeline
from fdnix.database import file_info
from fdnix.database.connection import connect, load_extension
from fdnix.database.file_info import read_file_info
from fdnix.database.hnsw import measure_recall, verify_hnsw_plan
from fdnix.database.sizes import database_info
from fdnix.errors import DataError, SettingsError
from fdnix.nixpkgs.platform import BUILT_SYSTEMS
from fdnix.search import build, minify
from support.catalogues import entries, entry, settings_in, write_catalogue
from support.search import MODEL

if TYPE_CHECKING:
    from fdnix.settings import Settings


def write_minified(full: Path, path: Path, settings: Settings) -> minify.MinifiedReport:
    options = pipeline.minify_options(settings)
    return minify.write_minified(full, path, options, model=MODEL)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with connect(path, read_only=True) as connection:
        connection.execute("USE main_file")
        return connection.execute(query).fetchall()


def test_any_client_with_fts_loaded_can_use_the_macro(indexed: Settings) -> None:
    with duckdb.connect() as client:
        for extension in ("fts", "vss"):
            load_extension(client, extension)
        client.execute(f"ATTACH '{indexed.output_minified_path}' AS nix (READ_ONLY)")
        client.execute("USE nix")
        hits = client.execute("FROM packages_fts_idx('editors')").fetchall()
    assert "editor0" in {hit[0] for hit in hits[:3]}


def test_the_index_that_came_with_the_copy_is_used_and_finds_what_exact_search_finds(
    indexed: Settings,
) -> None:
    path = indexed.output_minified_path
    with connect(path, read_only=True) as connection:
        verify_hnsw_plan(connection, path)
        assert measure_recall(connection, path) > 0.95
        [(indexes,)] = connection.execute(
            "SELECT count(*) FROM pragma_hnsw_index_info()"
        ).fetchall()
    assert indexes == 1
    assert rows(path, "SELECT count(*) FROM embeddings") == [(60,)]


def test_every_vector_keeps_its_direction(
    indexed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_ROWS_AT_ONCE", 7)
    path = tmp_path / "fdnix.duckdb"
    write_minified(indexed.output_path, path, indexed)
    with duckdb.connect() as client:
        client.execute(f"ATTACH '{indexed.output_path}' AS whole (READ_ONLY)")
        client.execute(f"ATTACH '{path}' AS small (READ_ONLY)")
        same = client.execute(
            "SELECT count(*), min(array_cosine_similarity(f.vector, m.vector)) "
            "FROM whole.packages AS p JOIN whole.embeddings AS f USING (content_hash) "
            "JOIN small.packages AS q USING (package_id) "
            "JOIN small.embeddings AS m USING (embedding_id)"
        ).fetchone()
    assert same is not None
    assert same[0] >= 60
    assert same[1] > 0.9995


def test_other_index_settings_build_another_index(indexed: Settings, tmp_path: Path) -> None:
    path = tmp_path / "fdnix.duckdb"
    report = write_minified(indexed.output_path, path, indexed.replace(vss_hnsw_m=8))
    assert report.recall is not None
    with connect(path, read_only=True) as connection:
        assert read_file_info(connection, path)["hnsw_m"] == "8"
        verify_hnsw_plan(connection, path)


def test_the_essential_columns_are_simplified(tmp_path: Path) -> None:
    source = write_catalogue(
        tmp_path / "in.json",
        {
            "bare": {"name": "bare-1.0"},
            "full": entry(
                "full",
                homepage=["https://example.org", "https://example.com"],
                maintainers=[{"name": "Ann", "github": "ann"}, {"github": "bo"}],
                teams=[{"shortName": "Tools"}],
                platforms=["x86_64-linux", "riscv64-linux", "aarch64-linux"],
                badPlatforms=["aarch64-linux"],
                license={"spdxId": "MIT"},
                unfree=True,
            ),
        },
    )
    settings = settings_in(tmp_path, source)
    pipeline.run(settings)
    bare, full = rows(
        settings.output_minified_path,
        "SELECT homepage, license, maintainers, platforms, available, broken, insecure, unfree, "
        "unsupported FROM packages ORDER BY package_id",
    )
    hydra = ["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"]
    assert bare == (None, None, None, hydra, True, False, False, False, False)
    assert full == (
        "https://example.org",
        "MIT",
        "Ann (@ann), @bo, Tools team",
        ["x86_64-linux"],
        *(True, False, False, True, False),
    )


def test_a_system_that_nixpkgs_no_longer_names_is_no_platform(tmp_path: Path) -> None:
    named = [system for system in BUILT_SYSTEMS if system != "x86_64-darwin"]
    packages = {
        name: {**one, "meta": one["meta"] | {"platforms": named}}
        for name, one in entries(100).items()
    }
    settings = settings_in(
        tmp_path, write_catalogue(tmp_path / "in.json", packages | {"bare": entry("bare")})
    )
    pipeline.run(settings)
    assert database_info(settings.output_minified_path).meta["systems"] == " ".join(named)
    query = "SELECT platforms FROM packages WHERE package_id = 'bare'"
    assert rows(settings.output_minified_path, query) == [(named,)]


def test_the_index_is_left_out_where_it_does_not_fit_and_search_is_exact(
    indexed: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fdnix.duckdb"
    whole = write_minified(indexed.output_path, path, indexed).bytes
    tight = indexed.replace(minified_max_bytes=whole - 1)
    report = write_minified(indexed.output_path, path, tight)
    assert report.recall is None
    assert report.bytes < whole
    assert report.vectors == 60
    assert "the HNSW index is left out" in caplog.text
    with connect(path, read_only=True) as connection:
        assert read_file_info(connection, path)["hnsw_index"] == "none"
        assert not connection.execute("FROM pragma_hnsw_index_info()").fetchall()
    again = write_minified(indexed.output_path, path, tight)
    assert again.unchanged


def test_a_file_too_large_without_its_index_is_refused_and_the_largest_tables_named(
    indexed: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "fdnix.duckdb"
    write_minified(indexed.output_path, path, indexed)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"MINIFIED_MAX_BYTES .*; its largest tables: \w.* bytes\)"):
        write_minified(indexed.output_path, path, indexed.replace(minified_max_bytes=100_000))
    assert path.read_bytes() == before


def test_without_vectors_search_is_by_text_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(20)))
    for mode in ("metadata", "minified"):
        report = pipeline.run(settings.replace(processing_mode=mode))
    assert report.minified
    assert (report.minified.vectors, report.minified.recall) == (0, None)
    assert rows(settings.output_minified_path, "FROM packages_fts_idx('compiler')")


@pytest.mark.parametrize("setting", [{"fts_stemmer": "none"}, {"fts_index_name": "other_idx"}])
def test_a_changed_setting_makes_the_file_anew(
    setting: dict[str, str], indexed: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "fdnix.duckdb"
    write_minified(indexed.output_path, path, indexed)
    assert write_minified(indexed.output_path, path, indexed).unchanged
    changed = indexed.replace(**setting)
    assert not write_minified(indexed.output_path, path, changed).unchanged
    assert rows(path, f"FROM {changed.fts_index_name}('compiler')")


@pytest.mark.parametrize("source", ["search/sql/rank.sql", "search/build.py", "database/hnsw.py"])
def test_a_file_that_other_code_made_is_made_anew(
    source: str, indexed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "fdnix"
    for package in ("search", "database"):
        shutil.copytree(Path(fdnix.__file__).with_name(package), code / package)
    monkeypatch.setattr(file_info, "__file__", str(code / "database" / "file_info.py"))
    path = tmp_path / "fdnix.duckdb"
    write_minified(indexed.output_path, path, indexed)
    assert write_minified(indexed.output_path, path, indexed).unchanged
    with (code / source).open("a") as text:
        text.write("\n")
    assert not write_minified(indexed.output_path, path, indexed).unchanged
    assert write_minified(indexed.output_path, path, indexed).unchanged


def test_a_catalogue_of_stopwords_is_no_failure(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", {"hello": entry("hello")})
    assert pipeline.run(settings_in(tmp_path, source)).minified


@pytest.mark.parametrize("content", [None, b"[1]", b'{"a": "much"}', b'{"a\xff": 1}'])
def test_a_file_of_popularity_that_is_none_is_refused_in_words(
    indexed: Settings, tmp_path: Path, content: bytes | None
) -> None:
    popularity, path = tmp_path / "popularity.json", tmp_path / "fdnix.duckdb"
    if content is not None:
        popularity.write_bytes(content)
    settings = indexed.replace(popularity_file=popularity)
    with pytest.raises(SettingsError, match=rf"POPULARITY_FILE: {popularity}"):
        write_minified(indexed.output_path, path, settings)
    assert not path.exists()
