from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix.aws import session
from fdnix.settings import Settings, load_settings
from support.aws import REGION
from support.faulty_proxy import FaultyProxy, faulty_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def proxy(aws_endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A faulty proxy that our own clients go through; the fixtures' clients do not."""
    monkeypatch.setattr(session, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(session, "READ_TIMEOUT", 1)
    with faulty_proxy(aws_endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


@pytest.fixture
def upload_settings(bucket: str) -> Settings:
    return load_settings(
        {
            "AWS_REGION": REGION,
            "ARTIFACTS_BUCKET": bucket,
            "DUCKDB_DATA_KEY": "db/fdnix-data.duckdb",
            "DUCKDB_MINIFIED_KEY": "db/fdnix.duckdb",
        }
    )
