"""Whole runs against a local S3 and Lambda, each in a process and a directory of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.aws import REGION
from support.databases import swapped_blocks
from support.faulty_proxy import FaultyProxy, faulty_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings

SOURCE = Path(__file__).parents[2] / "src"


class Runs:
    """Runs of the command line, each as on a container that starts from nothing."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.directory = directory
        self.settings = settings
        catalogue = directory / "packages.json"
        self.packages = {
            name: {
                "name": f"{name}-1.0",
                "pname": name,
                "version": "1.0",
                "system": "x86_64-linux",
                "meta": {"description": f"A {name} of great use"},
            }
            for name in ("anvil", "bellows", "chisel", "drill")
        }
        self.settings["NIXPKGS_SOURCE"] = str(catalogue)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        here = self.directory / uuid.uuid4().hex
        here.mkdir()
        (self.directory / "packages.json").write_text(json.dumps(self.packages))
        environ = {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "OUTPUT_PATH": str(here / "full.duckdb"),
            "OUTPUT_MINIFIED_PATH": str(here / "fdnix.duckdb"),
            **self.settings,
            **settings,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "fdnix", *arguments],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **settings: str) -> tuple[int, Any, str]:
        """Exit code, the JSON report or None, and what was said."""
        process = self.start(*(arguments or ("run",)), "--json", **settings)
        out, err = process.communicate(timeout=120)
        return process.returncode, json.loads(out) if out else None, err


@pytest.fixture
def network(aws_endpoint: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(aws_endpoint) as proxy:
        yield proxy


@pytest.fixture
def runs(network: FaultyProxy, bucket: str, tmp_path: Path) -> Runs:
    return Runs(
        tmp_path,
        {
            "AWS_ENDPOINT_URL": network.url,
            "AWS_ENDPOINT_URL_S3": network.url,
            "AWS_REGION": REGION,
            "ARTIFACTS_BUCKET": bucket,
            "DUCKDB_DATA_KEY": "nightly/{date}/full.duckdb",
            "DUCKDB_MINIFIED_KEY": "nightly/{date}/fdnix.duckdb",
            "ARTIFACT_LATEST_ALIAS": "true",
            "ARTIFACT_LOCK_SECONDS": "3",
        },
    )


def contents(s3: S3Client, bucket: str) -> dict[str, str]:
    """Key and SHA-256 of all that lies in the bucket."""
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        entry["Key"]: s3.head_object(Bucket=bucket, Key=entry["Key"])["Metadata"].get("sha256", "")
        for entry in listed
    }


def test_nights_in_fresh_containers_embed_only_what_changed_and_can_be_rolled_back(
    runs: Runs, s3: S3Client, bucket: str
) -> None:
    layer = f"fdnix-{uuid.uuid4().hex[:8]}"
    publish = {"PUBLISH_LAYER": "yes", "LAYER_ARN": layer}
    for mode in ("metadata", "embedding", "minified"):
        code, first, said = runs.run(**publish, PROCESSING_MODE=mode)
        assert code == 0, said
        assert list(first["seconds"]) == [mode]
    assert first["minified"]["vectors"] == 4
    assert first["layer"]["published"]
    monday = contents(s3, bucket)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert sorted(monday) == [
        f"nightly/{today}/fdnix.duckdb",
        f"nightly/{today}/full.duckdb",
        "nightly/latest/fdnix.duckdb",
        "nightly/latest/full.duckdb",
    ]

    code, unchanged, said = runs.run(**publish)
    assert code == 0, said
    assert unchanged["metadata"]["unchanged"]
    assert unchanged["minified"]["unchanged"]
    assert unchanged["layer"] == {**first["layer"], "published": False}
    assert contents(s3, bucket) == monday

    runs.packages["anvil"]["meta"] = {"description": "Something else entirely"}
    keys = {
        "DUCKDB_DATA_KEY": "nightly/{timestamp}/full.duckdb",
        "DUCKDB_MINIFIED_KEY": "nightly/{timestamp}/fdnix.duckdb",
    }
    code, changed, said = runs.run(**publish, **keys)
    assert code == 0, said
    assert (changed["embedding"]["embedded"], changed["embedding"]["reused"]) == (1, 3)
    assert changed["layer"]["arn"].endswith(f":{layer}:2")
    latest = contents(s3, bucket)
    assert latest["nightly/latest/fdnix.duckdb"] != monday["nightly/latest/fdnix.duckdb"]

    code, listed, said = runs.run("snapshots")
    assert code == 0, said
    assert [one["name"] for one in listed] == [today]
    code, _, said = runs.run("rollback", today)
    assert code == 0, said
    restored = contents(s3, bucket)
    assert restored["nightly/latest/fdnix.duckdb"] == monday["nightly/latest/fdnix.duckdb"]
    assert restored["nightly/latest/full.duckdb"] == monday["nightly/latest/full.duckdb"]


