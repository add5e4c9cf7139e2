"""A local AWS: moto as a real HTTP server, and the environment that leads boto3 to it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from fdnix.aws.session import aws_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of a moto server on a free loopback port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_endpoint(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The moto server's URL, with the environment set so that boto3 knows no other AWS."""
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
