"""A caller of batch inference in a process of its own, so that it can be killed.

It stores vectors as the pipeline does: collected in memory, written in one atomic step, confirmed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from multiprocessing import get_context
from pathlib import Path  # noqa: TC003 - a forked process unpickles it
from typing import TYPE_CHECKING

from fdnix.aws import aws_client
from fdnix.embedding.backend import Text, Vectors
from fdnix.embedding.bedrock.batch import BatchRun
from fdnix.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, ForkServerProcess


for _service in ("s3", "bedrock", "bedrock-runtime"):
    # Reads botocore's service models once, in the process that all others are forked from.
    aws_client(_service, "us-east-1")


def context() -> ForkServerContext:
    """Makes processes that have this module imported already, and so start at once."""
    made = get_context("forkserver")
    made.set_forkserver_preload([__name__])
    return made


def start(
    settings: Settings, pending: list[tuple[str, str]], store: Path, stage: str = ""
) -> ForkServerProcess:
    """A process that embeds what is not in `store` yet, and kills itself at `stage`."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    process = context().Process(
        target=_run, args=(environ, settings.model_dump(), pending, store, stage)
    )
    process.start()
    return process


def stored(store: Path) -> dict[str, list[float]]:
    """What the store holds: content hash to vector."""
    return json.loads(store.read_text()) if store.exists() else {}


def _run(
    environ: dict[str, str],
    settings: dict[str, object],
    pending: list[tuple[str, str]],
    store: Path,
    stage: str,
) -> None:
    logging.disable()
    os.environ.update(environ)
    had = stored(store)
    run = BatchRun(Settings.model_validate(settings))
    for part in run.vectors(Text(*item) for item in pending if item[0] not in had):
        if isinstance(part, Vectors):
            had |= zip(part.content_hashes, part.vectors.tolist(), strict=True)
        _die_at("collecting", stage)
    _die_at("before write", stage)
    beside = store.with_suffix(".new")
    beside.write_text(json.dumps(had))
    beside.rename(store)
    _die_at("before confirm", stage)
    run.confirm()


def _die_at(here: str, stage: str) -> None:
    if here == stage:
        os.kill(os.getpid(), signal.SIGKILL)
