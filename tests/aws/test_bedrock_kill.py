"""kill -9 at every point where a run may end, and the run after it: nothing is paid for twice."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest
from support.batch_client import start, stored

from aws.test_bedrock_batch import Pending, keys, texts
from fdnix.embedding.bedrock import WORKERS

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from support.bedrock_server import BedrockServer
    from support.moto_server import MotoServer

    from fdnix.settings import Settings


class Killer:
    """Kills a process after the n-th matching request that a server got from it, unanswered."""

    def __init__(
        self, bedrock: BedrockServer, moto: MotoServer, at: int, *, matching: str = ""
    ) -> None:
        self._at = at
        self._matching = matching
        self._process: ForkServerProcess | None = None
        self._lock = threading.Lock()
        self.request = ""
        """The request that was the last one."""
        bedrock.after = moto.after = self._note

    def watch(self, process: ForkServerProcess) -> int | None:
        """The exit code of `process`, killed or not."""
        self._process = process
        process.join()
        self._process = None
        return process.exitcode

    def _note(self, request: str) -> None:
        with self._lock:
            if self._matching not in request:
                return
            self._at -= 1
            if self._at == 0 and self._process:
                self.request = request
                self._process.kill()


@pytest.fixture
def settings(batch_settings: Settings) -> Settings:
    """Settings that make two jobs of 240 texts."""
    return batch_settings.replace(bedrock_batch_size=120)


def finish(settings: Settings, pending: Pending, store: Path) -> None:
    process = start(settings, pending, store)
    process.join()
    assert process.exitcode == 0
    assert stored(store).keys() == {name for name, _ in pending}


@pytest.mark.parametrize("stage", ["collecting", "before write", "before confirm"])
def test_killed_while_it_collects_or_stores(
    bedrock: BedrockServer,
    settings: Settings,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
    stage: str,
) -> None:
    # Two jobs, and 30 texts on demand.
    pending = texts(270)
    killed = start(settings, pending, tmp_path / "store", stage)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    finish(settings, pending, tmp_path / "store")
    assert set(bedrock.charged.values()) == {1}
    assert keys(s3, bucket) == []


def test_killed_after_each_of_its_requests(
    bedrock: BedrockServer,
    moto_server: MotoServer,
    settings: Settings,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
) -> None:
    killed_at: list[str] = []
    for at in range(1, 100):
        pending = texts(240, start=1000 * at)
        store = tmp_path / str(at)
        killer = Killer(bedrock, moto_server, at)
        ended = killer.watch(start(settings, pending, store))
        finish(settings, pending, store)
        assert set(bedrock.charged.values()) == {1}, f"paid twice when killed at {killed_at}"
        assert keys(s3, bucket) == [], f"left behind when killed at {killed_at}"
        if ended == 0:
            break
        killed_at.append(killer.request)
    else:
        pytest.fail("the run did not end")
    assert sum("CreateModelInvocationJob" in request for request in killed_at) == 2
    assert sum("input.jsonl" in request for request in killed_at) >= 2
    assert any("GetModelInvocationJob" in request for request in killed_at)
    assert any("input.jsonl.out" in request for request in killed_at)


@pytest.mark.parametrize("at", [1, 20])
def test_killed_on_demand_only_calls_whose_answer_was_under_way_are_paid_again(
    bedrock: BedrockServer,
    moto_server: MotoServer,
    settings: Settings,
    s3: S3Client,
    bucket: str,
    tmp_path: Path,
    at: int,
) -> None:
    pending = texts(60)
    killer = Killer(bedrock, moto_server, at, matching="InvokeModel")
    assert killer.watch(start(settings, pending, tmp_path / "store")) == -signal.SIGKILL
    finish(settings, pending, tmp_path / "store")
    assert sum(bedrock.charged.values()) <= 60 + WORKERS
    assert keys(s3, bucket) == []
