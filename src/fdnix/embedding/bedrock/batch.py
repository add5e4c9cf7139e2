"""Vectors from Bedrock batch inference, none of which is paid for twice.

Every vector is put among the finished ones in S3 as soon as its job has ended, where each later
run finds it by content hash, whichever database it works for. `ledger` keeps the jobs, so that a
run goes on with those of an earlier one.
"""

from __future__ import annotations

import hashlib
import logging
import random
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, TYPE_CHECKING

import msgspec
import numpy as np

from fdnix.aws import aws_client
from fdnix.embedding.backend import Failure, Provider, Vectors
from fdnix.embedding.bedrock import jobs, titan
from fdnix.embedding.bedrock.estimate import MINIMUM_RECORDS, of_counts
from fdnix.embedding.bedrock.files import VECTOR_TYPE, BatchFiles, Record, record_texts
from fdnix.embedding.bedrock.jobs import (
    JobStatus,
    QuotaExceededError,
)
from fdnix.embedding.bedrock.ledger import Ledger
from fdnix.embedding.bedrock.on_demand import invoke_each, read_answer
from fdnix.embedding.bedrock.output import CHUNK, Reading, read_output
from fdnix.errors import SettingsError, UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from fdnix.embedding.backend import Text
    from fdnix.embedding.bedrock.ledger import Job
    from fdnix.settings import Settings

log = logging.getLogger(__name__)

MAX_RETRIED = 1_000
"""So many records that failed in a batch are asked for again on demand, at twice the price; more
are left for the next run's batch."""

_ENDED_WELL = frozenset({"Completed", "PartiallyCompleted"})
_JITTER = 0.1


@dataclass
class _Plan:
    """What one pass over the pending texts comes to."""

    jobs: list[Job] = field(default_factory=list)
    on_demand: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[str, set[str]] = field(default_factory=dict)
    """Pending hashes that have a finished vector, by the name it is kept under."""
    answered: list[str] = field(default_factory=list)
    """Pending hashes that an earlier run had answered on demand."""
    wanted: set[str] = field(default_factory=set)
    """Pending hashes whose vectors are to come from adopted jobs that are under way."""
    texts: int = 0
    tokens: int = 0


def _alone() -> None:
    """The lock of a run beside which there is no other."""


def bedrock_provider(settings: Settings, still_held: Callable[[], None] = _alone) -> Provider:
    """The provider that embeds with Bedrock batch inference.

    `still_held` raises when the lock over the files of batch inference is not held any more.

    Raises:
        SettingsError: when AWS_REGION, BEDROCK_ROLE_ARN or a bucket is not set.
    """
    run = BatchRun(settings, still_held)
    return Provider(
        "bedrock",
        settings.bedrock_model_id,
        settings.bedrock_output_dimensions,
        lambda texts, _total: run.vectors(texts),
        run.confirm,
    )


def finished_hashes(settings: Settings) -> set[str]:
    """The content hashes whose vectors lie in S3, paid for by whichever run; Bedrock is not asked.

    Raises:
        SettingsError: when AWS_REGION, BEDROCK_ROLE_ARN or a bucket is not set.
        AwsError: when S3 refuses or fails.
    """
    return BatchRun(settings).finished()


