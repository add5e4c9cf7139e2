"""The least IAM policies under which a run with given settings works.

`statements` is the one table. `python -m fdnix.aws.permissions --account ID --output DIRECTORY`
writes the policies for the settings in the environment; those in `deploy/iam` are for
`deploy/iam/example.env`. The actions that each API call needs, and the resources an action can be
confined to, are from AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fdnix.aws import keys
from fdnix.embedding.bedrock.files import ROOT
from fdnix.settings import load_settings

if TYPE_CHECKING:
    from fdnix.settings import Settings


@dataclass(frozen=True, slots=True)
class Statement:
    """Actions allowed on resources, and what they are for."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, str], ...] = ()
    """Operator, condition key, value."""


def policies(settings: Settings, account: str) -> dict[str, dict[str, Any]]:
    """The policy documents by file name: the task role's, the batch role's and whom each trusts.

    Args:
        settings: what the run is told; a policy allows what they ask for and no more.
        account: the twelve digits of the AWS account.
    """
    documents = {
        "task-role-trust.json": _trust("ecs-tasks.amazonaws.com", account, ()),
        "task-role.json": _document(task_statements(settings, account)),
    }
    if settings.provider == "bedrock":
        jobs = f"arn:aws:bedrock:{settings.aws_region}:{account}:model-invocation-job/*"
        source = (("ArnEquals", "aws:SourceArn", jobs),)
        documents |= {
            "batch-role-trust.json": _trust("bedrock.amazonaws.com", account, source),
            "batch-role.json": _document(batch_statements(settings, account)),
        }
    return documents


def task_statements(settings: Settings, account: str) -> list[Statement]:
    """What the run itself may do, as the table that the task role's policy is made of."""
    return [
        *_artifact_statements(settings),
        *(_bedrock_statements(settings, account) if settings.provider == "bedrock" else ()),
        *(_layer_statements(settings, account) if settings.publish_layer else ()),
    ]


def batch_statements(settings: Settings, account: str) -> list[Statement]:
    """What Bedrock may do while it works on a batch job, under the role that it assumes."""
    own = (("StringEquals", "aws:ResourceAccount", account),)
    source, target = _batch_buckets(settings)
    return [
        Statement("FindInput", ("s3:ListBucket",), _buckets(source, target), own),
        Statement("ReadInput", ("s3:GetObject",), (_objects(source, f"{ROOT}/*"),), own),
        Statement("WriteOutput", ("s3:PutObject",), (_objects(target, f"{ROOT}/*"),), own),
    ]


def _artifact_statements(settings: Settings) -> list[Statement]:
    templates = [key for key in (settings.duckdb_data_key, settings.duckdb_minified_key) if key]
    bucket = settings.artifacts_bucket
    if bucket is None or not templates:
        return []
    written = tuple(_objects(bucket, re.sub(r"\{\w+\}", "*", key)) for key in templates)
    locks = tuple(_objects(bucket, f"{keys.alias_key(key)}.lock") for key in templates)
    return [
        # Without it S3 answers "denied" instead of "not found" to a question for one object, and
        # a condition on the prefix would not match such a question.
        Statement("FindArtifacts", ("s3:ListBucket",), _buckets(bucket)),
        Statement(
            "KeepArtifacts", ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"), written
        ),
        Statement("LockArtifacts", ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), locks),
    ]


def _bedrock_statements(settings: Settings, account: str) -> list[Statement]:
    region = settings.aws_region
    model = f"arn:aws:bedrock:{region}::foundation-model/{settings.bedrock_model_id}"
    jobs = f"arn:aws:bedrock:{region}:{account}:model-invocation-job/*"
    source, target = _batch_buckets(settings)
    collect = Statement(
        "CollectBatches", ("s3:GetObject", "s3:DeleteObject"), (_objects(target, f"{ROOT}/*"),)
    )
    return [
        Statement("FindBatchFiles", ("s3:ListBucket",), _buckets(source, target)),
        Statement(
            "KeepBatchFiles",
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
            (_objects(source, f"{ROOT}/*"),),
        ),
        *([collect] if target != source else []),
        Statement("SubmitBatches", ("bedrock:CreateModelInvocationJob",), (model, jobs)),
        Statement("FollowBatches", ("bedrock:GetModelInvocationJob",), (jobs,)),
        Statement(
            "FindBatchesAndModels",
            ("bedrock:ListModelInvocationJobs", "bedrock:ListFoundationModels"),
            ("*",),
        ),
        Statement("EmbedOnDemand", ("bedrock:InvokeModel",), (model,)),
        Statement(
            "LetBedrockReadAndWrite",
            ("iam:PassRole",),
            (settings.bedrock_role_arn or "",),
            (("StringEquals", "iam:PassedToService", "bedrock.amazonaws.com"),),
        ),
    ]


def _layer_statements(settings: Settings, account: str) -> list[Statement]:
    name = (settings.layer_arn or "").rpartition(":")[2]
    layer = f"arn:aws:lambda:{settings.aws_region}:{account}:layer:{name}"
    zipped = f"{keys.alias_key(settings.duckdb_minified_key or '')}.layer.zip"
    versions = ["lambda:GetLayerVersion"]
    if settings.layer_keep_versions is not None:
        versions.append("lambda:DeleteLayerVersion")
    return [
        Statement(
            "HandLayerOver",
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
            (_objects(settings.artifacts_bucket or "", zipped),),
        ),
        Statement("PublishLayer", ("lambda:PublishLayerVersion",), (layer,)),
        Statement("CompareLayer", tuple(versions), (f"{layer}:*",)),
        Statement("FindLayerVersions", ("lambda:ListLayerVersions",), ("*",)),
    ]


def _batch_buckets(settings: Settings) -> tuple[str, str]:
    """The buckets of batch inference's input and output."""
    shared = settings.artifacts_bucket or ""
    return settings.bedrock_input_bucket or shared, settings.bedrock_output_bucket or shared


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _buckets(*names: str) -> tuple[str, ...]:
    return tuple(f"arn:aws:s3:::{name}" for name in _unique(*names))


def _objects(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def _document(statements: list[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [_rendered(one) for one in statements]}


def _rendered(statement: Statement) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": list(statement.actions),
        "Resource": list(statement.resources),
    }
    if statement.conditions:
        rendered["Condition"] = _conditions(statement.conditions)
    return rendered


def _conditions(conditions: tuple[tuple[str, str, str], ...]) -> dict[str, dict[str, str]]:
    rendered: dict[str, dict[str, str]] = {}
    for operator, key, value in conditions:
        rendered.setdefault(operator, {})[key] = value
    return rendered


def _trust(
    service: str, account: str, conditions: tuple[tuple[str, str, str], ...]
) -> dict[str, Any]:
    own = ("StringEquals", "aws:SourceAccount", account)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
                "Condition": _conditions((own, *conditions)),
            }
        ],
    }


@click.command()
@click.option("--account", required=True, help="The twelve digits of the AWS account.")
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory to write the policies to.",
)
def main(*, account: str, output: Path) -> None:
    """Write the IAM policies for the settings in the environment."""
    output.mkdir(parents=True, exist_ok=True)
    for name, document in policies(load_settings(os.environ), account).items():
        (output / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        click.echo(output / name)


if __name__ == "__main__":
    main()
