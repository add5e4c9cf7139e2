"""The IAM policies, held against the requests that the code really sends."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import iam_policies
import pytest
from click.testing import CliRunner
from dotenv import dotenv_values

from fdnix.artifacts import lambda_layer
from fdnix.artifacts import s3 as artifacts
from fdnix.embedding.backend import Text
from fdnix.embedding.bedrock.batch import BatchRun
from fdnix.embedding.bedrock.files import ROOT
from fdnix.errors import AwsError, UnfinishedError
from support.aws import ACCOUNT, REGION
from support.batch_texts import texts
from support.databases import write_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_policies import Statement
    from mypy_boto3_s3 import S3Client

    from fdnix.database.file_info import Kind
    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer
    from support.faulty_proxy import FaultyProxy

DEPLOY = Path(__file__).parents[2] / "deploy" / "iam"
TEMPLATE = DEPLOY.parent / "cloudformation.yaml"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 25, tzinfo=UTC)

Need = tuple[str, str]
"""An IAM action and the ARN of the resource it is for."""


def needs(request: str) -> set[Need]:
    """What IAM asks for before it lets a request pass, as the S3 and Lambda API references say."""
    line, _, source = request.partition(" < ")
    method, _, target = line.partition(" ")
    url = urlsplit(target)
    path = unquote(url.path)
    if "/layers/" in path:
        return _layer_needs(method, path)
    bucket, _, key = path.lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}/{key}"
    query = parse_qs(url.query, keep_blank_values=True)
    if "delete" in query:
        return {("s3:DeleteObject", f"{arn}{ROOT}/one-of-several")}
    if not key:
        return {("s3:ListBucket", f"arn:aws:s3:::{bucket}")}
    if method == "DELETE" and "uploadId" in query:
        return {("s3:AbortMultipartUpload", arn)}
    action = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "POST": "Put", "DELETE": "Delete"}[method]
    copied = {("s3:GetObject", f"arn:aws:s3:::{unquote(source)}")} if source else set()
    # A HEAD of what may not exist is told so only with s3:ListBucket.
    found = {("s3:ListBucket", f"arn:aws:s3:::{bucket}")} if method == "HEAD" else set()
    return {(f"s3:{action}Object", arn)} | copied | found


def _layer_needs(method: str, path: str) -> set[Need]:
    name, _, rest = path.partition("/layers/")[2].partition("/")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}"
    number = rest.removeprefix("versions").strip("/")
    if number:
        action = {"GET": "GetLayerVersion", "DELETE": "DeleteLayerVersion"}[method]
        return {(f"lambda:{action}", f"{arn}:{number}")}
    action = {"GET": "ListLayerVersions", "POST": "PublishLayerVersion"}[method]
    return {(f"lambda:{action}", arn)}


def bedrock_needs(operation: str, settings: Settings) -> set[Need]:
    """What IAM asks for before it lets a call of Bedrock pass."""
    action = f"bedrock:{operation}"
    model = f"arn:aws:bedrock:{REGION}::foundation-model/{settings.bedrock_model_id}"
    job = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/abc"
    return {
        "CreateModelInvocationJob": {
            (action, model),
            (action, job),
            ("iam:PassRole", settings.bedrock_role_arn or ""),
        },
        "GetModelInvocationJob": {(action, job)},
        "InvokeModel": {(action, model)},
        "ListFoundationModels": {(action, "*")},
        "ListModelInvocationJobs": {(action, "*")},
    }[operation]


def grants(statements: list[Statement]) -> set[Need]:
    return {
        (action, resource)
        for statement in statements
        for action in statement.actions
        for resource in statement.resources
    }


def allows(grant: Need, need: Need) -> bool:
    return grant[0] == need[0] and fnmatchcase(need[1], grant[1])


def held() -> None:
    """The lock is held."""


@pytest.fixture
def nightly(upload_settings: Settings) -> Settings:
    return upload_settings.replace(
        duckdb_data_key="nightly/{date}/full.duckdb",
        duckdb_minified_key="small/{date}/fdnix.duckdb",
        artifact_latest_alias=True,
        publish_layer=True,
        layer_arn=f"fdnix-{upload_settings.artifacts_bucket}",
        layer_keep_versions=1,
    )


def exercise(settings: Settings, proxy: FaultyProxy, directory: Path) -> None:
    """Everything that a run and the commands over snapshots do in S3 and Lambda."""
    full = write_database(directory / "full.duckdb", "full", packages=40_000)
    small = directory / "fdnix.duckdb"
    assert full.stat().st_size > 8 << 20, "goes in parts"
    with artifacts.run_lock(settings) as still_held:
        for number, moment in enumerate((MONDAY, TUESDAY)):
            write_database(small, "minified", packages=40_000 + number)
            send(settings, "full", full, moment)
            send(settings, "minified", small, moment)
            lambda_layer.publish_layer(settings, small, still_held=still_held)
        artifacts.download_full(settings, directory / "down.duckdb")
        artifacts.roll_back(settings, "2026-11-23", still_held=still_held)

    write_database(small, "minified", packages=41_000)
    with refused_part(proxy, "nightly"):
        send(settings, "full", full, WEDNESDAY)
    with refused_part(proxy, "small"):
        send(settings, "minified", small, WEDNESDAY)
    with refused_part(proxy, "zip"):
        lambda_layer.publish_layer(settings, small, still_held=held)


@contextmanager
def refused_part(proxy: FaultyProxy, name: str) -> Iterator[None]:
    """Refuse a part of the upload that the block is about, which must give up."""
    rule = proxy.fail("reject", "PUT", rf"{name}.*partNumber=2")
    with pytest.raises(AwsError):
        yield
    assert rule.hits
    proxy.heal()


def send(settings: Settings, kind: Kind, path: Path, moment: datetime) -> None:
    artifacts.upload_artifact(settings, kind, path, moment=moment, still_held=held)


def test_the_task_role_allows_what_a_run_asks_for_and_no_more(
    proxy: FaultyProxy, nightly: Settings, tmp_path: Path
) -> None:
    exercise(nightly, proxy, tmp_path)

    needed = {need for request in proxy.requests for need in needs(request)}
    # Lambda reads the zip with the rights of who publishes it; a lock is read where one is held.
    zipped = f"arn:aws:s3:::{nightly.artifacts_bucket}/small/latest/fdnix.duckdb.layer.zip"
    needed.add(("s3:GetObject", zipped))
    for key in ("nightly/latest/full.duckdb", "small/latest/fdnix.duckdb"):
        needed.add(("s3:GetObject", f"arn:aws:s3:::{nightly.artifacts_bucket}/{key}.lock"))
    granted = grants(iam_policies.task_statements(nightly, ACCOUNT))

    assert {need for need in needed if not any(allows(grant, need) for grant in granted)} == set()
    assert {grant for grant in granted if not any(allows(grant, need) for need in needed)} == set()


def test_embedding_with_bedrock_is_allowed_what_it_asks_for_and_no_more(
    proxy: FaultyProxy, bedrock: BedrockServer, batch_settings: Settings, s3: S3Client
) -> None:
    output = f"{batch_settings.artifacts_bucket}-output"
    s3.create_bucket(Bucket=output)
    settings = batch_settings.replace(bedrock_output_bucket=output)
    bedrock.faults.hold = True
    with pytest.raises(UnfinishedError):
        list(
            BatchRun(settings.replace(bedrock_max_wait_time=0)).vectors(
                Text(*one) for one in texts(110)
            )
        )
    bedrock.faults.hold = False
    run = BatchRun(settings)
    assert list(run.vectors(Text(*one) for one in texts(110)))
    run.confirm()
    small = BatchRun(settings)
    assert list(small.vectors(Text(*one) for one in texts(3, start=500)))
    small.confirm()

    needed = {need for request in proxy.requests for need in needs(request)}
    needed |= {need for call in bedrock.calls for need in bedrock_needs(call, settings)}
    # Given up by the transfer manager when a part of a large input is refused.
    started = f"arn:aws:s3:::{settings.artifacts_bucket}/{ROOT}/x/input.jsonl"
    needed.add(("s3:AbortMultipartUpload", started))
    granted = grants(iam_policies.task_statements(settings, ACCOUNT))

    assert {need for need in needed if not any(allows(grant, need) for grant in granted)} == set()
    assert {grant for grant in granted if not any(allows(grant, need) for need in needed)} == set()


def test_bedrock_is_allowed_to_read_the_input_and_to_write_the_output(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    granted = grants(iam_policies.batch_statements(batch_settings, ACCOUNT))
    bucket = f"arn:aws:s3:::{batch_settings.artifacts_bucket}"
    assert granted == {
        ("s3:ListBucket", bucket),
        ("s3:GetObject", f"{bucket}/{ROOT}/*"),
        ("s3:PutObject", f"{bucket}/{ROOT}/*"),
    }


def test_the_policies_in_deploy_are_those_of_the_example_settings(tmp_path: Path) -> None:
    environ = {name: value or "" for name, value in dotenv_values(DEPLOY / "example.env").items()}
    done = CliRunner().invoke(
        iam_policies.main, ["--account", "123456789012", "--output", str(tmp_path)], env=environ
    )

    assert done.exit_code == 0, done.output
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in DEPLOY.glob("*.json")}, (
        "generate them anew: docs/aws.md says how"
    )


def test_the_statements_in_the_template_are_those_of_the_table() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert text.count("# begin ") == 8
    assert iam_policies.template(text) == text, "generate them anew: CONTRIBUTING.md says how"


def test_a_feature_that_is_off_grants_nothing(upload_settings: Settings) -> None:
    documents = iam_policies.policies(upload_settings, ACCOUNT)
    services = {
        action.partition(":")[0]
        for statement in documents["task-role.json"]["Statement"]
        for action in statement["Action"]
    }
    assert services == {"s3"}
    assert sorted(documents) == ["task-role-trust.json", "task-role.json"]


def test_every_name_carries_the_fdnix_prefix() -> None:
    text = (DEPLOY / "task-role.json").read_text()
    resources = [
        resource
        for statement in json.loads(text)["Statement"]
        for resource in statement["Resource"]
        if ":model-invocation-job/" not in resource and ":foundation-model/" not in resource
    ]
    assert all("fdnix-" in resource or resource == "*" for resource in resources)
