"""The function that reads the layer: its bundle, in AWS's own runtime client."""

from __future__ import annotations

import base64
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from fdnix.artifacts.lambda_function import Runtime, bundle_function
from fdnix.errors import DataError
from fdnix.search import SearchIndex
from support.lambda_runtime import (
    ARCHITECTURE,
    MEMORY,
    RUNTIME,
    running,
    unzipped_function,
    unzipped_layer,
    why_not_confined,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or RUNTIME not in get_args(Runtime), reason="needs a Lambda runtime"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that anybody may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def task(folder: Path) -> Path:
    return unzipped_function(folder)


def test_the_function_answers_as_the_server_does(task: Path, folder: Path, minified: Path) -> None:
    layer = unzipped_layer(folder, minified)
    with running(task, layer) as function, SearchIndex.open(minified) as index:
        answer = function("/api/v1/search", "q=terminal+file+manager&limit=3")
        hits = json.loads(answer["body"])["hits"]
        expected = index.search("terminal file manager", limit=3)
        assert [hit["package_id"] for hit in hits] == [hit.package_id for hit in expected]
        page = function("/", "q=ripgrep")
        assert page["headers"]["content-type"].startswith("text/html")
        assert "/package/ripgrep" in page["body"]
        packed = function("/", "q=ripgrep", **{"accept-encoding": "gzip"})
        unpacked = gzip.decompress(base64.b64decode(packed["body"])).decode()
        assert (packed["isBase64Encoded"], unpacked) == (True, page["body"])
        again = function("/", "q=ripgrep", **{"if-none-match": page["headers"]["etag"]})
        assert again["statusCode"] == 304
        assert function("/api/v1/packages/nothing")["statusCode"] == 404


def test_the_function_needs_no_more_than_lambda_gives(
    task: Path, folder: Path, minified: Path
) -> None:
    if reason := why_not_confined():
        pytest.skip(reason)
    with running(task, unzipped_layer(folder, minified), confined=True) as function:
        for path, query in (("/", "q=text+editor+license:mit"), ("/package/ripgrep", "")):
            assert function(path, query)["statusCode"] == 200
        assert function.peak_bytes() < MEMORY


def test_a_function_without_its_layer_says_so(task: Path, folder: Path) -> None:
    with running(task, folder / "none") as function:
        told = function("/")
    assert "none/fdnix/fdnix.duckdb" in told["errorMessage"]


def test_a_bundle_that_the_layer_leaves_no_room_for_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="LAYER_FUNCTION_BYTES="):
        bundle_function(folder / "x.zip", runtime=RUNTIME, architecture=ARCHITECTURE, room=1000)
    assert not (folder / "x.zip").exists()
