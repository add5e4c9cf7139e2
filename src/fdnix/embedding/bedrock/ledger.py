"""Which batch jobs there are, each written to S3 before it is asked for and submitted once.

A job that may or may not have been submitted is submitted with the same token, for which Bedrock
gives the job that is already there. So a run that ends anywhere, by `kill -9` or by its time limit,
is taken up by the next one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec

from fdnix.embedding.bedrock import jobs
from fdnix.embedding.bedrock.files import JobState, record_texts
from fdnix.embedding.bedrock.jobs import (
    JobConflictError,
    JobRefusedError,
    JobRequest,
    JobStatus,
    QuotaExceededError,
)
from fdnix.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

    from fdnix.embedding.bedrock.files import BatchFiles

log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 100


@dataclass
class Job:
    """One job of this run, adopted from an earlier run or newly planned."""

    state: JobState
    records: frozenset[str]
    spool: IO[bytes] | None = None
    """The input, until it is uploaded."""
    adopted: bool = False
    seen: str = ""
    """What was logged of it last."""


class Ledger:
    """The jobs of one model and dimension, under one role."""

    def __init__(
        self,
        bedrock: BedrockClient,
        files: BatchFiles,
        *,
        model: str,
        dimensions: int,
        role_arn: str,
    ) -> None:
        """Say whose jobs they are; nothing is read or written yet."""
        self._bedrock = bedrock
        self._files = files
        self._model = model
        self._dimensions = dimensions
        self._role = role_arn

    def adopt(self) -> list[Job]:
        """The jobs of earlier runs whose output is still to be had."""
        left = self._files.jobs()
        listed = {
            name: status
            for uri, status in jobs.jobs_by_input(self._bedrock).items()
            if (name := self._files.job_of(uri))
        }
        adopted = []
        for name, written in left.items():
            status = listed.get(name)
            state = written
            if state is None and status is not None:
                state = JobState(name, "submitted", 0, status.submitted_at, arn=status.arn)
            if state is None or state.phase == "collected":
                continue
            job = self._adoptable(state, status)
            if job:
                log.info("taking up job %s of %s", name, job.state.planned_at)
                adopted.append(job)
            else:
                self._files.remove(name)
        return adopted

    def _adoptable(self, state: JobState, listed: JobStatus | None) -> Job | None:
        if state.phase == "planned":
            return None
        if state.arn is None and listed and listed.submitted_at >= state.planned_at:
            state = msgspec.structs.replace(state, arn=listed.arn, phase="submitted")
            self._files.write_state(state)
        if state.arn is not None:
            status = jobs.status(self._bedrock, state.arn)
            if not self._is_to_be_had(state.job, status or _forgotten(state.arn, state.planned_at)):
                return None
        records = frozenset(
            content_hash for content_hash, _ in record_texts(self._files.input_lines(state.job))
        )
        if not records:
            log.warning("the input of job %s is gone; its records are sent again", state.job)
            return None
        return Job(state, records, adopted=True)

    def _is_to_be_had(self, job: str, status: JobStatus) -> bool:
        return not status.ended or self._files.has_output(job, status.arn)

    def plan(self, hashes: list[str], spool: IO[bytes]) -> Job:
        """A job of the records in `spool`, whose ids are `hashes`; nothing is written yet.

        Bedrock knows jobs by names, of which an account has each once: another bucket's are others.
        """
        place = self._files.input_uri("")
        identity = "\n".join([self._model, str(self._dimensions), place, *sorted(hashes)])
        job = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
        now = dt.datetime.now(dt.UTC)
        return Job(JobState(job, "planned", len(hashes), now), frozenset(hashes), spool)

    def submit(self, job: Job) -> None:
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

    def _create(self, job: Job) -> str | None:
        """The ARN; None when name and token belong to a job that ended before this one was planned.

        Bedrock remembers jobs longer than their files are kept: the same records may have been
        sent before, in a job that failed or refused each of them, or for a database that is now
        built anew.
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
            arn = jobs.submit(self._bedrock, request)
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
        status = jobs.status(self._bedrock, arn)
        stale = status and status.ended and status.submitted_at < job.state.planned_at
        if stale and not (job.adopted and self._files.has_output(job.state.job, arn)):
            return None
        log.info("job %s is under way: %s", request.name, arn)
        return arn

    def status(self, job: Job) -> JobStatus | None:
        """How far the job is, logged where it changed; None where it is not submitted yet."""
        if job.state.arn is None:
            return None
        status = jobs.status(self._bedrock, job.state.arn)
        if status is None:
            status = _forgotten(job.state.arn, job.state.planned_at)
        if str(status) != job.seen:
            job.seen = str(status)
            log.info("job %s of %s records: %s", job.state.job, f"{len(job.records):,}", status)
        return status


def _forgotten(arn: str, planned_at: dt.datetime) -> JobStatus:
    """What is taken for the status of a job that Bedrock does not know any more."""
    return JobStatus(arn, "Completed", "", planned_at)