class BatchRun:
    """Embeds pending texts with Bedrock; iterate `vectors`, store them, then call `confirm`."""

    def __init__(self, settings: Settings, still_held: Callable[[], None] = _alone) -> None:
        """Connect; no call is made yet. `still_held` is asked before anything is submitted.

        Raises:
            SettingsError: when AWS_REGION, BEDROCK_ROLE_ARN or a bucket is not set.
        """
        input_bucket = settings.bedrock_input_bucket or settings.artifacts_bucket
        output_bucket = settings.bedrock_output_bucket or settings.artifacts_bucket
        if not input_bucket or not output_bucket or not settings.bedrock_role_arn:
            raise SettingsError(
                "Bedrock batch inference needs BEDROCK_ROLE_ARN, and ARTIFACTS_BUCKET or both "
                "BEDROCK_INPUT_BUCKET and BEDROCK_OUTPUT_BUCKET"
            )
        self._settings = settings
        self._still_held = still_held
        self._model = settings.bedrock_model_id
        self._dimensions = settings.bedrock_output_dimensions
        self._bedrock = aws_client("bedrock", settings.aws_region)
        self._runtime = aws_client("bedrock-runtime", settings.aws_region)
        self._files = BatchFiles(
            aws_client("s3", settings.aws_region),
            input_bucket=input_bucket,
            output_bucket=output_bucket,
            model=self._model,
            dimensions=self._dimensions,
        )
        self._ledger = Ledger(
            self._bedrock,
            self._files,
            model=self._model,
            dimensions=self._dimensions,
            role_arn=settings.bedrock_role_arn,
        )
        self._collected: list[Job] = []
        self._answered: dict[str, NDArray[np.float32]] = {}
        self._taken_up = False

    def vectors(self, pending: Iterable[Text]) -> Iterator[Vectors | Failure]:
        """Vectors as they are had, and the records that have none.

        Everything that was yielded stays in S3 until `confirm`, also when this raises.

        Args:
            pending: the texts, read once and before anything is submitted. The same texts in the
                same order make the same jobs.

        Raises:
            SettingsError: when more is to be submitted than BEDROCK_MAX_RECORDS.
            UnfinishedError: when jobs are still under way after BEDROCK_MAX_WAIT_TIME.
            AwsError: when AWS refuses a call.
        """
        kept = self._kept()
        under_way, ended = self._take_up()
        plan = self._plan(pending, under_way, kept | ended)
        try:
            self._admit(plan)
            for name, hashes in plan.kept.items():
                log.info("%s vectors of earlier jobs are used", f"{len(hashes):,}")
                yield _only(self._files.kept_vectors(name), hashes)
                self._files.renew(name)
            if plan.answered:
                log.info("%d on-demand answers of an earlier run are used", len(plan.answered))
                rows = [self._answered[name] for name in plan.answered]
                yield Vectors(plan.answered, np.stack(rows))
            retried = yield from self._run_jobs(plan, under_way)
            yield from self._ask_on_demand([*plan.on_demand, *retried])
        finally:
            for job in plan.jobs:
                if job.spool:
                    job.spool.close()

    def finished(self) -> set[str]:
        """The content hashes of the finished vectors in S3, and of answers on demand."""
        kept = {each for _, hashes in self._files.kept_hashes() for each in hashes}
        return kept | {name for name, _ in _good(self._files.answers(), self._dimensions)}

    def confirm(self) -> None:
        """Say that all that was yielded is stored for good: jobs and answers in S3 are removed.

        Their vectors stay among the finished ones. With BEDROCK_KEEP_FILES the jobs' files stay
        too, marked as collected. Where nothing was asked for, what an earlier run stored and could
        not confirm any more is confirmed.
        """
        if not self._taken_up and (self._files.jobs() or any(self._files.answers())):
            self._take_up()
        if self._answered:
            hashes = sorted(self._answered)
            name = hashlib.blake2b("".join(hashes).encode(), digest_size=16).hexdigest()
            rows = np.stack([self._answered[content_hash] for content_hash in hashes])
            vectors = BytesIO(rows.astype(VECTOR_TYPE).tobytes())
            self._files.keep_vectors(f"on-demand-{name}", hashes, vectors)
        for job in self._collected:
            if self._settings.bedrock_keep_files:
                self._files.write_state(msgspec.structs.replace(job.state, phase="collected"))
            else:
                self._files.remove(job.state.job)
        self._files.remove_answers(self._answered)
        self._collected = []
        self._answered = {}

    def _kept(self) -> dict[str, str]:
        """Where each finished vector is kept; none where every text is to be embedded again."""
        if self._settings.force_rebuild_embeddings:
            return {}
        return {each: name for name, hashes in self._files.kept_hashes() for each in hashes}

    def _take_up(self) -> tuple[list[Job], dict[str, str]]:
        """The jobs of earlier runs that are under way, and where the vectors of others are kept.

        What no run confirmed yet counts as finished also where every text is to be embedded again.
        """
        under_way = []
        kept: dict[str, str] = {}
        for job in self._ledger.adopt():
            status = self._ledger.status(job)
            if status is None or not status.ended:
                under_way.append(job)
                continue
            name, reading = self._finish(job, status)
            kept |= dict.fromkeys(reading.good, name)
        self._answered = dict(_good(self._files.answers(), self._dimensions))
        self._taken_up = True
        return under_way, kept

    def _plan(
        self, pending: Iterable[Text], under_way: list[Job], kept: Mapping[str, str]
    ) -> _Plan:
        """Cut what has no vector, answer or job yet into jobs; texts go to temporary files."""
        had = frozenset[str]().union(*(job.records for job in under_way))
        plan = _Plan()
        chunk: list[str] = []
        spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - a job owns it
        for item in pending:
            content_hash, text = item.content_hash, item.text
            if content_hash in kept:
                plan.kept.setdefault(kept[content_hash], set()).add(content_hash)
                continue
            if content_hash in self._answered:
                plan.answered.append(content_hash)
                continue
            if content_hash in had:
                plan.wanted.add(content_hash)
                continue
            plan.texts += 1
            plan.tokens += titan.tokens(text)
            record = Record(content_hash, titan.request(text, self._dimensions))
            spool.write(msgspec.json.encode(record) + b"\n")
            chunk.append(content_hash)
            if len(chunk) == self._settings.bedrock_batch_size:
                plan.jobs.append(self._ledger.plan(chunk, spool))
                chunk, spool = [], tempfile.TemporaryFile()  # noqa: SIM115
        if len(chunk) >= MINIMUM_RECORDS:
            plan.jobs.append(self._ledger.plan(chunk, spool))
        else:
            spool.seek(0)
            plan.on_demand = record_texts(spool)
            spool.close()
        return plan

    def _admit(self, plan: _Plan) -> None:
        """Refuse what is too much, check the model, and say what it comes to."""
        if not plan.texts:
            return
        allowed = self._settings.bedrock_max_records
        if allowed is not None and plan.texts > allowed:
            raise SettingsError(
                f"{plan.texts:,} texts would be sent to Bedrock, more than BEDROCK_MAX_RECORDS "
                f"({allowed:,}) allows; raise it if that is meant"
            )
        jobs.check_model(self._bedrock, self._model, self._settings.aws_region)
        size = self._settings.bedrock_batch_size
        cost = of_counts(plan.texts, plan.tokens, model=self._model, batch_size=size)
        log.info("sending to %s: %s", self._model, cost)

    def _run_jobs(
        self, plan: _Plan, under_way: list[Job]
    ) -> Generator[Vectors | Failure, None, list[tuple[str, str]]]:
        """Submit, wait and collect; returns what is to be asked for again on demand."""
        deadline = time.monotonic() + self._settings.bedrock_max_wait_time
        # A job without a pending text is left to the run that needs it.
        adopted = [job for job in under_way if not job.records.isdisjoint(plan.wanted)]
        open_jobs = adopted + plan.jobs
        retried: list[tuple[str, str]] = []
        while open_jobs:
            self._submit_what_fits(open_jobs)
            for job in list(open_jobs):
                status = self._ledger.status(job)
                if status is not None and status.ended:
                    open_jobs.remove(job)
                    room = MAX_RETRIED - len(retried)
                    retried += yield from self._collect(job, status, plan, room)
            if open_jobs:
                self._wait(deadline, open_jobs)
        return retried

    def _submit_what_fits(self, jobs: list[Job]) -> None:
        under_way = sum(job.state.arn is not None for job in jobs)
        for job in jobs:
            if under_way >= self._settings.bedrock_max_concurrent_jobs:
                return
            if job.state.arn is None:
                self._still_held()
                try:
                    self._ledger.submit(job)
                except QuotaExceededError as error:
                    log.info("job %s waits for the account's quota: %s", job.state.job, error)
                    return
                under_way += 1

    def _collect(
        self, job: Job, status: JobStatus, plan: _Plan, room: int
    ) -> Generator[Vectors | Failure, None, list[tuple[str, str]]]:
        """The job's vectors; returns the failed records with their texts if at most `room`."""
        wanted = job.records & plan.wanted if job.adopted else job.records
        name, reading = self._finish(job, status)
        if chosen := reading.good & wanted:
            yield _only(self._files.kept_vectors(name), chosen)
        ended_well = status.status in _ENDED_WELL
        if ended_well:
            missing = "no line in the job's output"
        else:
            said = status.message or "no message"
            missing = f"job {status.status}: {said}; {jobs.remedy(said)}"
            log.warning("%s %s: %s", status.arn, status.status, said)
        failures = {
            record: why for record, why in reading.failures(missing).items() if record in wanted
        }
        if failures and ended_well and len(failures) <= room:
            lines = self._files.input_lines(job.state.job)
            return [(name, text) for name, text in record_texts(lines) if name in failures]
        yield from (Failure(record, why) for record, why in failures.items())
        return []

    def _finish(self, job: Job, status: JobStatus) -> tuple[str, Reading]:
        """Put the vectors of a job that ended among the finished ones: name, and what was read."""
        name = status.arn.rpartition("/")[2]
        reading = Reading(job.records)
        hashes: list[str] = []
        lines = self._files.output_lines(job.state.job, status.arn)
        with tempfile.TemporaryFile() as spool:
            for part in read_output(lines, reading, self._dimensions):
                hashes += part.content_hashes
                spool.write(part.vectors.astype(VECTOR_TYPE).tobytes())
            if hashes:
                spool.seek(0)
                self._files.keep_vectors(name, hashes, spool)
        self._collected.append(job)
        if status.status in _ENDED_WELL:
            manifest = self._files.manifest(job.state.job, status.arn)
            for complaint in reading.complaints(manifest):
                log.warning("the output of job %s has %s", job.state.job, complaint)
        return name, reading

    def _ask_on_demand(self, texts: list[tuple[str, str]]) -> Iterator[Vectors | Failure]:
        self._still_held()
        hashes: list[str] = []
        for name, answer in invoke_each(
            self._runtime, self._model, texts, self._dimensions, keep=self._files.keep_answer
        ):
            if isinstance(answer, str):
                yield Failure(name, answer)
                continue
            try:
                self._answered[name] = read_answer(answer, self._dimensions)
            except titan.VectorError as error:
                yield Failure(name, str(error))
                continue
            hashes.append(name)
        for start in range(0, len(hashes), CHUNK):
            some = hashes[start : start + CHUNK]
            yield Vectors(some, np.stack([self._answered[name] for name in some]))

    def _wait(self, deadline: float, jobs: list[Job]) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            under_way = sum(job.state.arn is not None for job in jobs)
            raise UnfinishedError(
                f"after BEDROCK_MAX_WAIT_TIME ({self._settings.bedrock_max_wait_time:g} s) "
                f"{under_way} batch jobs are still under way and {len(jobs) - under_way} wait to "
                "be taken; nothing is lost: run again to go on with them"
            )
        interval = self._settings.bedrock_poll_interval
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        time.sleep(min(interval * jitter, left))


def _only(part: Vectors, wanted: AbstractSet[str]) -> Vectors:
    rows = [row for row, name in enumerate(part.content_hashes) if name in wanted]
    if len(rows) == len(part.content_hashes):
        return part
    return Vectors([part.content_hashes[row] for row in rows], part.vectors[rows])


def _good(
    answers: Iterable[tuple[str, bytes]], dimensions: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, answer in answers:
        with suppress(titan.VectorError):
            yield name, read_answer(answer, dimensions)
