from __future__ import annotations

import hashlib
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from fdnix.artifacts import transfer
from fdnix.artifacts.transfer import Location
from fdnix.aws import aws_client
from fdnix.errors import AwsError, DataError, SettingsError
from support.aws import REGION

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from support.faulty_proxy import FaultyProxy

LARGE = os.urandom(9 << 20)
"""Bytes that go up and come down in several parts."""

OLD = b"checksumDUCK"
"""The start of a DuckDB file; a download replaces no other kind."""


def accept(_: Path) -> None:
    """Accept any file."""


def put(s3: S3Client, at: Location, directory: Path, content: bytes) -> Path:
    file = directory / "source"
    file.write_bytes(content)
    transfer.upload(s3, file, at, content_type="text/plain", metadata={"colour": "blue"})
    return file


def get(s3: S3Client, at: Location, path: Path) -> None:
    remote = transfer.head(s3, at)
    assert remote is not None
    transfer.download(s3, remote, path, verify=accept)


@pytest.fixture
def at(bucket: str) -> Location:
    return Location(bucket, "dir/file")


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_file_comes_back_as_it_went(
    s3: S3Client, at: Location, tmp_path: Path, content: bytes
) -> None:
    put(s3, at, tmp_path, content)
    get(s3, at, tmp_path / "deep" / "target")

    assert (tmp_path / "deep" / "target").read_bytes() == content
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["target"]


def test_an_object_carries_content_type_metadata_and_both_checksums(
    s3: S3Client, at: Location, tmp_path: Path
) -> None:
    put(s3, at, tmp_path, LARGE)

    found = s3.head_object(Bucket=at.bucket, Key=at.key, ChecksumMode="ENABLED")
    assert found["ContentType"] == "text/plain"
    assert found["ChecksumSHA256"]
    assert found["Metadata"] == {"colour": "blue", "sha256": hashlib.sha256(LARGE).hexdigest()}


def test_the_same_file_is_sent_once(proxy: FaultyProxy, at: Location, tmp_path: Path) -> None:
    s3 = aws_client("s3", REGION)
    sent = []
    for content in (b"same", b"same", b"other"):
        proxy.requests.clear()
        put(s3, at, tmp_path, content)
        sent.append(any(request.startswith("PUT") for request in proxy.requests))

    assert sent == [True, False, True]


def test_a_missing_object_is_none(s3: S3Client, at: Location) -> None:
    assert transfer.head(s3, at) is None


def test_a_file_that_is_refused_leaves_what_was_there(
    s3: S3Client, at: Location, tmp_path: Path
) -> None:
    put(s3, at, tmp_path, b"new")
    target = tmp_path / "out" / "target"
    target.parent.mkdir()
    target.write_bytes(OLD)

    def refuse(part: Path) -> None:
        assert part.read_bytes() == b"new"
        raise DataError("not this one")

    remote = transfer.head(s3, at)
    assert remote is not None
    with pytest.raises(DataError, match="not this one"):
        transfer.download(s3, remote, target, verify=refuse)
    assert target.read_bytes() == OLD
    assert [p.name for p in target.parent.iterdir()] == ["target"]


def test_a_copy_keeps_content_and_metadata(s3: S3Client, at: Location, tmp_path: Path) -> None:
    put(s3, at, tmp_path, b"content")
    copied = Location(at.bucket, "copy")

    transfer.copy(s3, at, copied)

    there, here = transfer.head(s3, copied), transfer.head(s3, at)
    assert there is not None
    assert here is not None
    assert there.metadata == here.metadata
    get(s3, copied, tmp_path / "target")


def test_no_bucket_is_said_with_what_to_do(s3: S3Client, tmp_path: Path) -> None:
    nowhere = Location("fdnix-no-such-bucket", "key")
    with pytest.raises(AwsError, match=r"s3://fdnix-no-such-bucket/key.*NoSuchBucket.*create"):
        put(s3, nowhere, tmp_path, b"content")


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_access_denied_names_the_object_and_the_policies(
    proxy: FaultyProxy, at: Location, tmp_path: Path, method: str
) -> None:
    proxy.fail("deny", method)
    with pytest.raises(AwsError, match=rf"{at}.*(403|AccessDenied).*deploy/iam"):
        put(aws_client("s3", REGION), at, tmp_path, b"content")


