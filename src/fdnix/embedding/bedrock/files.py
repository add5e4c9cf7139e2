"""What lies in S3 for batch inference: inputs, outputs, states, and answers given on demand.

    fdnix-batch/MODEL-DIMENSIONS/JOB/state.json            how far the job is
    fdnix-batch/MODEL-DIMENSIONS/JOB/input.jsonl           its records
    fdnix-batch/MODEL-DIMENSIONS/JOB/output/ID/…           what Bedrock wrote, in the output bucket
    fdnix-batch/MODEL-DIMENSIONS/on-demand/HASH.json       an InvokeModel answer
    fdnix-batch/MODEL-DIMENSIONS/vectors/NAME.vectors      finished vectors, float32
    fdnix-batch/MODEL-DIMENSIONS/vectors/NAME.hashes       the content hashes they belong to

Nothing here is one run's own: jobs and answers stay until their vectors are among the finished
ones, which stay for whoever needs them next. JOB is a hash of the records, so that the same work
has the same place, and a container that starts from nothing finds all of it.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations
import logging
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import repeat
from typing import IO, TYPE_CHECKING, Literal

import msgspec
import numpy as np

from fdnix.aws import error_code, explained
from fdnix.embedding.backend import Vectors
from fdnix.errors import AwsError
from fdnix.progress import commonest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

ROOT = "fdnix-batch"
READ_SIZE = 1 << 20
READ_ATTEMPTS = 5
VECTOR_TYPE = np.dtype("<f4")
_READERS = 8
_DELETE_AT_ONCE = 1000  # DeleteObjects takes at most so many keys


class JobState(msgspec.Struct, frozen=True):
    """How far a job is: what a later run needs to find it again.

    `planned`: its input may be missing or incomplete, and it was surely not submitted.
    `submitting`: its input is complete, and it may have been submitted.
    `submitted`: Bedrock answered with `arn`.
    `collected`: its vectors are stored elsewhere; its files were kept on purpose.
    """

    job: str
    phase: Literal["planned", "submitting", "submitted", "collected"]
    records: int
    planned_at: dt.datetime
    attempt: int = 0
    arn: str | None = None


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """One line of a job's input."""

    record_id: str
    model_input: dict[str, object]


