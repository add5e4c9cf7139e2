"""Vectors from Bedrock batch inference, none of which is paid for twice.

What was asked for is written to S3 before it is asked for, and stays there until the caller says
that the vectors are stored. So a run that ends anywhere, by `kill -9` or by its time limit, is
taken up by the next one: jobs under way are waited for, finished ones are collected, and a job that
may or may not have been submitted is submitted with the same token, for which Bedrock gives the job
that is already there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import random
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import msgspec
import numpy as np

from fdnix.aws import batch_service
from fdnix.aws.batch_estimate import MINIMUM_RECORDS, of_counts
from fdnix.aws.batch_files import BatchFiles, JobState
from fdnix.aws.batch_output import CHUNK, Reading, read_output
from fdnix.aws.batch_service import (
    JobConflictError,
    JobRefusedError,
    JobRequest,
    JobStatus,
    QuotaExceededError,
)
from fdnix.aws.session import aws_client
from fdnix.embedding import titan
from fdnix.embedding.bedrock import invoke_each, read_answer
from fdnix.embedding.store import Failure, Provider, Vectors
from fdnix.errors import AwsError, SettingsError, UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator

    from fdnix.embedding.store import Text
    from fdnix.settings import Settings

log = logging.getLogger(__name__)

MAX_RETRIED = 1_000
"""So many records that failed in a batch are asked for again on demand, at twice the price; more
are left for the next run's batch."""

_MAX_ATTEMPTS = 100
_JITTER = 0.1
_UNFINISHED = "Bedrock did not finish; what it did is stored, and the rest is for the next run:"


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    record_id: str
    model_input: dict[str, object]


@dataclass
class _Job:
    """One job of this run, adopted from an earlier run or newly planned."""

    state: JobState
    records: frozenset[str]
    spool: IO[bytes] | None = None
    """The input, until it is uploaded."""
    adopted: bool = False
    seen: str = ""
    """What was logged of it last."""


