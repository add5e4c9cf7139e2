"""Vectors from Bedrock batch inference, none of which is paid for twice.

What was asked for stays in S3 until the caller says that the vectors are stored; `ledger` keeps the
jobs, so that a run goes on with those of an earlier one.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import msgspec
import numpy as np

from fdnix.aws import aws_client
from fdnix.embedding.backend import Failure, Provider, Vectors
from fdnix.embedding.bedrock import jobs, titan
from fdnix.embedding.bedrock.estimate import MINIMUM_RECORDS, of_counts
from fdnix.embedding.bedrock.files import BatchFiles, Record, record_texts
from fdnix.embedding.bedrock.jobs import (
    JobStatus,
    QuotaExceededError,
)
from fdnix.embedding.bedrock.ledger import Ledger
from fdnix.embedding.bedrock.on_demand import invoke_each, read_answer
from fdnix.embedding.bedrock.output import CHUNK, Reading, read_output
from fdnix.errors import SettingsError, UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator

    from fdnix.embedding.backend import Text
    from fdnix.embedding.bedrock.ledger import Job
    from fdnix.settings import Settings

log = logging.getLogger(__name__)

MAX_RETRIED = 1_000
"""So many records that failed in a batch are asked for again on demand, at twice the price; more
are left for the next run's batch."""

_JITTER = 0.1


@dataclass
class _Plan:
    """What one pass over the pending texts comes to."""

    jobs: list[Job] = field(default_factory=list)
    on_demand: list[tuple[str, str]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    """Pending hashes that an earlier run had answered on demand."""
    wanted: set[str] = field(default_factory=set)
    """Pending hashes whose vectors are to come from adopted jobs."""
    texts: int = 0
    tokens: int = 0


def bedrock_provider(settings: Settings) -> Provider:
    """The provider that embeds with Bedrock batch inference.

    Raises:
        SettingsError: when AWS_REGION, BEDROCK_ROLE_ARN or a bucket is not set.
    """
    run = BatchRun(settings)
    return Provider(
        "bedrock",
        settings.bedrock_model_id,
        settings.bedrock_output_dimensions,
        lambda texts, _total: run.vectors(texts),
        run.confirm,
    )


class BatchRun:
    """Embeds pending texts with Bedrock; iterate `vectors`, store them, then call `confirm`."""

    def __init__(self, settings: Settings) -> None:
        """Connect; no call is made yet.

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
        self._answered: list[str] = []

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
        adopted = self._ledger.adopt()
        answers = {
            name: answer
            for name, answer in self._files.answers()
            if _is_good(answer, self._dimensions)
        }
        plan = self._plan(pending, adopted, answers.keys())
        try:
            self._admit(plan)
            yield from self._kept_answers(answers, plan.answered)
            retried = yield from self._run_jobs(plan, adopted)
            yield from self._ask_on_demand([*plan.on_demand, *retried])
        finally:
            for job in plan.jobs:
                if job.spool:
                    job.spool.close()

    def confirm(self) -> None:
        """Say that all that was yielded is stored for good: its files in S3 are removed.

        With BEDROCK_KEEP_FILES they stay, marked as collected.
        """
        for job in self._collected:
            if self._settings.bedrock_keep_files:
                self._files.write_state(msgspec.structs.replace(job.state, phase="collected"))
            else:
                self._files.remove(job.state.job)
        self._files.remove_answers(self._answered)
        self._collected = []
        self._answered = []

    def _plan(
        self,
        pending: Iterable[Text],
        adopted: list[Job],
        answered: Collection[str],
    ) -> _Plan:
        """Cut what is neither adopted nor answered into jobs; its texts go to temporary files."""
        had = frozenset[str]().union(*(job.records for job in adopted))
        plan = _Plan()
        chunk: list[str] = []
        spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - a job owns it
        for item in pending:
            content_hash, text = item.content_hash, item.text
            if content_hash in answered:
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

    def _kept_answers(self, answers: dict[str, bytes], chosen: list[str]) -> Iterator[Vectors]:
        self._answered += answers
        if chosen:
            log.info("%d on-demand answers of an earlier run are used", len(chosen))
            rows = [read_answer(answers[name], self._dimensions) for name in chosen]
            yield Vectors(chosen, np.stack(rows))

    def _run_jobs(
        self, plan: _Plan, adopted: list[Job]
    ) -> Generator[Vectors | Failure, None, list[tuple[str, str]]]:
        """Submit, wait and collect; returns what is to be asked for again on demand."""
        deadline = time.monotonic() + self._settings.bedrock_max_wait_time
        open_jobs = [job for job in adopted if self._matters(job, plan)] + plan.jobs
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

    def _matters(self, job: Job, plan: _Plan) -> bool:
        """Whether an adopted job holds a pending vector; `confirm` ends it if not, once it ended.

        That is so for a run that was cut off after its vectors were stored.
        """
        if not job.records.isdisjoint(plan.wanted):
            return True
        status = self._ledger.status(job)
        if status is None or status.ended:
            self._collected.append(job)
        return False

    def _submit_what_fits(self, jobs: list[Job]) -> None:
        under_way = sum(job.state.arn is not None for job in jobs)
        for job in jobs:
            if under_way >= self._settings.bedrock_max_concurrent_jobs:
                return
            if job.state.arn is None:
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
        reading = Reading(job.records)
        lines = self._files.output_lines(job.state.job, status.arn)
        for part in read_output(lines, reading, self._dimensions):
            chosen = _only(part, wanted)
            if chosen.content_hashes:
                yield chosen
        self._collected.append(job)
        ended_well = status.status in {"Completed", "PartiallyCompleted"}
        if ended_well:
            manifest = self._files.manifest(job.state.job, status.arn)
            for complaint in reading.complaints(manifest):
                log.warning("the output of job %s has %s", job.state.job, complaint)
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

    def _ask_on_demand(self, texts: list[tuple[str, str]]) -> Iterator[Vectors | Failure]:
        hashes: list[str] = []
        rows = []
        for name, answer in invoke_each(
            self._runtime, self._model, texts, self._dimensions, keep=self._files.keep_answer
        ):
            if isinstance(answer, str):
                yield Failure(name, answer)
                continue
            self._answered.append(name)
            try:
                rows.append(read_answer(answer, self._dimensions))
                hashes.append(name)
            except titan.VectorError as error:
                yield Failure(name, str(error))
        for start in range(0, len(hashes), CHUNK):
            yield Vectors(hashes[start : start + CHUNK], np.stack(rows[start : start + CHUNK]))

    def _wait(self, deadline: float, jobs: list[Job]) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnfinishedError(
                f"{len(jobs)} batch jobs are still under way after BEDROCK_MAX_WAIT_TIME "
                f"({self._settings.bedrock_max_wait_time:g} s); nothing is lost: run again to go "
                "on with them"
            )
        interval = self._settings.bedrock_poll_interval
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        time.sleep(min(interval * jitter, left))


def _only(part: Vectors, wanted: frozenset[str]) -> Vectors:
    rows = [row for row, name in enumerate(part.content_hashes) if name in wanted]
    if len(rows) == len(part.content_hashes):
        return part
    return Vectors([part.content_hashes[row] for row in rows], part.vectors[rows])


def _is_good(answer: bytes, dimensions: int) -> bool:
    try:
        read_answer(answer, dimensions)
    except titan.VectorError:
        return False
    return True
