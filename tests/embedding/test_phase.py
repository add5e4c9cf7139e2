"""The embedding phase: one vector for each distinct text, and never the same work twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info, write_file_info
from fdnix.database.hnsw import verify_hnsw_plan
from fdnix.embedding.backend import Failure, Provider, Text, Vectors, at_once
from fdnix.embedding.local import LocalEmbedder
from fdnix.embedding.phase import EmbedReport, embed_database, pending_texts
from fdnix.errors import DataError, SettingsError
from support.catalogues import entries, entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fdnix.settings import Settings


def provider(model: str = "test", dimensions: int = 8, failing: str | None = None) -> Provider:
    """Vectors drawn by the content hash; texts that hold the word `failing` get none."""

    def vectors(texts: Iterator[Text], total: int) -> Iterable[Vectors | Failure]:
        found = list(texts)
        assert len(found) == total
        for text in found:
            if failing and failing in text.text:
                yield Failure(text.content_hash, "refused")
                continue
            vector = np.random.default_rng(int(text.content_hash[:8], 16)).normal(size=dimensions)
            unit = (vector / np.linalg.norm(vector)).astype(np.float32)
            yield Vectors([text.content_hash], unit[np.newaxis])

    return Provider("local", model, dimensions, vectors)


def paid(model: str = "test", dimensions: int = 8) -> Provider:
    """The same vectors, as if from Bedrock."""
    return replace(provider(model, dimensions), name="bedrock")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a metadata phase that has ended, over thirty packages."""
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(30)))
    pipeline.run(settings.replace(processing_mode="metadata"))
    return settings


def embed(provider: Provider, settings: Settings) -> EmbedReport:
    return embed_database(
        settings.output_path,
        provider,
        hnsw=pipeline.hnsw_options(settings),
        rebuild=settings.force_rebuild_embeddings,
        replace=settings.replace_embeddings,
        unembedded_limit=settings.unembedded_limit,
    )


def renamed(number: int) -> dict[str, dict[str, object]]:
    """As many packages that are not among `entries`."""
    return {f"again{n}": entry(f"again{n}", description=f"Again {n}") for n in range(number)}


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_text_has_its_vector_under_an_index(settings: Settings) -> None:
    path = settings.output_path
    report = embed(at_once(LocalEmbedder()), settings)
    assert (report.distinct_texts, report.embedded, report.reused, report.failed) == (30, 30, 0, 0)
    assert report.recall is not None
    assert query(path, "SELECT count(*) FROM packages SEMI JOIN embeddings USING (content_hash)")[
        0
    ] == (30,)
    with connect(path, read_only=True) as connection:
        verify_hnsw_plan(connection, path)


def test_packages_with_one_text_share_one_vector(tmp_path: Path) -> None:
    packages = {
        f"python3{minor}Packages.requests": entry("requests", description="HTTP")
        for minor in (1, 2)
    }
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", packages))
    report = pipeline.run(settings)
    assert report.embedding
    assert (report.embedding.distinct_texts, report.embedding.embedded) == (1, 1)


def test_a_second_time_nothing_is_embedded_and_the_file_is_not_touched(settings: Settings) -> None:
    embed(provider(), settings)
    before = settings.output_path.stat()
    report = embed(provider(), settings)
    assert (report.embedded, report.reused, report.recall is None) == (0, 30, False)
    after = settings.output_path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_vectors_that_went_with_their_texts_are_counted_once(settings: Settings) -> None:
    embed(provider(), settings)
    for packages in (entries(28), entries(25) | renamed(2)):
        write_catalogue(Path(settings.nixpkgs_source), packages)
        pipeline.run(settings.replace(processing_mode="metadata"))
    report = embed(provider(), settings)
    assert (report.distinct_texts, report.embedded, report.reused, report.dropped) == (27, 2, 25, 5)
    assert embed(provider(), settings).dropped == 0


def test_vectors_of_a_damaged_table_are_counted_as_gone(settings: Settings) -> None:
    embed(provider(), settings)
    with connect(settings.output_path) as connection:
        connection.execute("DROP TABLE embeddings")
        connection.execute("CREATE TABLE embeddings (content_hash VARCHAR, vector VARCHAR)")
    write_catalogue(Path(settings.nixpkgs_source), entries(29))
    pipeline.run(settings.replace(processing_mode="metadata"))
    report = embed(provider(), settings)
    assert (report.embedded, report.reused, report.dropped) == (29, 0, 30)


@pytest.mark.parametrize("other", [provider(model="another"), provider(dimensions=4)])
def test_another_local_model_or_dimension_embeds_every_text_again(
    other: Provider, settings: Settings
) -> None:
    embed(provider(), settings)
    report = embed(other, settings)
    assert (report.embedded, report.reused, report.dropped) == (30, 0, 30)
    assert query(settings.output_path, "SELECT DISTINCT len(vector) FROM embeddings") == [
        (other.dimensions,)
    ]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (paid(model="another"), r"bedrock \(test, 8 .*bedrock \(another, 8"),
        (paid(dimensions=4), r"bedrock \(test, 8 .*bedrock \(test, 4"),
        (provider(model="own"), r"bedrock \(test, 8 .*local \(own, 8"),
    ],
)
@pytest.mark.parametrize("rebuild", [False, True])
def test_another_provider_model_or_dimension_is_refused_unless_it_is_asked_for(
    other: Provider, named: str, settings: Settings, *, rebuild: bool
) -> None:
    embed(paid(), settings)
    before = settings.output_path.read_bytes()
    settings = settings.replace(force_rebuild_embeddings=rebuild)
    with pytest.raises(SettingsError, match=f"30 vectors are from {named}.*--replace"):
        embed(other, settings)
    assert settings.output_path.read_bytes() == before
    assert embed(other, settings.replace(replace_embeddings=True)).embedded == 30


