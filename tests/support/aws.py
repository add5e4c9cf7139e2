"""A local AWS: moto as a real HTTP server, and the environment that leads boto3 to it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from fdnix import aws
from fdnix.aws import aws_client
from fdnix.settings import Settings, load_settings
from support import bedrock_server
from support.bedrock_server import BedrockServer
from support.faulty_proxy import FaultyProxy, faulty_proxy
from support.moto_server import MotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

REGION = bedrock_server.REGION
ACCOUNT = bedrock_server.ACCOUNT
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fdnix-bedrock-batch"


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """A moto server on a free loopback port."""
    server = MotoServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def aws_endpoint(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The moto server's URL, with the environment set so that boto3 knows no other AWS."""
    moto_url = moto_server.url
    for name, value in {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ENDPOINT_URL_S3": moto_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    return moto_url


@pytest.fixture
def s3(aws_endpoint: str) -> S3Client:
    """An S3 client of the moto server."""
    return aws_client("s3", REGION)


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """The name of a new, empty bucket."""
    name = f"fdnix-test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def proxy(aws_endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A faulty proxy that our own clients go through; the fixtures' clients do not."""
    monkeypatch.setattr(aws, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(aws, "READ_TIMEOUT", 1)
    with faulty_proxy(aws_endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


@pytest.fixture
def upload_settings(bucket: str) -> Settings:
    """Settings that put both databases into `bucket`."""
    return load_settings(
        {},
        aws_region=REGION,
        artifacts_bucket=bucket,
        duckdb_data_key="db/fdnix-data.duckdb",
        duckdb_minified_key="db/fdnix.duckdb",
    )


@pytest.fixture
def bedrock(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BedrockServer]:
    """A Bedrock that nobody has asked for anything yet, and that boto3 is led to."""
    server = BedrockServer(aws_endpoint)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", server.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
    yield server
    server.faults.hold = False
    server.stop()


@pytest.fixture
def batch_settings(bucket: str) -> Settings:
    """Settings of batch inference over `bucket`, with a poll interval for the impatient."""
    return load_settings(
        {},
        aws_region=REGION,
        artifacts_bucket=bucket,
        bedrock_role_arn=ROLE,
        bedrock_poll_interval=0.05,
        bedrock_max_wait_time=30,
    )