@pytest.mark.parametrize(
    ("fault", "method", "path", "says"),
    [
        ("deny", "PUT", r"\.lock", ["fdnix.duckdb.lock", "AccessDenied", "deploy/iam"]),
        ("deny", "PUT", r"/full\.duckdb", ["full.duckdb", "AccessDenied", "deploy/iam"]),
        ("corrupt", "GET", r"latest/full", ["latest/full.duckdb", "SHA-256", "fdnix rollback"]),
    ],
    ids=["lock denied", "upload denied", "download damaged"],
)
def test_a_fault_of_s3_ends_the_run_with_cause_and_remedy_and_harms_nothing(
    runs: Runs,
    network: FaultyProxy,
    s3: S3Client,
    bucket: str,
    fault: Any,
    method: str,
    path: str,
    says: list[str],
) -> None:
    assert runs.run(PROCESSING_MODE="metadata")[0] == 0
    before = contents(s3, bucket)
    runs.packages["anvil"]["meta"] = {"description": "Something else entirely"}
    network.fail(fault, method, path)

    code, report, said = runs.run(PROCESSING_MODE="metadata")

    assert (code, report) == (5, None), said
    assert all(word in said for word in says), said
    network.heal()
    left = contents(s3, bucket)
    assert {key: value for key, value in left.items() if not key.endswith(".lock")} == before


def test_a_database_put_there_by_hand_over_which_duckdb_crashes_is_refused(
    runs: Runs, s3: S3Client, bucket: str, indexed: Settings
) -> None:
    key = "nightly/latest/full.duckdb"
    for content in swapped_blocks(indexed.output_path):
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        code, _, said = runs.run("embed")
        assert code >= 0
        if "crashed" in said:
            assert code == 4
            assert re.search(
                f"fdnix: s3://{bucket}/{key} cannot be used: .*: "
                r"DuckDB crashed over it; the file is damaged\n$",
                said,
            )
            return
    pytest.skip("this DuckDB crashes over none of these files")


def test_no_bucket_is_said_before_any_work(runs: Runs) -> None:
    code, _, said = runs.run(ARTIFACTS_BUCKET="fdnix-no-such-bucket")
    assert code == 5
    assert "NoSuchBucket" in said
    assert "create the bucket" in said
    assert "phase" not in said


def test_a_second_run_stops_while_the_first_is_at_work(
    runs: Runs, network: FaultyProxy, s3: S3Client, bucket: str
) -> None:
    stall = network.fail("stall", "PUT", r"full\.duckdb$", times=1, seconds=8)
    first = runs.start("metadata")
    while not stall.hits:
        assert first.poll() is None
        time.sleep(0.05)

    code, _, said = runs.run("metadata")

    assert code == 75
    assert f"another run holds the lock s3://{bucket}/nightly/latest/" in said
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert not [key for key in contents(s3, bucket) if key.endswith(".lock")]


def test_a_run_killed_while_it_uploads_is_completed_by_the_next(
    runs: Runs, network: FaultyProxy, s3: S3Client, bucket: str
) -> None:
    stall = network.fail("stall", "PUT", r"/full\.duckdb$", times=1, seconds=60)
    killed = runs.start("metadata")
    while not stall.hits:
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    network.heal()
    assert all(key.endswith(".lock") for key in contents(s3, bucket))

    time.sleep(4)
    code, report, said = runs.run("metadata")
    assert code == 0, said
    assert "took over the stale lock" in said
    assert report["metadata"]["packages"] == 4
    assert max(contents(s3, bucket)) == "nightly/latest/full.duckdb"


def test_missing_settings_are_said_before_any_work(runs: Runs, network: FaultyProxy) -> None:
    code, _, said = runs.run(PUBLISH_LAYER="1", LAYER_ARN="", DUCKDB_MINIFIED_KEY="", AWS_REGION="")
    assert code == 2
    assert "needs LAYER_ARN, AWS_REGION, DUCKDB_MINIFIED_KEY" in said
    assert network.requests == []