def test_rebuilding_embeds_every_text_again(settings: Settings) -> None:
    embed(provider(), settings)
    forced = settings.replace(force_rebuild_embeddings=True)
    assert embed(provider(), forced).embedded == 30


def test_other_index_settings_build_the_index_again_and_embed_nothing(settings: Settings) -> None:
    embed(provider(), settings)
    changed = settings.replace(vss_hnsw_m=8)
    assert embed(provider(), changed).embedded == 0
    with connect(settings.output_path, read_only=True) as connection:
        assert read_file_info(connection, settings.output_path)["hnsw_m"] == "8"


def test_a_failed_text_is_on_record_and_tried_again(settings: Settings) -> None:
    path = settings.output_path
    report = embed(provider(failing="number 7"), settings)
    assert (report.embedded, report.failed) == (29, 1)
    report = embed(provider(failing="number 7"), settings)
    assert (report.embedded, report.reused, report.failed) == (0, 29, 1)
    assert query(path, "SELECT reason, attempts FROM embedding_failures") == [("refused", 2)]
    report = embed(provider(), settings)
    assert (report.embedded, report.failed) == (1, 0)
    assert query(path, "FROM embedding_failures") == []


def test_a_text_that_fails_again_costs_no_new_index(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = settings.output_path
    first = embed(provider(failing="number 7"), settings)
    with connect(path, read_only=True) as connection:
        build = read_file_info(connection, path)["build_id"]
    caplog.clear()
    caplog.set_level("INFO", logger="fdnix")
    again = embed(provider(failing="number 7"), settings)
    assert "building the HNSW index" not in caplog.text
    assert (again.failed, again.recall) == (1, first.recall)
    with connect(path, read_only=True) as connection:
        verify_hnsw_plan(connection, path)
        # So that what is derived from it stands, too.
        assert read_file_info(connection, path)["build_id"] == build


@pytest.mark.parametrize("failing", ["number", "number 1"])
def test_too_few_vectors_are_refused_with_the_commonest_reasons_and_the_file_stands(
    settings: Settings, failing: str
) -> None:
    embed(provider(), settings)
    before = settings.output_path.read_bytes()
    forced = settings.replace(force_rebuild_embeddings=True)
    with pytest.raises(DataError, match=r"UNEMBEDDED_LIMIT.* times: refused"):
        embed(provider(failing=failing), forced)
    assert settings.output_path.read_bytes() == before


def test_new_texts_of_which_not_one_is_embedded_are_refused_however_few_they_are_of_all(
    settings: Settings,
) -> None:
    embed(provider(), settings)
    write_catalogue(Path(settings.nixpkgs_source), {**entries(30), **renamed(21)})
    pipeline.run(settings.replace(processing_mode="metadata"))
    lenient = settings.replace(unembedded_limit=0.9)
    with pytest.raises(DataError, match="of the 21 new ones not one"):
        embed(provider(failing="again"), lenient)


def test_many_failures_are_a_few_lines_of_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="fdnix")
    embed(provider(failing="number"), settings.replace(unembedded_limit=1))
    told = [record.getMessage() for record in caplog.records if record.name == "fdnix"]
    assert told == ["30 texts have no vector. Why: 30 times: refused"]


def test_a_provider_that_breaks_leaves_the_file_as_it_was(settings: Settings) -> None:
    def breaks(texts: Iterator[Text], total: int) -> Iterable[Vectors | Failure]:
        yield from list(provider().vectors(texts, total))[:5]
        raise DataError("the provider broke")

    before = settings.output_path.read_bytes()
    with pytest.raises(DataError, match="the provider broke"):
        embed(Provider("local", "test", 8, breaks), settings)
    assert settings.output_path.read_bytes() == before


def test_texts_of_another_version_of_fdnix_are_refused(settings: Settings) -> None:
    with connect(settings.output_path) as connection:
        write_file_info(connection, {"embedding_text_version": 999})
    with pytest.raises(DataError, match="run fdnix metadata first"):
        embed(provider(), settings)


def test_texts_come_in_the_order_of_their_packages(settings: Settings) -> None:
    with connect(settings.output_path, read_only=True) as connection:
        texts = [text.text for text in pending_texts(connection)]
    names = [text.split(". ")[0] for text in texts]
    assert len(names) == 30
    assert names == sorted(names)


def test_the_embedding_phase_works_on_duckdb_path_where_that_is_set(
    settings: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "other.duckdb"
    other.write_bytes(settings.output_path.read_bytes())
    before = settings.output_path.read_bytes()
    report = pipeline.run(settings.replace(duckdb_path=other, processing_mode="embedding"))
    assert report.embedding
    assert report.embedding.embedded == 30
    assert query(other, "SELECT count(*) FROM embeddings") == [(30,)]
    assert settings.output_path.read_bytes() == before
