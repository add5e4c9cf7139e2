"""kill -9 at every point where a run may end, and the run after it: nothing is paid for twice."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fdnix.embedding.bedrock.on_demand import WORKERS
from support.batch_client import start, stored
from support.batch_texts import Pending, keys, texts

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer
    from support.moto_server import MotoServer

POLLS = 3
"""Only so many requests for a job's status are points to be killed at; there are ever more."""


@dataclass
class Cloud:
    """The servers, and what a run is told about them."""

    bedrock: BedrockServer
    moto: MotoServer
    s3: S3Client
    settings: Settings

    def assert_paid_once_and_tidy(self) -> None:
        assert set(self.bedrock.charged.values()) == {1}
        assert keys(self.s3, str(self.settings.artifacts_bucket)) == []

    def forget_finished(self) -> None:
        """Remove the finished vectors, each of which costs a later run a request."""
        bucket = str(self.settings.artifacts_bucket)
        for item in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            self.s3.delete_object(Bucket=bucket, Key=item["Key"])

    def finish(self, pending: Pending, store: Path) -> None:
        """Run to the end, which must be a good one."""
        process = start(self.settings, pending, store)
        process.join()
        assert process.exitcode == 0
        assert stored(store).keys() == {name for name, _ in pending}


@pytest.fixture
def cloud(
    bedrock: BedrockServer, moto_server: MotoServer, s3: S3Client, batch_settings: Settings
) -> Cloud:
    return Cloud(bedrock, moto_server, s3, batch_settings.replace(bedrock_batch_size=120))


class Killer:
    """Kills a process after the n-th matching request that a server got from it, unanswered."""

    def __init__(self, cloud: Cloud, at: int, *, matching: str = "") -> None:
        self._at = at
        self._matching = matching
        self._polls = POLLS
        self._process: ForkServerProcess | None = None
        self._lock = threading.Lock()
        self.request = ""
        """The request that was the last one."""
        cloud.bedrock.after = cloud.moto.after = self._note

    def watch(self, process: ForkServerProcess) -> int | None:
        """The exit code of `process`, killed or not."""
        self._process = process
        process.join()
        self._process = None
        return process.exitcode

    def _note(self, request: str) -> None:
        with self._lock:
            if request == "GetModelInvocationJob":
                self._polls -= 1
                if self._polls < 0:
                    return
            if self._matching in request:
                self._at -= 1
                if self._at == 0 and self._process:
                    self.request = request
                    self._process.kill()


@pytest.mark.parametrize("stage", ["collecting", "before write", "before confirm"])
def test_killed_while_it_collects_or_stores(cloud: Cloud, tmp_path: Path, stage: str) -> None:
    # Two jobs, and 30 texts on demand.
    pending = texts(270)
    killed = start(cloud.settings, pending, tmp_path / "store", stage)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    cloud.finish(pending, tmp_path / "store")
    cloud.assert_paid_once_and_tidy()


def test_killed_after_each_of_its_requests(cloud: Cloud, tmp_path: Path) -> None:
    killed_at: list[str] = []
    ended: int | None = -signal.SIGKILL
    while ended != 0:
        at = len(killed_at) + 1
        pending = texts(120, start=1000 * at)
        killer = Killer(cloud, at)
        ended = killer.watch(start(cloud.settings, pending, tmp_path / str(at)))
        cloud.finish(pending, tmp_path / str(at))
        cloud.assert_paid_once_and_tidy()
        cloud.forget_finished()
        killed_at.append(killer.request)
    stages = ("state.json", "input.jsonl", "CreateModel", "GetModel", "input.jsonl.out", ".hashes")
    for stage in stages:
        assert any(stage in request for request in killed_at), stage


@pytest.mark.parametrize("at", [1, 20])
def test_killed_on_demand_only_answers_under_way_are_paid_again(
    cloud: Cloud, tmp_path: Path, at: int
) -> None:
    pending = texts(60)
    killer = Killer(cloud, at, matching="InvokeModel")
    assert killer.watch(start(cloud.settings, pending, tmp_path / "store")) == -signal.SIGKILL
    cloud.finish(pending, tmp_path / "store")
    assert sum(cloud.bedrock.charged.values()) <= 60 + WORKERS
