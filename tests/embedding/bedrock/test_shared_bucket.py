"""Runs for several databases over one bucket: no text is paid for twice, and none is forgotten."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.artifacts.s3 import batch_lock
from fdnix.database.connection import connect, count
from fdnix.errors import AwsError, UnfinishedError
from support.batch_texts import keys
from support.catalogues import entries, entry, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer

SHARED = 150
OWN = 130


def channel(settings: Settings, at: Path, name: str) -> Settings:
    """A database of its own, made of packages that other channels have too and of some others."""
    at.mkdir(exist_ok=True)
    own = {f"{name}{n}": entry(f"{name}{n}", description=f"Of {name}: {n}") for n in range(OWN)}
    source = write_catalogue(at / f"{name}.json", {**entries(SHARED), **own})
    return settings.replace(
        nixpkgs_source=str(source),
        duckdb_data_key=f"{name}/full.duckdb",
        duckdb_minified_key=f"{name}/fdnix.duckdb",
        output_path=at / f"{name}-full.duckdb",
        output_minified_path=at / f"{name}.duckdb",
    )


@pytest.fixture
def channels(batch_settings: Settings, tmp_path: Path) -> tuple[Settings, Settings]:
    settings = batch_settings.replace(bedrock_batch_size=120)
    return channel(settings, tmp_path, "a"), channel(settings, tmp_path, "b")


def assert_complete(bedrock: BedrockServer, *channels: Settings) -> None:
    """Every text has its vector, and none was paid for twice."""
    for settings in channels:
        with connect(settings.output_path, read_only=True) as connection:
            assert count(connection, "SELECT count(*) FROM embeddings") == SHARED + OWN
    assert set(bedrock.charged.values()) == {1}
    assert len(bedrock.charged) == SHARED + len(channels) * OWN


def test_one_after_the_other_share_what_they_have_in_common(
    bedrock: BedrockServer, channels: tuple[Settings, Settings], s3: S3Client, bucket: str
) -> None:
    for settings in channels:
        pipeline.run(settings)
    assert_complete(bedrock, *channels)
    assert not [key for key in keys(s3, bucket) if key.startswith("fdnix-batch/")]


def test_what_one_left_under_way_is_there_for_it_after_the_other_ran_to_its_end(
    bedrock: BedrockServer, channels: tuple[Settings, Settings]
) -> None:
    first, second = channels
    bedrock.faults.hold = True
    with pytest.raises(UnfinishedError):
        pipeline.run(first.replace(bedrock_max_wait_time=0.3))
    bedrock.faults.hold = False
    pipeline.run(second)
    pipeline.run(first)
    assert_complete(bedrock, *channels)


def test_both_at_once_wait_for_one_another(
    bedrock: BedrockServer, channels: tuple[Settings, Settings]
) -> None:
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(pipeline.run, channels))
    assert [report.embedding and report.embedding.failed for report in reports] == [0, 0]
    assert_complete(bedrock, *channels)


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_and_however_often_they_give_up(
    bedrock: BedrockServer, channels: tuple[Settings, Settings], seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        bedrock.faults.hold = chance.random() < 0.5
        waits = chance.choice([0.1, 0.4, 1])
        with suppress(UnfinishedError):
            pipeline.run(chance.choice(channels).replace(bedrock_max_wait_time=waits))
    bedrock.faults.hold = False
    for settings in channels:
        pipeline.run(settings)
    assert_complete(bedrock, *channels)


def test_a_run_that_waited_in_vain_for_another_is_unfinished(
    bedrock: BedrockServer, channels: tuple[Settings, Settings]
) -> None:
    first, second = channels
    with batch_lock(first), pytest.raises(UnfinishedError, match="another run holds"):
        pipeline.run(second.replace(bedrock_max_wait_time=0.2))
    assert not bedrock.charged


def test_after_a_job_of_errors_alone_its_texts_are_asked_for_again(
    bedrock: BedrockServer, channels: tuple[Settings, Settings]
) -> None:
    first, _ = channels
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = ""
    with pytest.raises(AwsError):
        pipeline.run(first)
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = None
    bedrock.calls.clear()
    pipeline.run(first)
    assert bedrock.calls["CreateModelInvocationJob"] >= 2
    assert_complete(bedrock, first)


def test_vectors_of_a_refused_run_are_used_by_the_next(
    bedrock: BedrockServer, channels: tuple[Settings, Settings]
) -> None:
    first, _ = channels
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = "Of a"
    with pytest.raises(AwsError, match="130 of 280"):
        pipeline.run(first)
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = None
    pipeline.run(first)
    assert_complete(bedrock, first)


def test_jobs_of_two_buckets_never_share_a_name(
    bedrock: BedrockServer, channels: tuple[Settings, Settings], s3: S3Client, bucket: str
) -> None:
    one = channels[0].replace(processing_mode="embedding")
    pipeline.run(channels[0].replace(processing_mode="metadata"))
    s3.create_bucket(Bucket=f"{bucket}-trial")
    trial = one.replace(artifacts_bucket=f"{bucket}-trial", replace_embeddings=True)
    pipeline.run(
        channels[0].replace(processing_mode="metadata", artifacts_bucket=f"{bucket}-trial")
    )
    pipeline.run(one)
    submitted = bedrock.calls["CreateModelInvocationJob"]
    pipeline.run(trial.replace(force_rebuild_embeddings=True))
    assert bedrock.calls["CreateModelInvocationJob"] == 2 * submitted