def record_texts(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """The id and the text of every record of a job's input."""
    records = (msgspec.json.decode(line, type=Record) for line in lines)
    return [(record.record_id, str(record.model_input["inputText"])) for record in records]


def lock_key(model: str, dimensions: int) -> str:
    """The key of the lock over all that lies here for one model and dimension."""
    return f"{_prefix(model, dimensions)}.lock"


class BatchFiles:
    """The objects of one model and dimension; whoever changes them holds the lock at `lock_key`."""

    def __init__(
        self, s3: S3Client, *, input_bucket: str, output_bucket: str, model: str, dimensions: int
    ) -> None:
        """Name the place; nothing is read or written yet."""
        self._s3 = s3
        self._input = input_bucket
        self._output = output_bucket
        self._prefix = _prefix(model, dimensions)
        self._dimensions = dimensions

    def job_of(self, input_uri: str) -> str | None:
        """The job whose records lie at `input_uri`; None when it is none of this place."""
        start = f"s3://{self._input}/{self._prefix}"
        if not input_uri.startswith(start):
            return None
        return input_uri.removeprefix(start).partition("/")[0]

    def input_uri(self, job: str) -> str:
        """Where the records of `job` lie."""
        return f"s3://{self._input}/{self._prefix}{job}/input.jsonl"

    def output_uri(self, job: str) -> str:
        """The folder that Bedrock writes the output of `job` to."""
        return f"s3://{self._output}/{self._prefix}{job}/output/"

    def jobs(self) -> dict[str, JobState | None]:
        """The jobs of earlier runs that left an input or a state, and their state if there is one.

        Oldest first, as far as the state tells.
        """
        found: dict[str, JobState | None] = {}
        for key in self._list(self._input, ""):
            job, _, name = key.removeprefix(self._prefix).partition("/")
            if name == "input.jsonl":
                found.setdefault(job, None)
            elif name == "state.json":
                found[job] = self._state(key)
        return dict(sorted(found.items(), key=lambda item: _age(item[1])))

    def write_state(self, state: JobState) -> None:
        """Make `state` what a later run finds."""
        self._put(f"{self._prefix}{state.job}/state.json", msgspec.json.encode(state))

    def upload_input(self, job: str, records: IO[bytes]) -> None:
        """Put the JSONL `records` where Bedrock reads them; not visible before they are whole."""
        key = f"{self._prefix}{job}/input.jsonl"
        with explained(f"write s3://{self._input}/{key}"):
            self._s3.upload_fileobj(
                records, self._input, key, ExtraArgs={"ContentType": "application/jsonl"}
            )

    def input_lines(self, job: str) -> Iterator[bytes]:
        """The records of `job`; none where the object is gone."""
        return self._lines(self._input, f"{self._prefix}{job}/input.jsonl")

    def has_output(self, job: str, arn: str) -> bool:
        """Whether Bedrock's output file for this job is there."""
        key = self._output_folder(job, arn) + "input.jsonl.out"
        return any(found.endswith(key) for found in self._list(self._output, key))

    def output_lines(self, job: str, arn: str) -> Iterator[bytes]:
        """The lines that Bedrock wrote; none where the object is missing."""
        folder = self._output_folder(job, arn)
        return self._lines(self._output, f"{self._prefix}{folder}input.jsonl.out")

    def manifest(self, job: str, arn: str) -> bytes | None:
        """What Bedrock says it did, as JSON; None where it says nothing."""
        key = f"{self._prefix}{self._output_folder(job, arn)}manifest.json.out"
        return b"".join(self._lines(self._output, key)) or None

    def remove(self, job: str) -> None:
        """Remove all of a job, its state last, so that a run cut off here is found and ended."""
        if self._output != self._input:
            self._delete(self._output, list(self._list(self._output, f"{job}/")))
        keys = list(self._list(self._input, f"{job}/"))
        state = f"{self._prefix}{job}/state.json"
        self._delete(self._input, [key for key in keys if key != state])
        self._delete(self._input, [key for key in keys if key == state])

    def keep_answer(self, name: str, answer: bytes) -> None:
        """Keep an on-demand answer until `remove_answers`."""
        self._put(f"{self._prefix}on-demand/{name}.json", answer)

    def answers(self) -> Iterator[tuple[str, bytes]]:
        """The on-demand answers that were kept, with their names."""
        keys = list(self._list(self._input, "on-demand/"))
        names = [key.rpartition("/")[2].removesuffix(".json") for key in keys]
        with ThreadPoolExecutor(_READERS) as pool:
            yield from zip(names, pool.map(self._get, repeat(self._input), keys), strict=True)

    def remove_answers(self, names: Iterable[str]) -> None:
        """Remove these on-demand answers."""
        self._delete(self._input, [f"{self._prefix}on-demand/{name}.json" for name in names])

    def keep_vectors(self, name: str, hashes: list[str], vectors: IO[bytes]) -> None:
        """Keep finished vectors under `name`, for this run and all later ones.

        The hashes are written last: without them the vectors do not count.
        """
        key = f"{self._prefix}vectors/{name}"
        with explained(f"write s3://{self._input}/{key}.vectors"):
            self._s3.upload_fileobj(vectors, self._input, f"{key}.vectors")
        self._put(f"{key}.hashes", "\n".join(hashes).encode())

    def kept_hashes(self) -> Iterator[tuple[str, list[str]]]:
        """The names of finished vectors, each with the content hashes they belong to."""
        keys = [key for key in self._list(self._input, "vectors/") if key.endswith(".hashes")]
        with ThreadPoolExecutor(_READERS) as pool:
            for key, body in zip(keys, pool.map(self._get, repeat(self._input), keys), strict=True):
                yield key.rpartition("/")[2].removesuffix(".hashes"), body.decode().split()

    def kept_vectors(self, name: str) -> Vectors:
        """The finished vectors of `name`, in the order of their hashes.

        Raises:
            AwsError: the two objects do not fit one another, or S3 refuses or fails.
        """
        key = f"{self._prefix}vectors/{name}"
        hashes = self._get(self._input, f"{key}.hashes").decode().split()
        body = BytesIO()
        self._read(self._input, f"{key}.vectors", body)
        expected = len(hashes) * self._dimensions * VECTOR_TYPE.itemsize
        if body.getbuffer().nbytes != expected:
            raise AwsError(
                f"s3://{self._input}/{key}.vectors does not hold the {len(hashes):,} vectors that "
                f"it should; remove it and {name}.hashes, and run again"
            )
        vectors = np.frombuffer(body.getbuffer(), VECTOR_TYPE)
        return Vectors(hashes, vectors.reshape(len(hashes), self._dimensions))

    def renew(self, name: str) -> None:
        """Have the finished vectors of `name` count as new, for rules that remove by age."""
        for kind in ("vectors", "hashes"):
            key = f"{self._prefix}vectors/{name}.{kind}"
            with explained(f"renew s3://{self._input}/{key}"):
                self._s3.copy_object(
                    Bucket=self._input,
                    Key=key,
                    CopySource={"Bucket": self._input, "Key": key},
                    # S3 refuses to copy an object to itself when nothing is to change.
                    MetadataDirective="REPLACE",
                )

    def _state(self, key: str) -> JobState:
        try:
            return msgspec.json.decode(self._get(self._input, key), type=JobState)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AwsError(
                f"s3://{self._input}/{key} cannot be read ({error}), so it is not known whether "
                "its job was submitted; look at the job in the Bedrock console, then remove the "
                "object"
            ) from error

    def _output_folder(self, job: str, arn: str) -> str:
        return f"{job}/output/{arn.rpartition('/')[2]}/"

    def _put(self, key: str, body: bytes) -> None:
        with explained(f"write s3://{self._input}/{key}"):
            self._s3.put_object(
                Bucket=self._input, Key=key, Body=body, ContentType="application/json"
            )

    def _get(self, bucket: str, key: str) -> bytes:
        return b"\n".join(self._lines(bucket, key))

    def _list(self, bucket: str, under: str) -> Iterator[str]:
        prefix = self._prefix + under
        with explained(f"list s3://{bucket}/{prefix}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            ):
                yield from (item["Key"] for item in page.get("Contents", []))

    def _delete(self, bucket: str, keys: list[str]) -> None:
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            some = keys[start : start + _DELETE_AT_ONCE]
            with explained(f"remove objects from s3://{bucket}/{self._prefix}"):
                answer = self._s3.delete_objects(
                    Bucket=bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            if kept := answer.get("Errors", []):
                log.warning(
                    "s3://%s/%s and %s more could not be removed. Why: %s",
                    bucket,
                    kept[0].get("Key"),
                    f"{len(kept) - 1:,}",
                    commonest(str(error.get("Message")) for error in kept),
                )

    def _lines(self, bucket: str, key: str) -> Iterator[bytes]:
        with tempfile.SpooledTemporaryFile(READ_SIZE) as spool:
            self._read(bucket, key, spool)
            for line in spool:
                yield line.removesuffix(b"\n")

    def _read(self, bucket: str, key: str, into: IO[bytes]) -> None:
        """Write the whole object to `into`; what arrives damaged is asked for again."""
        from botocore.exceptions import FlexibleChecksumError  # noqa: PLC0415

        for attempt in range(1, READ_ATTEMPTS + 1):
            into.seek(0)
            into.truncate()
            try:
                into.writelines(self._parts(bucket, key))
            except AwsError as error:
                damaged = isinstance(error.__cause__, FlexibleChecksumError)
                if not damaged or attempt == READ_ATTEMPTS:
                    raise
                log.warning("s3://%s/%s arrived damaged and is asked for again", bucket, key)
            else:
                into.seek(0)
                return

    def _parts(self, bucket: str, key: str) -> Iterator[bytes]:
        """The object's bytes; a connection that is cut is taken up again where it ended."""
        from botocore.exceptions import (  # noqa: PLC0415
            ClientError,
            HTTPClientError,
            IncompleteReadError,
        )

        offset = 0
        failures = 0
        with explained(f"read s3://{bucket}/{key}"):
            while True:
                try:
                    answer = (
                        self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={offset}-")
                        if offset  # S3 gives no checksum with a range
                        else self._s3.get_object(Bucket=bucket, Key=key)
                    )
                    for part in answer["Body"].iter_chunks(READ_SIZE):
                        offset += len(part)
                        failures = 0
                        yield part
                except (HTTPClientError, IncompleteReadError):
                    failures += 1
                    if failures == READ_ATTEMPTS:
                        raise
                except ClientError as error:
                    # InvalidRange is how S3 answers at the very end of an object.
                    if error_code(error) not in {"NoSuchKey", "404", "InvalidRange", "416"}:
                        raise
                    return
                else:
                    return


def _prefix(model: str, dimensions: int) -> str:
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", model)
    return f"{ROOT}/{slug}-{dimensions}/"


def _age(state: JobState | None) -> float:
    return state.planned_at.timestamp() if state else 0
