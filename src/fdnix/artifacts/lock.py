"""A lock in S3, so that two runs never mix their artifacts.

The lock is an object written with S3's conditional writes (Amazon S3 user guide, "Conditional
requests"): `If-None-Match: *` lets one of two runs create it, `If-Match` lets one of two runs
renew it or take over a stale one. Age is what S3's clock says, so the machines' own do not matter.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
import uuid
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from fdnix.aws import error_code, explained
from fdnix.errors import AwsError, FdnixError, UnfinishedError
from fdnix.progress import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from fdnix.artifacts.transfer import Location

_ATTEMPTS = 5
_LOST_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"})


class _Claim(msgspec.Struct, frozen=True):
    """The lock object's content."""

    owner: str
    started_at: datetime
    expires_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class _Found:
    claim: _Claim
    etag: str
    age: timedelta


@contextmanager
def locked(s3: S3Client, at: Location, *, seconds: float) -> Iterator[Callable[[], None]]:
    """Hold the lock object `at` inside the block, renewed as long as this process lives.

    Yields a function that raises once the lock is no longer surely ours: call it before each
    write that the lock protects.

    Args:
        s3: the client.
        at: the lock object.
        seconds: without renewal for so long, the lock is stale and another run may take it over.

    Raises:
        UnfinishedError: another run holds the lock, or took it over.
        AwsError: S3 refuses or fails.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    holder = _Holder(s3, at, _Claim(owner, _now(), _now(), seconds))
    try:
        holder.start()
        yield holder.check
    finally:
        holder.stop()


class _Holder:
    """The lock's life, in a thread of its own, and what the run sees of it.

    No signal interrupts a thread: a run that is asked to stop while the lock is being written
    leaves none behind.
    """

    def __init__(self, s3: S3Client, at: Location, claim: _Claim) -> None:
        self._s3 = s3
        self._at = at
        self._claim = claim
        self._renewed = 0.0
        self._lost: str | None = None
        self._acquired: Future[None] = Future()
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name=f"lock {at}", daemon=True)

    def start(self) -> None:
        # A signal may come between this and the block that stops it.
        atexit.register(self.stop)
        self._thread.start()
        self._acquired.result()

    def check(self) -> None:
        if self._lost is None and time.monotonic() - self._renewed > self._claim.seconds:
            self._lost = f"it could not be renewed for {self._claim.seconds:g} seconds"
        if self._lost is not None:
            raise UnfinishedError(
                f"the lock {self._at} was lost: {self._lost}; nothing was uploaded since, "
                "run again to go on"
            )

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            # Not by join: Python 3.11 takes a thread for dead once a signal has ended a join.
            self._ended.wait()
        atexit.unregister(self.stop)

    def _hold(self) -> None:
        try:
            etag = self._take()
            if etag is not None:
                etag = self._keep_renewing(etag)
                if self._lost is None:
                    self._release(etag)
        finally:
            self._ended.set()

    def _take(self) -> str | None:
        began = time.monotonic()
        try:
            etag = _acquire(self._s3, self._at, self._claim)
        except BaseException as error:  # noqa: BLE001 (the run raises it)
            self._acquired.set_exception(error)
            return None
        self._renewed = began
        self._acquired.set_result(None)
        return etag

    def _keep_renewing(self, etag: str) -> str:
        while not self._stopped.wait(self._claim.seconds / 3):
            began = time.monotonic()
            try:
                etag = _renew(self._s3, self._at, self._claim, etag)
            except UnfinishedError as error:
                self._lost = str(error)
                break
            except FdnixError as error:
                log.warning("%s; trying again", error)
            else:
                self._renewed = began
        return etag

    def _release(self, etag: str) -> None:
        try:
            with explained(f"release {self._at}"):
                self._s3.delete_object(Bucket=self._at.bucket, Key=self._at.key, IfMatch=etag)
        except AwsError as error:
            log.warning("%s; it goes stale in %g seconds", error, self._claim.seconds)


def _acquire(s3: S3Client, at: Location, claim: _Claim) -> str:
    """The ETag of the lock object that now is `claim`'s."""
    for _ in range(_ATTEMPTS):
        etag = _put(s3, at, claim, None)
        if etag is not None:
            return etag
        found = _read(s3, at)
        if found is None:
            continue
        if found.claim.owner == claim.owner:
            # Our own write arrived, its answer did not, and botocore's retry met our own lock.
            return found.etag
        if found.age < timedelta(seconds=found.claim.seconds):
            raise UnfinishedError(_held_by(at, found))
        etag = _put(s3, at, claim, found.etag)
        if etag is not None:
            log.warning(
                "took over the stale lock %s of %s, which last renewed it %s ago",
                at,
                found.claim.owner,
                found.age,
            )
            return etag
    raise UnfinishedError(f"other runs keep taking the lock {at}; run again later")


def _renew(s3: S3Client, at: Location, claim: _Claim, etag: str) -> str:
    renewed = _put(s3, at, claim, etag)
    if renewed is not None:
        return renewed
    found = _read(s3, at)
    if found is not None and found.claim.owner == claim.owner:
        return found.etag
    raise UnfinishedError(
        f"{found.claim.owner} took it over" if found else "somebody removed the object"
    )


def _put(s3: S3Client, at: Location, claim: _Claim, etag: str | None) -> str | None:
    """The ETag of the lock object written over that of `etag` (None: over nothing), else None."""
    expires = _now() + timedelta(seconds=claim.seconds)
    body = msgspec.json.encode(msgspec.structs.replace(claim, expires_at=expires))
    with explained(f"write {at}"):
        try:
            if etag is None:
                answer = s3.put_object(
                    Bucket=at.bucket,
                    Key=at.key,
                    Body=body,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            else:
                answer = s3.put_object(
                    Bucket=at.bucket,
                    Key=at.key,
                    Body=body,
                    ContentType="application/json",
                    IfMatch=etag,
                )
        except s3.exceptions.ClientError as error:
            if error_code(error) in _LOST_RACE:
                return None
            raise
    return answer["ETag"]


def _read(s3: S3Client, at: Location) -> _Found | None:
    """The lock object as it stands, or None when there is none."""
    with explained(f"read {at}"):
        try:
            answer = s3.get_object(Bucket=at.bucket, Key=at.key)
        except s3.exceptions.NoSuchKey:
            return None
        body = answer["Body"].read()
    try:
        claim = msgspec.json.decode(body, type=_Claim)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AwsError(
            f"{at} is no lock of fdnix ({error}); if nothing else needs the object, remove it"
        ) from error
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else _now()
    return _Found(claim, answer["ETag"], now - answer["LastModified"])


def _held_by(at: Location, found: _Found) -> str:
    left = timedelta(seconds=found.claim.seconds) - found.age
    return (
        f"another run holds the lock {at}: {found.claim.owner}, started "
        f"{found.claim.started_at:%Y-%m-%d %H:%M:%S} UTC; run again when it has ended. "
        f"If it is dead, its lock can be taken over in {left.total_seconds():.0f} seconds"
    )


def _now() -> datetime:
    return datetime.now(UTC)
