"""The whole run with Bedrock and S3, from containers that start with nothing."""

from __future__ import annotations

import json
import time
from collections import deque
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fdnix import pipeline
from fdnix.cli import cli
from fdnix.database.connection import connect
from fdnix.embedding.bedrock.batch import bedrock_provider
from fdnix.embedding.phase import embed_database
from fdnix.errors import AwsError, SettingsError, UnfinishedError
from support.batch_texts import keys
from support.bedrock_server import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer

CHANGED = 40


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The bundled sample, as a file."""
    path = tmp_path / "packages.json"
    path.write_bytes((resources.files("fdnix.nixpkgs") / "sample.json").read_bytes())
    return path


@pytest.fixture
def settings(batch_settings: Settings, catalogue: Path) -> Settings:
    return batch_settings.replace(
        nixpkgs_source=str(catalogue),
        duckdb_data_key="fdnix-data.duckdb",
        duckdb_minified_key="fdnix.duckdb",
    )


def container(settings: Settings, at: Path) -> Settings:
    """The settings of a container whose disk is the empty directory `at`."""
    return settings.replace(
        output_path=at / "fdnix-data.duckdb", output_minified_path=at / "fdnix.duckdb"
    )


def change(catalogue: Path, count: int) -> None:
    """Give the first `count` packages another description."""
    packages = json.loads(catalogue.read_text(encoding="utf-8"))
    for entry in list(packages.values())[:count]:
        entry["meta"]["description"] = f"Changed: {entry['name']}"
    catalogue.write_text(json.dumps(packages), encoding="utf-8")


def counts(path: Path) -> tuple[int, int]:
    """How many vectors and failures a full database holds."""
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM embeddings), (SELECT count(*) FROM embedding_failures)"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_nightly_run_asks_for_what_changed_and_reuses_the_rest(
    bedrock: BedrockServer, settings: Settings, catalogue: Path, tmp_path: Path
) -> None:
    first = pipeline.run(container(settings, tmp_path / "first")).embedding
    assert first is not None
    assert first.embedded == first.distinct_texts == sum(bedrock.charged.values())
    change(catalogue, CHANGED)
    bedrock.charged.clear()
    second = pipeline.run(container(settings, tmp_path / "second")).embedding
    assert second is not None
    assert second.embedded == CHANGED == sum(bedrock.charged.values())
    assert second.reused == second.distinct_texts - CHANGED
    assert bedrock.calls["CreateModelInvocationJob"] == 1


@pytest.mark.parametrize("changed", [None, CHANGED])
def test_a_job_of_errors_alone_ends_with_5_and_both_databases_stand(
    bedrock: BedrockServer,
    settings: Settings,
    catalogue: Path,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changed: int | None,
) -> None:
    first = container(settings, tmp_path / "first")
    pipeline.run(first)
    vectors = counts(first.output_path)
    minified = s3.head_object(Bucket=bucket, Key="fdnix.duckdb")["ETag"]
    if changed:
        change(catalogue, changed)
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = ""
    caplog.clear()
    second = container(settings, tmp_path / "second")
    with pytest.raises(AwsError, match=r"[0-9]+ times: .*could not process") as info:
        pipeline.run(second.replace(force_rebuild_embeddings=changed is None))
    assert info.value.exit_code == 5
    assert len(caplog.records) < 20
    stands = vectors[0] - (changed or 0)
    assert counts(second.output_path) == (stands, 0)
    assert not second.output_minified_path.exists()
    assert s3.head_object(Bucket=bucket, Key="fdnix.duckdb")["ETag"] == minified
    pipeline.run(container(settings.replace(processing_mode="metadata"), tmp_path / "third"))
    assert counts(tmp_path / "third/fdnix-data.duckdb") == (stands, 0)


def test_a_failed_job_of_many_texts_ends_with_5_and_the_others_vectors_are_paid_for_once(
    bedrock: BedrockServer,
    settings: Settings,
    catalogue: Path,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
) -> None:
    pipeline.run(container(settings, tmp_path / "first"))
    before = s3.head_object(Bucket=bucket, Key="fdnix.duckdb")["ETag"]
    change(catalogue, 300)
    bedrock.charged.clear()
    bedrock.faults.outcomes = deque([Outcome("Failed", "The role cannot be assumed")])
    second = container(settings.replace(bedrock_batch_size=150), tmp_path / "second")
    with pytest.raises(
        AwsError, match=r"150 times: .*The role cannot be assumed.*BEDROCK_ROLE_ARN"
    ):
        pipeline.run(second)
    total, failed = counts(second.output_path)
    assert failed == 0
    assert s3.head_object(Bucket=bucket, Key="fdnix.duckdb")["ETag"] == before
    third = container(settings, tmp_path / "third")
    report = pipeline.run(third).embedding
    assert report is not None
    assert report.embedded == 300
    assert counts(third.output_path) == (total + 300, 0)
    assert set(bedrock.charged.values()) == {1}


def test_a_failed_job_within_the_limit_is_told_and_costs_no_other_phase(
    bedrock: BedrockServer, settings: Settings, catalogue: Path, tmp_path: Path
) -> None:
    bedrock.faults.outcomes = deque([Outcome("Failed", "The role cannot be assumed")])
    settings = settings.replace(bedrock_batch_size=150, unembedded_limit=0.9)
    report = pipeline.run(container(settings, tmp_path / "first"))
    assert report.embedding
    assert report.embedding.failed == 150
    assert report.minified
    assert report.minified.vectors == report.embedding.distinct_texts - 150


def test_a_run_past_the_wait_time_is_taken_up_by_another_container(
    bedrock: BedrockServer, settings: Settings, tmp_path: Path
) -> None:
    bedrock.faults.hold = True
    with pytest.raises(UnfinishedError) as info:
        pipeline.run(container(settings.replace(bedrock_max_wait_time=0.3), tmp_path / "first"))
    assert info.value.exit_code == 75
    bedrock.faults.hold = False
    report = pipeline.run(container(settings, tmp_path / "second")).embedding
    assert report is not None
    assert report.embedded == report.distinct_texts
    assert set(bedrock.charged.values()) == {1}
    assert bedrock.calls["CreateModelInvocationJob"] == 1


def test_a_host_that_kept_an_older_database_goes_on_with_the_newer_one_in_s3(
    bedrock: BedrockServer, settings: Settings, catalogue: Path, tmp_path: Path
) -> None:
    first = container(settings, tmp_path / "first")
    pipeline.run(first)
    time.sleep(1.1)  # files and objects tell their age in seconds
    change(catalogue, CHANGED)
    pipeline.run(container(settings, tmp_path / "second"))
    report = pipeline.run(first)
    assert report.metadata
    assert report.metadata.unchanged
    assert report.embedding
    assert report.embedding.embedded == 0
    assert set(bedrock.charged.values()) == {1}


def test_what_a_run_stored_and_could_not_confirm_is_removed_by_the_next(
    bedrock: BedrockServer, settings: Settings, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    here = container(settings, tmp_path).replace(bedrock_batch_size=250)
    pipeline.run(here.replace(processing_mode="metadata"))
    # As a run that is killed between its last two steps.
    embed_database(here.output_path, bedrock_provider(here), hnsw=pipeline.hnsw_options(here))
    assert any("fdnix-batch/" in key for key in keys(s3, bucket))
    report = pipeline.run(here)
    assert report.embedding
    assert report.embedding.embedded == 0
    assert not any("fdnix-batch/" in key for key in keys(s3, bucket))
    assert set(bedrock.charged.values()) == {1}


def test_a_database_that_was_not_uploaded_yet_stays_before_an_older_one_in_s3(
    bedrock: BedrockServer, settings: Settings, catalogue: Path, tmp_path: Path
) -> None:
    here = container(settings, tmp_path / "first")
    pipeline.run(here)
    time.sleep(1.1)
    change(catalogue, CHANGED)
    pipeline.run(here.replace(duckdb_data_key=None, duckdb_minified_key=None))
    report = pipeline.run(here)
    assert report.metadata
    assert report.metadata.unchanged
    assert set(bedrock.charged.values()) == {1}


def test_a_forgotten_role_costs_no_vector_that_was_paid_for(
    bedrock: BedrockServer, settings: Settings, catalogue: Path, tmp_path: Path
) -> None:
    first = pipeline.run(container(settings, tmp_path / "first")).embedding
    assert first is not None
    change(catalogue, CHANGED)
    forgotten = settings.replace(bedrock_role_arn=None)
    with pytest.raises(SettingsError, match=r"vectors are from bedrock .*BEDROCK_ROLE_ARN"):
        pipeline.run(container(forgotten, tmp_path / "second"))
    bedrock.charged.clear()
    third = pipeline.run(container(settings, tmp_path / "third")).embedding
    assert third is not None
    assert third.embedded == CHANGED == sum(bedrock.charged.values())


def test_a_dry_run_says_what_it_would_send_and_asks_nobody(
    bedrock: BedrockServer, settings: Settings, tmp_path: Path
) -> None:
    here = container(settings, tmp_path / "first").replace(processing_mode="metadata")
    metadata = pipeline.run(here).metadata
    assert metadata is not None
    environ = {
        "OUTPUT_PATH": str(here.output_path),
        "AWS_REGION": str(here.aws_region),
        "ARTIFACTS_BUCKET": str(here.artifacts_bucket),
        "BEDROCK_ROLE_ARN": str(here.bedrock_role_arn),
    }
    done = CliRunner().invoke(cli, ["embed", "--dry-run", "--json"], env=environ)
    estimate = json.loads(done.stdout)
    assert estimate["texts"] == metadata.distinct_texts
    assert estimate["jobs"] == 1
    assert estimate["usd"] > 0
    assert not bedrock.calls


def test_a_dry_run_counts_no_text_whose_vector_another_run_left(
    bedrock: BedrockServer,
    settings: Settings,
    catalogue: Path,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
) -> None:
    one = container(settings, tmp_path / "one").replace(processing_mode="metadata")
    pipeline.run(one)
    pipeline.run(one.replace(processing_mode="embedding"))
    change(catalogue, CHANGED)
    other = container(settings, tmp_path / "other").replace(duckdb_data_key=None)
    pipeline.run(other.replace(processing_mode="metadata"))
    assert pipeline.estimate_embedding(other).texts == CHANGED
    rebuilt = other.replace(force_rebuild_embeddings=True)
    assert pipeline.estimate_embedding(rebuilt).texts > CHANGED
    # What is read counts as new for a rule that removes what is old.
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    before = {item["Key"]: item["LastModified"] for item in listed if "/vectors/" in item["Key"]}
    time.sleep(1)  # the precision of S3's clock
    pipeline.run(other.replace(processing_mode="embedding"))
    assert sum(bedrock.charged.values()) == len(bedrock.charged)
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    after = {item["Key"]: item["LastModified"] for item in listed if "/vectors/" in item["Key"]}
    assert all(after[key] > moment for key, moment in before.items())
