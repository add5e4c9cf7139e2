from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix.artifacts.lock import locked
from fdnix.artifacts.transfer import Location, head
from fdnix.aws import aws_client
from fdnix.errors import AwsError, UnfinishedError
from support.aws import REGION

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from mypy_boto3_s3 import S3Client

    from support.faulty_proxy import FaultyProxy, Rule

TESTS = Path(__file__).parents[1]


@pytest.fixture
def at(bucket: str) -> Location:
    return Location(bucket, "db/fdnix.duckdb.lock")


def test_the_lock_says_who_holds_it_since_when_and_until_when(s3: S3Client, at: Location) -> None:
    with locked(s3, at, seconds=60):
        claim = json.loads(s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read())

    assert str(os.getpid()) in claim["owner"]
    assert claim["started_at"] < claim["expires_at"]


def test_the_lock_is_gone_after_the_block_however_it_ends(s3: S3Client, at: Location) -> None:
    with locked(s3, at, seconds=60):
        pass
    assert head(s3, at) is None

    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError), locked(s3, at, seconds=60):
        fail()
    assert head(s3, at) is None


def test_a_second_run_stops_and_is_told_who_holds_the_lock(s3: S3Client, at: Location) -> None:
    with locked(s3, at, seconds=60) as still_held:
        with (
            pytest.raises(UnfinishedError, match=rf"holds the lock {at}: .*:{os.getpid()}:.*start"),
            locked(s3, at, seconds=60),
        ):
            pytest.fail("two hold the lock")
        still_held()
    assert head(s3, at) is None


def test_a_lock_is_renewed_past_its_expiry_while_its_run_lives(s3: S3Client, at: Location) -> None:
    with locked(s3, at, seconds=1.5) as still_held:
        time.sleep(3.5)
        still_held()
        with pytest.raises(UnfinishedError), locked(s3, at, seconds=1.5):
            pytest.fail("two hold the lock")


def _hold(at: Location, taken: Event) -> None:
    with locked(aws_client("s3", REGION), at, seconds=2):
        taken.set()
        time.sleep(60)


def test_the_lock_of_a_killed_run_is_taken_over_once_it_is_stale(
    s3: S3Client, at: Location
) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    holder = context.Process(target=_hold, args=(at, taken))
    holder.start()
    assert taken.wait(30)
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()

    with pytest.raises(UnfinishedError, match="taken over in"), locked(s3, at, seconds=2):
        pytest.fail("the lock is not stale yet")
    time.sleep(3.5)
    with locked(s3, at, seconds=2) as still_held:
        still_held()
    assert head(s3, at) is None


@pytest.mark.parametrize("moment", ["while it takes it", "while it holds it", "while it leaves it"])
def test_a_run_that_is_asked_to_stop_leaves_no_lock(
    proxy: FaultyProxy, s3: S3Client, at: Location, moment: str
) -> None:
    def stalled() -> Rule:
        return proxy.fail("stall", "PUT", times=1, seconds=1)

    def wait_for(rule: Rule) -> None:
        while not rule.hits:
            assert holder.poll() is None
            time.sleep(0.02)

    acquires = stalled() if moment == "while it takes it" else None
    with subprocess.Popen(
        [sys.executable, "-m", "support.lock_holder", at.bucket, at.key, "3"],
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        if acquires:
            wait_for(acquires)
        else:
            holder.stdout.readline()
        if moment == "while it leaves it":
            wait_for(stalled())  # it is being renewed
            holder.stdin.close()
            time.sleep(0.2)
        holder.send_signal(signal.SIGTERM if moment == "while it holds it" else signal.SIGINT)
        assert holder.wait(30) == 0
    time.sleep(1)  # until what stalled has passed
    assert head(s3, at) is None


def test_a_run_whose_lock_was_taken_over_is_stopped_before_it_writes(
    s3: S3Client, at: Location
) -> None:
    times = b'"started_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:01:00Z"'
    other = b'{"owner":"other","seconds":60,' + times + b"}"
    with locked(s3, at, seconds=0.9) as still_held:
        s3.put_object(Bucket=at.bucket, Key=at.key, Body=other)
        time.sleep(0.7)
        with pytest.raises(UnfinishedError, match="other took it over"):
            still_held()
    assert s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read() == other


def test_a_run_that_cannot_renew_its_lock_is_stopped_before_it_writes(
    proxy: FaultyProxy, at: Location
) -> None:
    with locked(aws_client("s3", REGION), at, seconds=0.9) as still_held:
        proxy.fail("deny", "PUT")
        time.sleep(1.2)
        with pytest.raises(UnfinishedError, match="could not be renewed for"):
            still_held()


@pytest.mark.parametrize("fault", ["lose answer", "error"])
def test_a_lost_answer_does_not_lock_a_run_out_of_its_own_lock(
    proxy: FaultyProxy, s3: S3Client, at: Location, fault: str
) -> None:
    rule = proxy.fail(fault, "PUT", times=1)  # type: ignore[arg-type]
    with locked(aws_client("s3", REGION), at, seconds=60) as still_held:
        still_held()
        assert head(s3, at) is not None
    assert rule.hits == 1
    assert head(s3, at) is None


def test_of_runs_that_start_at_once_one_holds_the_lock(proxy: FaultyProxy, at: Location) -> None:
    start, end = threading.Barrier(4), threading.Barrier(4)

    def run() -> str:
        s3 = aws_client("s3", REGION)
        start.wait()
        try:
            with locked(s3, at, seconds=60):
                end.wait()
                return "held"
        except UnfinishedError:
            end.wait()
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        results = [future.result() for future in [pool.submit(run) for _ in range(4)]]
    assert sorted(results) == ["held", "refused", "refused", "refused"]


@pytest.mark.parametrize("body", [b"hello", b'{"owner":"\xff"}'])
def test_a_foreign_object_in_the_locks_place_is_named_and_left_alone(
    s3: S3Client, at: Location, body: bytes
) -> None:
    s3.put_object(Bucket=at.bucket, Key=at.key, Body=body)
    with pytest.raises(AwsError, match=rf"{at} is no lock of fdnix"), locked(s3, at, seconds=60):
        pytest.fail("took a foreign object for its lock")
    assert s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read() == body


def test_no_bucket_is_found_before_any_work(s3: S3Client) -> None:
    nowhere = Location("fdnix-no-such-bucket", "x.lock")
    with pytest.raises(AwsError, match="NoSuchBucket"), locked(s3, nowhere, seconds=60):
        pytest.fail("locked in no bucket")
