"""The function that reads the layer: its bundle, in AWS's own runtime client."""

from __future__ import annotations

import base64
import gzip
import json
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from fdnix.artifacts.lambda_function import Runtime, bundle_function
from fdnix.errors import DataError
from fdnix.search import SearchIndex
from support.lambda_runtime import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.artifacts.lambda_layer import Architecture

ROOM = 67_000_000
RUNTIME: Any = f"python3.{sys.version_info.minor}"
ARCHITECTURE: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"

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
    bundle = bundle_function(
        folder / "function.zip", runtime=RUNTIME, architecture=ARCHITECTURE, room=ROOM
    )
    unzipped = folder / "task"
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(unzipped)
    assert bundle.unzipped == sum(
        file.stat().st_size for file in unzipped.rglob("*") if file.is_file()
    )
    return unzipped


@pytest.fixture(scope="module")
def layer(folder: Path, minified: Path) -> Path:
    path = folder / "fdnix.duckdb"
    shutil.copyfile(minified, path)
    path.chmod(0o444)
    return path


def test_the_function_answers_as_the_server_does(task: Path, layer: Path) -> None:
    with running(task, layer) as function, SearchIndex.open(layer) as index:
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
        assert function.peak_bytes() < 512_000_000


def test_a_function_without_its_layer_says_so(task: Path, folder: Path) -> None:
    with running(task, folder / "none.duckdb") as function:
        told = function("/")
    assert "none.duckdb" in told["errorMessage"]


def test_a_bundle_that_the_layer_leaves_no_room_for_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="LAYER_FUNCTION_BYTES="):
        bundle_function(folder / "x.zip", runtime=RUNTIME, architecture=ARCHITECTURE, room=1000)
    assert not (folder / "x.zip").exists()