@pytest.mark.parametrize("fault", ["error", "slow down", "cut", "lose answer"])
def test_passing_faults_of_s3_are_ridden_out(
    proxy: FaultyProxy, at: Location, tmp_path: Path, fault: str
) -> None:
    s3 = aws_client("s3", REGION)
    up = proxy.fail(fault, "PUT|POST", times=1)  # type: ignore[arg-type]
    put(s3, at, tmp_path, LARGE)
    down = proxy.fail(fault, "GET", times=1)  # type: ignore[arg-type]
    get(s3, at, tmp_path / "target")

    assert (up.hits, down.hits) == (1, 1)
    assert (tmp_path / "target").read_bytes() == LARGE


def test_a_stalled_server_is_asked_again(proxy: FaultyProxy, at: Location, tmp_path: Path) -> None:
    s3 = aws_client("s3", REGION)
    put(s3, at, tmp_path, b"content")
    stall = proxy.fail("stall", "GET", times=2, seconds=3)
    get(s3, at, tmp_path / "target")

    # Not waited for, of which there would be one.
    assert stall.hits == 2
    assert (tmp_path / "target").read_bytes() == b"content"


@pytest.mark.parametrize("fault", ["error", "reject"])
def test_an_upload_that_keeps_failing_leaves_the_old_object(
    proxy: FaultyProxy, s3: S3Client, at: Location, tmp_path: Path, fault: str
) -> None:
    put(s3, at, tmp_path, b"old")
    proxy.fail(fault, "PUT", r"partNumber=2")  # type: ignore[arg-type]

    with pytest.raises(AwsError, match=rf"could not write {at}"):
        put(aws_client("s3", REGION), at, tmp_path, LARGE)
    get(s3, at, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"
    assert not s3.list_multipart_uploads(Bucket=at.bucket).get("Uploads")


@pytest.mark.parametrize("fault", ["error", "cut", "corrupt", "deny"])
def test_a_download_that_keeps_failing_leaves_the_old_file(
    proxy: FaultyProxy, s3: S3Client, at: Location, tmp_path: Path, fault: str
) -> None:
    put(s3, at, tmp_path, LARGE)
    target = tmp_path / "out" / "target"
    target.parent.mkdir()
    target.write_bytes(OLD)
    proxy.fail(fault, "GET")  # type: ignore[arg-type]

    with pytest.raises(AwsError, match=rf"{at}"):
        get(aws_client("s3", REGION), at, target)
    assert target.read_bytes() == OLD
    assert [p.name for p in target.parent.iterdir()] == ["target"]


def test_a_full_disk_is_named_and_leaves_the_old_file(
    s3: S3Client, at: Location, tmp_path: Path
) -> None:
    put(s3, at, tmp_path, LARGE)
    target = tmp_path / "target"
    target.write_bytes(OLD)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(SettingsError, match=r"target: could not be built: .*File too large"):
            get(s3, at, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_damage_that_no_transport_notices_is_found_by_the_files_own_checksum(
    s3: S3Client, at: Location, tmp_path: Path
) -> None:
    s3.put_object(
        Bucket=at.bucket,
        Key=at.key,
        Body=b"damaged",
        Metadata={"sha256": hashlib.sha256(b"sound").hexdigest()},
    )
    with pytest.raises(AwsError, match=rf"{at}: what arrived has the SHA-256 .*fdnix rollback"):
        get(s3, at, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_object_replaced_while_it_comes_down_is_never_mixed(
    proxy: FaultyProxy, s3: S3Client, at: Location, tmp_path: Path
) -> None:
    put(s3, at, tmp_path, LARGE)
    proxy.fail("stall", "GET", seconds=0.4)
    other = tmp_path / "other"
    other.mkdir()
    replacing = threading.Timer(0.2, put, (s3, at, other, LARGE[::-1]))
    replacing.start()
    try:
        get(aws_client("s3", REGION), at, tmp_path / "target")
    except AwsError:
        assert not (tmp_path / "target").exists()
    else:
        assert (tmp_path / "target").read_bytes() in (LARGE, LARGE[::-1])
    finally:
        replacing.join()
