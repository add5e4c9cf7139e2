"""The calls to Bedrock's control plane that batch inference makes."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.aws import answered, error_code, explained
from fdnix.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock.type_defs import GetModelInvocationJobResponseTypeDef

log = logging.getLogger(__name__)

TERMINAL = frozenset({"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"})
NAME_PREFIX = "fdnix-"
# A batch job ends after at most 168 hours (timeoutDurationInHours), and its result is fetched soon.
LOOK_BACK = dt.timedelta(days=14)
_REFUSALS = {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}
_DENIED = {"AccessDenied", "AccessDeniedException"}
# Other APIs that take a jobName answer for a taken one with ValidationException and this message.
_NAME_TAKEN = re.compile(r"\bjob ?name\b.*\b(in use|already|taken)\b", re.IGNORECASE)


class QuotaExceededError(Exception):
    """As many batch jobs are under way as the account may have."""


class JobRefusedError(AwsError):
    """Bedrock refused the job, and surely did not start it."""


class JobConflictError(Exception):
    """Bedrock knows the job's name or token, from a job that cannot be had by it."""


@dataclass(frozen=True)
class JobStatus:
    """What Bedrock says of one job."""

    arn: str
    status: str
    message: str
    submitted_at: dt.datetime
    processed: int | None = None

    def __str__(self) -> str:
        """The status, with how far the job is and what Bedrock says about it."""
        done = "" if self.processed is None else f", {self.processed:,} done"
        return f"{self.status}{done}{': ' if self.message else ''}{self.message}"

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.status in TERMINAL


@dataclass(frozen=True)
class JobRequest:
    """What a job is asked to do; the same records make the same name and token."""

    job: str
    attempt: int
    model: str
    role_arn: str
    input_uri: str
    output_uri: str

    @property
    def name(self) -> str:
        """At most 63 characters, the longest job name that Bedrock takes."""
        return f"{NAME_PREFIX}{self.job}-{self.attempt}"

    @property
    def token(self) -> str:
        """The clientRequestToken: alphanumeric, one for each different request."""
        parts = (self.job, str(self.attempt), self.role_arn, self.output_uri)
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=32).hexdigest()


def submit(client: BedrockClient, request: JobRequest) -> str:
    """The ARN of the job that does `request`; the same one however often this is called.

    Raises:
        QuotaExceededError: when too many jobs are under way.
        JobConflictError: when the name or token is taken.
        JobRefusedError: when Bedrock refuses the request.
        AwsError: when it is not known whether Bedrock took the job.
    """
    with explained(f"submit the batch job {request.name}"):
        try:
            answer = client.create_model_invocation_job(
                jobName=request.name,
                clientRequestToken=request.token,
                roleArn=request.role_arn,
                modelId=request.model,
                inputDataConfig={
                    "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": request.input_uri}
                },
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": request.output_uri}},
            )
        except client.exceptions.ServiceQuotaExceededException as error:
            raise QuotaExceededError(str(error)) from error
        except client.exceptions.ConflictException as error:
            raise JobConflictError(str(error)) from error
        except client.exceptions.ClientError as error:
            if error_code(error) not in _REFUSALS:
                raise
            if error_code(error) == "ValidationException" and _NAME_TAKEN.search(str(error)):
                raise JobConflictError(str(error)) from error
            raise JobRefusedError(
                f"Bedrock refused the batch job {request.name}: {error}; {remedy(str(error))}"
            ) from error
    return str(answered(answer, "jobArn"))


def status(client: BedrockClient, arn: str) -> JobStatus | None:
    """How far the job is; None when Bedrock does not know it any more."""
    with explained(f"ask for the batch job {arn}"):
        try:
            answer = client.get_model_invocation_job(jobIdentifier=arn)
        except client.exceptions.ResourceNotFoundException:
            return None
    return _status(answer)


def jobs_by_input(client: BedrockClient) -> dict[str, JobStatus]:
    """The newest job for each input URI, among those of this program in the last two weeks.

    Empty, with a warning, where the permission to list jobs is missing.
    """
    after = dt.datetime.now(dt.UTC) - LOOK_BACK
    found: dict[str, JobStatus] = {}
    with explained("list the batch jobs"):
        try:
            for page in client.get_paginator("list_model_invocation_jobs").paginate(
                nameContains=NAME_PREFIX.rstrip("-"),
                submitTimeAfter=after,
                sortBy="CreationTime",
                sortOrder="Descending",
            ):
                for job in page.get("invocationJobSummaries", []):
                    uri = job["inputDataConfig"].get("s3InputDataConfig", {}).get("s3Uri", "")
                    found.setdefault(
                        uri,
                        JobStatus(
                            job["jobArn"],
                            job.get("status", "InProgress"),
                            job.get("message", ""),
                            job["submitTime"],
                        ),
                    )
        except client.exceptions.ClientError as error:
            if error_code(error) not in _DENIED:
                raise
            log.warning(
                "bedrock:ListModelInvocationJobs is denied; earlier jobs are known from S3 alone"
            )
    return found


def check_model(client: BedrockClient, model: str, region: str | None) -> None:
    """Return when the region offers `model`, or when that cannot be found out.

    Raises:
        AwsError: when the region does not offer it.
    """
    if model.startswith("arn:"):
        return
    with explained("list the foundation models"):
        try:
            answer = client.list_foundation_models(byOutputModality="EMBEDDING")
        except client.exceptions.ClientError as error:
            if error_code(error) not in _DENIED:
                raise
            log.warning(
                "bedrock:ListFoundationModels is denied; going on without knowing whether %s "
                "can be used",
                model,
            )
            return
    names = sorted(summary["modelId"] for summary in answered(answer, "modelSummaries"))
    if model not in names:
        raise AwsError(
            f"{region} does not offer the model {model}; set BEDROCK_MODEL_ID to one it offers "
            f"({', '.join(names) or 'none'}), or AWS_REGION to another region"
        )


def remedy(message: str) -> str:
    """What to do about a failed job, from the message that Bedrock gives."""
    said = message.lower()
    if "authorized to perform" in said:
        return "grant the role this action: the policies are in deploy/iam"
    if "access to the model" in said or "model access" in said:
        return "grant access to the model on the Bedrock console's model access page"
    if any(word in said for word in ("role", "s3", "bucket", "permission")):
        return (
            "let BEDROCK_ROLE_ARN be assumed by bedrock.amazonaws.com, and read the input bucket "
            "and write the output bucket (deploy/iam holds the policy)"
        )
    if any(word in said for word in ("quota", "limit", "capacity")):
        return "ask for a higher quota in Service Quotas, or lower BEDROCK_BATCH_SIZE"
    return "run again to submit its records once more"


def _status(answer: GetModelInvocationJobResponseTypeDef) -> JobStatus:
    return JobStatus(
        answered(answer, "jobArn"),
        answer.get("status", "InProgress"),
        answer.get("message", ""),
        answered(answer, "submitTime"),
        answer.get("processedRecordCount"),
    )
