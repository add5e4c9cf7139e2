"""Files to S3 and back, whole or not at all.

Every object written here carries the SHA-256 of its file as metadata `sha256`. S3's own SHA-256
of an object sent in parts is a checksum of the parts' checksums (Amazon S3 user guide, "Checking
object integrity"): it proves each part in transit, but a file on disk cannot be held against it.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fdnix.aws import error_code, explained
from fdnix.database.atomic import building
from fdnix.errors import AwsError
from fdnix.progress import log, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

SHA256 = "sha256"
_IF_DAMAGED = (
    "if running again does not help, the object is damaged: make an earlier snapshot the latest "
    "with `fdnix rollback`, or build it again with `fdnix run`"
)
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True, slots=True)
class Location:
    """An object's place in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """The place as people write it."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """What S3 says of an object: bytes, when it was written, and its metadata."""

    at: Location
    size: int
    last_modified: datetime
    metadata: Mapping[str, str]


def head(s3: S3Client, at: Location) -> RemoteObject | None:
    """What S3 says of the object, or None when there is no such object.

    Raises:
        AwsError: S3 refuses. Without `s3:ListBucket` it refuses instead of saying "not found".
    """
    with explained(f"read {at}"):
        try:
            found = s3.head_object(Bucket=at.bucket, Key=at.key)
        except s3.exceptions.ClientError as error:
            if error_code(error) in _ABSENT:
                return None
            raise
    return RemoteObject(at, found["ContentLength"], found["LastModified"], found["Metadata"])


def upload(
    s3: S3Client, path: Path, at: Location, *, content_type: str, metadata: Mapping[str, str]
) -> RemoteObject:
    """The object that now holds the file; when it did already, nothing is sent.

    A large file goes in parts, several at once; the object appears when all have arrived, and an
    upload that fails leaves the object that was there before.

    Raises:
        AwsError: S3 refuses or fails.
    """
    metadata = {**metadata, SHA256: file_sha256(path)}
    there = head(s3, at)
    if there and there.metadata == metadata:
        log.info("%s holds %s already", at, path.name)
        return there
    size = path.stat().st_size
    with progress(f"upload {at}", size) as advance, explained(f"write {at}"), _transfer_errors(at):
        s3.upload_file(
            str(path),
            at.bucket,
            at.key,
            ExtraArgs={
                "ChecksumAlgorithm": "SHA256",
                "ContentType": content_type,
                "Metadata": metadata,
            },
            Callback=advance,
        )
    log.info("%s uploaded to %s", path.name, at)
    return RemoteObject(at, size, datetime.now(UTC), metadata)


def download(
    s3: S3Client, remote: RemoteObject, path: Path, *, verify: Callable[[Path], None]
) -> None:
    """Put the object at `path`, in one step and only when it arrived whole and `verify` let it be.

    Args:
        s3: the client.
        remote: the object, as `head` described it.
        path: where the file goes; what is there is replaced.
        verify: called with the complete file under a temporary name; raises to refuse it.

    Raises:
        AwsError: S3 refuses or fails, or what arrived is not what was uploaded.
    """
    with building(path) as part:
        with (
            progress(f"download {remote.at}", remote.size) as advance,
            explained(f"read {remote.at}"),
            _transfer_errors(remote.at),
            part.open("wb") as file,
        ):
            s3.download_fileobj(remote.at.bucket, remote.at.key, file, Callback=advance)
        _refuse_damaged(part, remote)
        verify(part)


def copy(s3: S3Client, source: Location, target: Location) -> None:
    """Copy an object within S3, metadata and all, in one step.

    S3 copies at most 5 GB in one request (API reference, CopyObject), twenty times what a
    database of all nixpkgs takes; beyond that this fails with S3's own message.

    Raises:
        AwsError: S3 refuses or fails.
    """
    with explained(f"copy {source} to {target}"):
        s3.copy_object(
            Bucket=target.bucket,
            Key=target.key,
            CopySource={"Bucket": source.bucket, "Key": source.key},
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_damaged(part: Path, remote: RemoteObject) -> None:
    size = part.stat().st_size
    if size != remote.size:
        raise AwsError(
            f"{remote.at}: {size:,} bytes arrived of {remote.size:,}; run again, "
            "and look at what lies between this machine and S3 if that does not help"
        )
    expected = remote.metadata.get(SHA256)
    if expected is not None and (actual := file_sha256(part)) != expected:
        raise AwsError(
            f"{remote.at}: what arrived has the SHA-256 {actual}, what was uploaded had "
            f"{expected}; {_IF_DAMAGED}"
        )


@contextmanager
def _transfer_errors(at: Location) -> Iterator[None]:
    """Inside the block, the transfer manager's own errors give way to what caused them."""
    from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415
    from botocore.exceptions import FlexibleChecksumError  # noqa: PLC0415
    from s3transfer.exceptions import (  # noqa: PLC0415
        RetriesExceededError,
        S3DownloadFailedError,
    )

    try:
        yield
    except S3UploadFailedError as error:
        # boto3 raises it while it handles S3's answer, which is what tells cause and remedy.
        raise error.__context__ or error from None
    except FlexibleChecksumError as error:
        # S3 keeps the SHA-256 of an object that was sent in one part, and botocore looks at it.
        raise AwsError(
            f"{at}: what arrived has another SHA-256 than what was uploaded: {error}; {_IF_DAMAGED}"
        ) from error
    except S3DownloadFailedError as error:
        raise AwsError(f"{at} was replaced while it came down; run again") from error
    except RetriesExceededError as error:
        raise AwsError(
            f"could not read {at}: the connection broke each of several times, last with: "
            f"{error.last_exception}; check the network and run again"
        ) from error
