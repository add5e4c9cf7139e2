"""A Bedrock that runs here: batch inference and InvokeModel, as botocore's service models say.

Every request and response is checked against the models that botocore ships: required members,
types, lengths, enumerations and patterns. A request outside them is answered as AWS would; a
response outside them is a defect of this file and fails loudly. Batch jobs read their input from
S3 and write their output there, with the file names, line forms and limits of "Process multiple
prompts with batch inference" in the Amazon Bedrock user guide. Vectors come from the local model,
so that they mean something.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import tempfile
import threading
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import botocore.session
import numpy as np
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator

from fdnix.embedding.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_s3 import S3Client
    from numpy.typing import NDArray

ACCOUNT = "123456789012"
REGION = "us-east-1"
MODEL = "amazon.titan-embed-text-v2:0"
DIMENSIONS = (256, 512, 1024)
MAX_CHARACTERS = 50_000
MAX_TOKENS = 8_192
MAX_RECORDS = 50_000
TERMINAL = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}
EMULATOR_KEY = "emulator"
"""The access key id that tells the emulator's own S3 requests from those of the client."""

Lines = list[bytes]


class Refusal(Exception):  # noqa: N818
    """An answer that is one of the service's error shapes."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the error shape's name and the message."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Outcome:
    """How a batch job ends, and which share of its records it does before it ends."""

    status: str = "Completed"
    message: str = ""
    share: float = 1.0


@dataclass
class Faults:
    """What goes wrong; all off by default."""

    throttle: int = 0
    """The next so many requests are throttled."""
    refuse: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Operation name to the error code and message it is answered with."""
    outcomes: deque[Outcome] = field(default_factory=deque)
    """How the next jobs end; Completed where none is left."""
    hold: bool = False
    """Jobs stay InProgress while this is set."""
    delay: float = 0.0
    """Seconds that every request takes longer."""
    edit_lines: Callable[[Lines], Lines] | None = None
    """What is done to the lines of an output file before it is written."""
    bad_in_batch: str | None = None
    """A record whose text holds this fails in a batch."""
    bad_on_demand: str | None = None
    """A record whose text holds this fails in InvokeModel."""
    float_by_type_only: bool = False
    """Only embeddingsByType.float is answered."""
    without_manifest: bool = False
    quota: int = 10
    """Jobs that may be unfinished at once."""
    minimum: int = 100
    """Records that a batch must have."""
    forget_tokens: bool = False
    """clientRequestToken is no longer remembered; job names still are."""
    name_taken: tuple[str, str] = ("ConflictException", "The job name is already in use")
    """The error code and message for a job name that another job has."""


def shuffled(lines: Lines) -> Lines:
    """The lines in another order."""
    return random.Random(7).sample(lines, len(lines))


def without_every(n: int) -> Callable[[Lines], Lines]:
    """Drops every n-th line."""
    return lambda lines: [line for i, line in enumerate(lines) if i % n]


def duplicated(lines: Lines) -> Lines:
    """Every line twice."""
    return [line for line in lines for _ in range(2)]