@dataclass
class _Plan:
    """What one pass over the pending texts comes to."""

    jobs: list[_Job] = field(default_factory=list)
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
        self._role = settings.bedrock_role_arn
        self._bedrock = aws_client("bedrock", settings.aws_region)
        self._runtime = aws_client("bedrock-runtime", settings.aws_region)
        self._files = BatchFiles(
            aws_client("s3", settings.aws_region),
            input_bucket=input_bucket,
            output_bucket=output_bucket,
            model=self._model,
            dimensions=self._dimensions,
        )
        self._collected: list[_Job] = []
        self._answered: list[str] = []
        self._ended_badly: list[str] = []

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
        adopted = self._adopt()
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

        Raises:
            AwsError: when a job failed, was stopped, or expired, so that some texts have no vector.
        """
        for job in self._collected:
            if self._settings.bedrock_keep_files:
                self._files.write_state(msgspec.structs.replace(job.state, phase="collected"))
            else:
                self._files.remove(job.state.job)
        self._files.remove_answers(self._answered)
        self._collected = []
        self._answered = []
        if self._ended_badly:
            raise AwsError("\n  ".join([_UNFINISHED, *self._ended_badly]))

    def _adopt(self) -> list[_Job]:
        """The jobs of earlier runs whose output is still to be had."""
        states = self._files.states()
        listed = {
            name: status
            for uri, status in batch_service.jobs_by_input(self._bedrock).items()
            if (name := self._files.job_of(uri))
        }
        known = {state.job for state in states}
        states += [
            JobState(name, "submitted", 0, status.submitted_at, arn=status.arn)
            for name, status in listed.items()
            if name not in known and self._is_to_be_had(name, status)
        ]
        adopted = []
        for state in states:
            if state.phase == "collected":
                continue
            job = self._adoptable(state, listed.get(state.job))
            if job:
                log.info("taking up job %s of %s", job.state.job, job.state.planned_at)
                adopted.append(job)
            else:
                self._files.remove(state.job)
        return adopted

    def _adoptable(self, state: JobState, listed: JobStatus | None) -> _Job | None:
        if state.phase == "planned":
            return None
        if state.arn is None and listed and listed.submitted_at >= state.planned_at:
            state = msgspec.structs.replace(state, arn=listed.arn, phase="submitted")
            self._files.write_state(state)
        if state.arn is not None:
            status = batch_service.status(self._bedrock, state.arn)
            if not self._is_to_be_had(state.job, status or _forgotten(state.arn, state.planned_at)):
                return None
        records = frozenset(
            msgspec.json.decode(line, type=_Record).record_id
            for line in self._files.input_lines(state.job)
        )
        if not records:
            log.warning("the input of job %s is gone; its records are sent again", state.job)
            return None
        return _Job(state, records, adopted=True)

    def _is_to_be_had(self, job: str, status: JobStatus) -> bool:
        return not status.ended or self._files.has_output(job, status.arn)

    def _plan(
        self,
        pending: Iterable[Text],
        adopted: list[_Job],
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
            record = {
                "recordId": content_hash,
                "modelInput": titan.request(text, self._dimensions),
            }
            spool.write(msgspec.json.encode(record) + b"\n")
            chunk.append(content_hash)
            if len(chunk) == self._settings.bedrock_batch_size:
                plan.jobs.append(self._new_job(chunk, spool))
                chunk, spool = [], tempfile.TemporaryFile()  # noqa: SIM115
        if len(chunk) >= MINIMUM_RECORDS:
            plan.jobs.append(self._new_job(chunk, spool))
        else:
            spool.seek(0)
            plan.on_demand = _texts(spool)
            spool.close()
        return plan

    def _new_job(self, hashes: list[str], spool: IO[bytes]) -> _Job:
        identity = "\n".join([self._model, str(self._dimensions), *sorted(hashes)])
        job = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
        now = dt.datetime.now(dt.UTC)
        return _Job(JobState(job, "planned", len(hashes), now), frozenset(hashes), spool)

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
        batch_service.check_model(self._bedrock, self._model, self._settings.aws_region)
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
        self, plan: _Plan, adopted: list[_Job]
    ) -> Generator[Vectors | Failure, None, list[tuple[str, str]]]:
        """Submit, wait and collect; returns what is to be asked for again on demand."""
        deadline = time.monotonic() + self._settings.bedrock_max_wait_time
        open_jobs = [job for job in adopted if self._matters(job, plan)] + plan.jobs
        retried: list[tuple[str, str]] = []
        while open_jobs:
            self._submit_what_fits(open_jobs)
            for job in list(open_jobs):
                status = self._status(job)
                if status is not None and status.ended:
                    open_jobs.remove(job)
                    room = MAX_RETRIED - len(retried)
                    retried += yield from self._collect(job, status, plan, room)
            if open_jobs:
                self._wait(deadline, open_jobs)
        return retried

    def _matters(self, job: _Job, plan: _Plan) -> bool:
        """Whether an adopted job holds a pending vector; `confirm` ends it if not, once it ended.

        That is so for a run that was cut off after its vectors were stored.
        """
        if not job.records.isdisjoint(plan.wanted):
            return True
        status = self._status(job)
        if status is None or status.ended:
            self._collected.append(job)
        return False

    def _submit_what_fits(self, jobs: list[_Job]) -> None:
        under_way = sum(job.state.arn is not None for job in jobs)
        for job in jobs:
            if under_way >= self._settings.bedrock_max_concurrent_jobs:
                return
            if job.state.arn is None:
                try:
                    self._submit(job)
                except QuotaExceededError as error:
                    log.info("job %s waits for the account's quota: %s", job.state.job, error)
                    return
                under_way += 1

    def _submit(self, job: _Job) -> None:
        """Have the job under way, whether or not an earlier run already submitted it."""
        if job.spool:
            self._files.write_state(job.state)
            job.spool.seek(0)
            self._files.upload_input(job.state.job, job.spool)
            job.spool.close()
            job.spool = None
        for attempt in range(job.state.attempt, _MAX_ATTEMPTS):
            job.state = msgspec.structs.replace(job.state, phase="submitting", attempt=attempt)
            self._files.write_state(job.state)
            arn = self._create(job)
            if arn:
                job.state = msgspec.structs.replace(job.state, phase="submitted", arn=arn)
                self._files.write_state(job.state)
                return
        raise AwsError(
            f"Bedrock knows {_MAX_ATTEMPTS} earlier jobs of the records of {job.state.job}, none "
            "with an output; set this machine's clock, and run again"
        )

    def _create(self, job: _Job) -> str | None:
        """The ARN; None when name and token belong to a job that ended before this one was planned.

        Bedrock remembers jobs longer than their files are kept: the same records may have been
        sent before, in a job that failed, or for a database that is now built anew.
        """
        request = JobRequest(
            job.state.job,
            job.state.attempt,
            self._model,
            self._role,
            self._files.input_uri(job.state.job),
            self._files.output_uri(job.state.job),
        )
        try:
            arn = batch_service.submit(self._bedrock, request)
        except JobConflictError as error:
            if job.adopted:
                raise AwsError(
                    f"job {request.name} may already be under way with other settings ({error}); "
                    "run with the BEDROCK_ROLE_ARN and BEDROCK_OUTPUT_BUCKET of before, or allow "
                    "bedrock:ListModelInvocationJobs"
                ) from error
            return None
        except (JobRefusedError, QuotaExceededError):
            if not job.adopted:
                self._files.write_state(msgspec.structs.replace(job.state, phase="planned"))
            raise
        status = batch_service.status(self._bedrock, arn)
        stale = status and status.ended and status.submitted_at < job.state.planned_at
        if stale and not self._files.has_output(job.state.job, arn):
            return None
        log.info("job %s is under way: %s", request.name, arn)
        return arn

    def _status(self, job: _Job) -> JobStatus | None:
        if job.state.arn is None:
            return None
        status = batch_service.status(self._bedrock, job.state.arn)
        if status is None:
            status = _forgotten(job.state.arn, job.state.planned_at)
        if str(status) != job.seen:
            job.seen = str(status)
            log.info("job %s of %s records: %s", job.state.job, f"{len(job.records):,}", status)
        return status

    def _collect(
        self, job: _Job, status: JobStatus, plan: _Plan, room: int
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
            missing = f"job {status.status}: {status.message or 'no message'}"
            self._ended_badly.append(
                f"{status.arn} {status.status}: {status.message or 'no message'}; "
                f"{batch_service.remedy(status.message)}"
            )
        failures = {
            record: why for record, why in reading.failures(missing).items() if record in wanted
        }
        if failures and ended_well and len(failures) <= room:
            lines = self._files.input_lines(job.state.job)
            return [(name, text) for name, text in _texts(lines) if name in failures]
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

    def _wait(self, deadline: float, jobs: list[_Job]) -> None:
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


def _forgotten(arn: str, planned_at: dt.datetime) -> JobStatus:
    """What is taken for the status of a job that Bedrock does not know any more."""
    return JobStatus(arn, "Completed", "", planned_at)


def _texts(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    records = (msgspec.json.decode(line, type=_Record) for line in lines)
    return [(record.record_id, str(record.model_input["inputText"])) for record in records]


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