def corrupted_every(n: int) -> Callable[[Lines], Lines]:
    """Cuts every n-th line in half."""
    return lambda lines: [
        line if i % n else line[: len(line) // 2] + b"\n" for i, line in enumerate(lines)
    ]


class Busy:
    """The time that is spent in at least one of the blocks that it surrounds."""

    def __init__(self) -> None:
        """Start with none."""
        self.seconds = 0.0
        self._inside = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Count from here, unless another block counts already."""
        with self._lock:
            if not self._inside:
                self._since = time.perf_counter()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        """Count up to here, unless another block goes on."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self.seconds += time.perf_counter() - self._since


@dataclass
class Job:
    """One batch job and how far it is."""

    arn: str
    request: dict[str, Any]
    submitted: dt.datetime
    outcome: Outcome
    statuses: deque[str] = field(
        default_factory=lambda: deque(["Submitted", "Validating", "Scheduled"])
    )
    end: str | None = None
    ended: dt.datetime | None = None
    message: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """What the service says of the job now."""
        if self.statuses:
            return self.statuses[0]
        return self.end or "InProgress"


def embed(texts: list[str], dimensions: int) -> NDArray[np.float64]:
    """Unit vectors of the local 256-dimension model, repeated up to `dimensions`."""
    vectors = LocalEmbedder().embed(texts).astype(np.float64)
    vectors[~vectors.any(axis=1), 0] = 1
    repeats = dimensions // vectors.shape[1]
    rounded: NDArray[np.float64] = np.round(np.tile(vectors, (1, repeats)) / np.sqrt(repeats), 7)
    return rounded


class BedrockServer:
    """The service: what it was asked, what it charged for, its jobs, and its faults."""

    def __init__(self, s3_url: str, port: int = 0) -> None:
        """Serve on `port` of the loopback interface (0: any free one), with the S3 at `s3_url`."""
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        """Text to how often it was asked for, in accepted jobs and on demand."""
        self.charged: Counter[str] = Counter()
        """Text to how often a vector for it was delivered."""
        self.jobs: dict[str, Job] = {}
        self.busy = Busy()
        """The time in which a job ran or a text was embedded."""
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        """Called with the operation's name before and after it is done, before the answer."""
        self._tokens: dict[str, Job] = {}
        self._lock = threading.RLock()
        self._services = [_service("bedrock"), _service("bedrock-runtime")]
        self._s3 = _s3(s3_url)
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        """Answer requests in a thread of its own."""
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()

    def active(self) -> list[Job]:
        """The jobs that have not ended."""
        return [job for job in self.jobs.values() if job.status not in TERMINAL]

    def statistics(self) -> dict[str, Any]:
        """The counters, as one JSON object."""
        return {
            "calls": dict(self.calls),
            "asked": sum(self.asked.values()),
            "charged": sum(self.charged.values()),
            "charged_twice": sum(n > 1 for n in self.charged.values()),
            "jobs": {arn: job.status for arn, job in self.jobs.items()},
            "seconds": self.busy.seconds,
        }

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body that answer one HTTP request."""
        operation, parameters = self._request(method, target, headers, body)
        name = operation.name
        self.before(name)
        try:
            self._admit(name)
            _check(operation.input_shape, parameters, "ValidationException")
            with self._lock:
                result = getattr(self, f"_{_snake(name)}")(parameters)
        except Refusal as refusal:
            shapes = {shape.name: shape for shape in operation.error_shapes}
            shape = shapes[refusal.code]
            status = int(shape.metadata["error"]["httpStatusCode"])
            answer = status, {"x-amzn-errortype": refusal.code}, _json({"message": refusal.message})
        else:
            _check(operation.output_shape, result, None)
            answer = _serialise(operation, result)
        self.after(name)
        return answer

    def _request(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[OperationModel, dict[str, Any]]:
        url = urlsplit(target)
        for service in self._services:
            for name in service.operation_names:
                operation = service.operation_model(name)
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(_path(operation)))
                found = re.fullmatch(pattern, url.path)
                if found and operation.http["method"] == method and operation.input_shape:
                    given = {key: unquote(value) for key, value in found.groupdict().items()}
                    given |= dict(parse_qsl(url.query))
                    return operation, _parameters(operation.input_shape, given, headers, body)
        raise Refusal("ResourceNotFoundException", f"no operation is {method} {url.path}")

    def _admit(self, name: str) -> None:
        with self._lock:
            self.calls[name] += 1
            throttled = self.faults.throttle > 0
            self.faults.throttle -= throttled
        if self.faults.delay:
            time.sleep(self.faults.delay)
        if throttled:
            raise Refusal("ThrottlingException", "Too many requests, please wait before trying")
        if name in self.faults.refuse:
            raise Refusal(*self.faults.refuse[name])

    def _create_model_invocation_job(self, request: dict[str, Any]) -> dict[str, Any]:
        token = request.get("clientRequestToken") or uuid.uuid4().hex
        known = None if self.faults.forget_tokens else self._tokens.get(token)
        if known:
            if known.request != request:
                raise Refusal("ConflictException", "The token was used with other parameters")
            return {"jobArn": known.arn}
        if any(job.request["jobName"] == request["jobName"] for job in self.jobs.values()):
            raise Refusal(*self.faults.name_taken)
        if len(self.active()) >= self.faults.quota:
            raise Refusal("ServiceQuotaExceededException", "Too many batch jobs in progress")
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/{uuid.uuid4().hex[:12]}"
        outcome = self.faults.outcomes.popleft() if self.faults.outcomes else Outcome()
        job = Job(arn, request, _now(), outcome)
        self.jobs[arn] = self._tokens[token] = job
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return {"jobArn": arn}

    def _get_model_invocation_job(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request["jobIdentifier"])
        description = self._describe(job) | job.counts
        if job.statuses:
            job.statuses.popleft()
        return description

    def _list_model_invocation_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        chosen = [
            self._describe(job)
            for job in self.jobs.values()
            if request.get("nameContains", "") in job.request["jobName"]
            and request.get("statusEquals", job.status) == job.status
            and request.get("submitTimeAfter", job.submitted) <= job.submitted
            and request.get("submitTimeBefore", job.submitted) >= job.submitted
        ]
        chosen.sort(
            key=lambda job: job["submitTime"], reverse=request.get("sortOrder") != "Ascending"
        )
        start = int(request.get("nextToken", 0))
        size = request.get("maxResults", 100)
        page: dict[str, Any] = {"invocationJobSummaries": chosen[start : start + size]}
        if start + size < len(chosen):
            page["nextToken"] = str(start + size)
        return page

    def _stop_model_invocation_job(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request["jobIdentifier"])
        if job.status in TERMINAL:
            raise Refusal("ConflictException", f"The job is {job.status}")
        job.statuses = deque(["Stopping"])
        job.outcome = Outcome("Stopped", "Stopped by the user", 0)
        return {}

    def _list_foundation_models(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "modelSummaries": [
                {
                    "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}",
                    "modelId": MODEL,
                    "modelName": "Titan Embeddings V2",
                    "providerName": "Amazon",
                    "inputModalities": ["TEXT"],
                    "outputModalities": ["EMBEDDING"],
                    "responseStreamingSupported": False,
                    "customizationsSupported": [],
                    "inferenceTypesSupported": ["ON_DEMAND"],
                    "modelLifecycle": {"status": "ACTIVE"},
                }
            ]
        }

    def _invoke_model(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["modelId"] != MODEL:
            raise Refusal("ValidationException", "The provided model identifier is invalid.")
        body = json.loads(request["body"])
        complaint = _complaint(body, self.faults.bad_on_demand)
        if complaint:
            raise Refusal("ValidationException", complaint)
        with self.busy:
            vector = embed([body["inputText"]], body["dimensions"])[0]
        self.asked[body["inputText"]] += 1
        self.charged[body["inputText"]] += 1
        return {
            "contentType": "application/json",
            "body": _json(self._output(vector.tolist(), body)),
        }

    def _job(self, identifier: str) -> Job:
        for arn, job in self.jobs.items():
            if identifier in {arn, arn.rpartition("/")[2]}:
                return job
        raise Refusal("ResourceNotFoundException", f"Could not find the job {identifier}")

    def _describe(self, job: Job) -> dict[str, Any]:
        described = {
            "jobArn": job.arn,
            **job.request,
            "status": job.status,
            "submitTime": job.submitted,
            "lastModifiedTime": job.ended or job.submitted,
        }
        if job.status in TERMINAL:
            described |= {"endTime": job.ended}
            if job.message:
                described["message"] = job.message
        return described

    def _output(self, vector: list[float], body: dict[str, Any]) -> dict[str, Any]:
        output: dict[str, Any] = {
            "embeddingsByType": {"float": vector},
            "inputTextTokenCount": len(body["inputText"].split()),
        }
        if not self.faults.float_by_type_only:
            output = {"embedding": vector, **output}
        return output

    def _run(self, job: Job) -> None:
        try:
            with self.busy:
                status, message = self._process(job)
        except ClientError as error:
            status = "Failed"
            message = f"The role {job.request['roleArn']} cannot reach the S3 URI: {error}"
        while self.faults.hold:
            time.sleep(0.01)
        if job.outcome.status == "Stopped":
            status, message = "Stopped", job.outcome.message
        job.ended, job.message, job.end = _now(), message, status
        if job.statuses and job.statuses[0] == "Stopping":
            job.statuses.clear()

    def _process(self, job: Job) -> tuple[str, str]:
        source = job.request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        bucket, _, key = source.removeprefix("s3://").partition("/")
        with tempfile.TemporaryFile() as spool:
            self._s3.download_fileobj(bucket, key, spool)
            spool.seek(0)
            problem, total = self._validate(spool)
            if problem:
                return "Failed", problem
            if job.outcome.status == "Failed":
                return "Failed", job.outcome.message
            spool.seek(0)
            done = int(total * job.outcome.share)
            self._write(job, key, islice(spool, done), total)
        return job.outcome.status, job.outcome.message

    def _validate(self, lines: Iterable[bytes]) -> tuple[str, int]:
        seen: set[str] = set()
        total = 0
        for total, line in enumerate(lines, 1):
            record = json.loads(line)
            name = record["recordId"]
            if not re.fullmatch(r"[A-Za-z0-9]+", name) or name in seen:
                return f"Record {total}: the recordId is not alphanumeric or not unique", total
            seen.add(name)
        if total < self.faults.minimum:
            return (
                f"The batch has {total} records; the required minimum is {self.faults.minimum}",
                total,
            )
        if total > MAX_RECORDS:
            return f"The batch has {total} records; the maximum is {MAX_RECORDS}", total
        return "", total

    def _write(self, job: Job, key: str, lines: Iterator[bytes], total: int) -> None:
        target = job.request["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
        bucket, _, prefix = target.removeprefix("s3://").partition("/")
        folder = f"{prefix.rstrip('/')}/{job.arn.rpartition('/')[2]}/"
        counts = Counter[str]()
        with tempfile.TemporaryFile() as spool:
            if self.faults.edit_lines:
                whole = list(self._outputs(lines, counts, charge=False))
                edited = self.faults.edit_lines(whole)
                intact = set(edited)
                self._charge(line for line in whole if line in intact)
                spool.writelines(edited)
            else:
                spool.writelines(self._outputs(lines, counts, charge=True))
            spool.seek(0)
            self._s3.upload_fileobj(spool, bucket, f"{folder}{key.rpartition('/')[2]}.out")
        job.counts = {
            "totalRecordCount": total,
            "processedRecordCount": counts["success"] + counts["error"],
            "successRecordCount": counts["success"],
            "errorRecordCount": counts["error"],
        }
        if not self.faults.without_manifest:
            manifest = job.counts | {"inputTokenCount": counts["tokens"]}
            self._s3.put_object(
                Bucket=bucket, Key=f"{folder}manifest.json.out", Body=_json(manifest)
            )

    def _outputs(
        self, lines: Iterator[bytes], counts: Counter[str], *, charge: bool
    ) -> Iterator[bytes]:
        while part := [json.loads(line) for line in islice(lines, 1000)]:
            with self._lock:
                self.asked.update(record["modelInput"]["inputText"] for record in part)
            dimensions = part[0]["modelInput"]["dimensions"]
            texts = [record["modelInput"]["inputText"] for record in part]
            vectors = embed(texts, dimensions).tolist()
            for record, vector in zip(part, vectors, strict=True):
                complaint = _complaint(record["modelInput"], self.faults.bad_in_batch)
                if complaint:
                    counts["error"] += 1
                    error = {"errorCode": 400, "errorMessage": complaint}
                    yield _json({**record, "error": error}) + b"\n"
                    continue
                counts["success"] += 1
                output = self._output(vector, record["modelInput"])
                counts["tokens"] += output["inputTextTokenCount"]
                line = _json({**record, "modelOutput": output}) + b"\n"
                if charge:
                    self._charge([line], record)
                yield line

    def _charge(self, lines: Iterable[bytes], record: dict[str, Any] | None = None) -> None:
        for line in lines:
            charged = record or json.loads(line)
            if "error" not in charged:
                with self._lock:
                    self.charged[charged["modelInput"]["inputText"]] += 1


@cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


@cache
def _s3(url: str) -> S3Client:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=EMULATOR_KEY,
        aws_secret_access_key=EMULATOR_KEY,
        config=Config(retries={"mode": "standard", "max_attempts": 5}),
    )


def _complaint(body: dict[str, Any], bad: str | None) -> str:
    text = body.get("inputText", "")
    if unknown := body.keys() - {"inputText", "dimensions", "normalize", "embeddingTypes"}:
        return f"Malformed input request: extraneous key {sorted(unknown)} is not permitted"
    if not 1 <= len(text) <= MAX_CHARACTERS:
        return f"Malformed input request: expected minLength: 1, maxLength: {MAX_CHARACTERS}"
    if len(text.split()) > MAX_TOKENS:
        return f"Too many input tokens. Max input tokens: {MAX_TOKENS}"
    if body.get("dimensions") not in DIMENSIONS:
        return f"Malformed input request: dimensions must be one of {DIMENSIONS}"
    if bad is not None and bad in text:
        return "The model could not process this input"
    return ""


def _parameters(
    shape: StructureShape, given: dict[str, str], headers: dict[str, str], body: bytes
) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wire = member.serialization.get("name", name)
        if location in {"uri", "querystring"} and wire in given:
            parameters[name] = _typed(member, given[wire])
        elif location == "header" and wire.lower() in headers:
            parameters[name] = headers[wire.lower()]
        elif name == payload:
            parameters[name] = body
    if not payload and body:
        parameters |= json.loads(body)
    return parameters


def _typed(shape: Shape, text: str) -> Any:
    if shape.type_name == "timestamp":
        return parse_timestamp(text)
    return int(text) if shape.type_name in {"integer", "long"} else text


def _check(shape: Shape | None, value: dict[str, Any], refuse_as: str | None) -> None:
    if shape is None:
        return
    report = ParamValidator().validate(value, shape)
    problems = [report.generate_report()] if report.has_errors() else []
    problems += _outside(shape, value, shape.name)
    if problems and refuse_as:
        raise Refusal(refuse_as, "; ".join(problems))
    if problems:
        raise AssertionError(problems)


def _outside(shape: Shape, value: Any, where: str) -> list[str]:
    """Where a value leaves the enumeration, pattern or length that its shape sets."""
    if isinstance(shape, StructureShape):
        return [
            problem
            for name, member in value.items()
            if name in shape.members
            for problem in _outside(shape.members[name], member, f"{where}.{name}")
        ]
    if isinstance(shape, ListShape):
        return [p for member in value for p in _outside(shape.member, member, where)]
    if not isinstance(value, str):
        return []
    problems = []
    allowed = getattr(shape, "enum", [])
    if allowed and value not in allowed:
        problems.append(f"{where}: {value!r} is none of {allowed}")
    if "max" in shape.metadata and len(value) > shape.metadata["max"]:
        problems.append(f"{where}: longer than {shape.metadata['max']}")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        problems.append(f"{where}: {value!r} does not match {pattern}")
    return problems


def _serialise(
    operation: OperationModel, result: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    shape = operation.output_shape
    assert shape is not None
    payload = shape.serialization.get("payload")
    body = result[payload] if payload else _json(result)
    headers = {"Content-Type": "application/json"}
    status = int(operation.http.get("responseCode", 200))
    parser = create_parser(operation.service_model.metadata["protocol"])
    parsed = parser.parse({"status_code": status, "headers": headers, "body": body}, shape)
    assert parsed.keys() >= result.keys(), "botocore does not read what was answered"
    return status, headers, body


def _handler(server: BedrockServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {key.lower(): value for key, value in self.headers.items()}
            answered: dict[str, str] = {}
            if self.path == "/_statistics":
                status, content = 200, _json(server.statistics())
            else:
                status, answered, content = server.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for key, value in {**answered, "x-amzn-requestid": str(uuid.uuid4())}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Print nothing."""

    return Handler


def _json(value: object) -> bytes:
    return json.dumps(value, default=_isoformat).encode()


def _isoformat(value: dt.datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _path(operation: OperationModel) -> str:
    return str(operation.http["requestUri"]).partition("?")[0]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
