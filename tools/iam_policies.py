"""The least IAM policies under which a run with given settings works.

The functions that give `Statement`s are the one table.
`python tools/iam_policies.py --account ID --output DIRECTORY` writes the policies for the settings
in the environment; those in `deploy/iam` are for `deploy/iam/example.env`. With `--template FILE`
it writes the table's statements into a CloudFormation template too, between its marks. The actions
that each API call needs, and the resources an action can be confined to, are from AWS's Service
Authorization Reference.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fdnix.artifacts import keys
from fdnix.embedding.bedrock.files import ROOT
from fdnix.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fdnix.settings import Settings

_MARKED = re.compile(r"^( *)# begin ([a-z-]+)\n.*?^ *# end \2\n", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"\$\{(\w+):(\*|latest)\}")
_REFERENCE = re.compile(r"\$\{([\w:]+)\}")
_ATTRIBUTE = re.compile(r"\$\{(\w+\.\w+)\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """Actions allowed on resources, and what they are for."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, str], ...] = ()
    """Operator, condition key, value."""


@dataclass(frozen=True, slots=True)
class _Names:
    """What the table speaks of, as one account names it or as a template refers to it."""

    partition: str
    region: str
    account: str
    artifacts: str
    """The bucket of the databases."""
    batch_input: str
    batch_output: str
    model: str
    batch_role: str
    layer: str
    function: str
    written: tuple[str, ...]
    """The keys of the databases, `*` where a placeholder stands."""
    latest: tuple[str, ...]
    """The keys of the databases' latest aliases."""
    layer_zip: str


_TEMPLATE = _Names(
    partition="${AWS::Partition}",
    region="${AWS::Region}",
    account="${AWS::AccountId}",
    artifacts="${ArtifactsBucket}",
    batch_input="${ArtifactsBucket}",
    batch_output="${ArtifactsBucket}",
    model="${BedrockModelId}",
    batch_role="${BatchRole.Arn}",
    layer="${LayerName}",
    function="${LayerFunction}",
    written=("${DuckdbDataKey:*}", "${DuckdbMinifiedKey:*}"),
    latest=("${DuckdbDataKey:latest}", "${DuckdbMinifiedKey:latest}"),
    layer_zip="${DuckdbMinifiedKey:latest}.layer.zip",
)
"""The names of deploy/cloudformation.yaml. `${Key:X}` is a key with X for every placeholder."""


def _names(settings: Settings, account: str) -> _Names:
    shared = settings.artifacts_bucket or ""
    templates = [key for key in (settings.duckdb_data_key, settings.duckdb_minified_key) if key]
    return _Names(
        partition="aws",
        region=settings.aws_region or "",
        account=account,
        artifacts=shared,
        batch_input=settings.bedrock_input_bucket or shared,
        batch_output=settings.bedrock_output_bucket or shared,
        model=settings.bedrock_model_id,
        batch_role=settings.bedrock_role_arn or "",
        layer=(settings.layer_arn or "").rpartition(":")[2],
        function=settings.layer_function or "",
        written=tuple(re.sub(r"\{\w+\}", "*", key) for key in templates),
        latest=tuple(keys.alias_key(key) for key in templates),
        layer_zip=f"{keys.alias_key(settings.duckdb_minified_key or '')}.layer.zip",
    )


def policies(settings: Settings, account: str) -> dict[str, dict[str, Any]]:
    """The policy documents by file name: the task role's, the batch role's and whom each trusts.

    Args:
        settings: what the run is told; a policy allows what they ask for and no more.
        account: the twelve digits of the AWS account.
    """
    names = _names(settings, account)
    documents = {
        "task-role-trust.json": _document([_task_trust(names)]),
        "task-role.json": _document(map(_rendered, task_statements(settings, account))),
    }
    if settings.provider == "bedrock":
        documents |= {
            "batch-role-trust.json": _document([_batch_trust(names)]),
            "batch-role.json": _document(map(_rendered, batch_statements(settings, account))),
        }
    return documents


def task_statements(settings: Settings, account: str) -> list[Statement]:
    """What the run itself may do, as the table that the task role's policy is made of."""
    names = _names(settings, account)
    removes = settings.publish_layer and settings.layer_keep_versions is not None
    return [
        *(_artifact_statements(names) if names.artifacts and names.written else ()),
        *(_bedrock_statements(names) if settings.provider == "bedrock" else ()),
        *(_layer_statements(names) if settings.publish_layer else ()),
        *(_removal_statements(names) if removes else ()),
        *(_function_statements(names) if settings.publish_layer and names.function else ()),
    ]


def batch_statements(settings: Settings, account: str) -> list[Statement]:
    """What Bedrock may do while it works on a batch job, under the role that it assumes."""
    return _batch_statements(_names(settings, account))


def template(text: str) -> str:
    """The CloudFormation template `text` with the table's statements between its marks."""
    blocks = {
        "task-trust": [_task_trust(_TEMPLATE)],
        "artifacts": list(map(_rendered, _artifact_statements(_TEMPLATE))),
        "bedrock": list(map(_rendered, _bedrock_statements(_TEMPLATE))),
        "layer": list(map(_rendered, _layer_statements(_TEMPLATE))),
        "layer-removal": list(map(_rendered, _removal_statements(_TEMPLATE))),
        "function": list(map(_rendered, _function_statements(_TEMPLATE))),
        "batch-trust": [_batch_trust(_TEMPLATE)],
        "batch": list(map(_rendered, _batch_statements(_TEMPLATE))),
    }

    def filled(found: re.Match[str]) -> str:
        indent, name = found[1], found[2]
        lines = [f"# begin {name}", *_yaml_list(blocks[name]), f"# end {name}"]
        return "".join(f"{indent}{line}\n" for line in lines)

    return _MARKED.sub(filled, text)


def _artifact_statements(names: _Names) -> list[Statement]:
    written = tuple(_objects(names, names.artifacts, key) for key in names.written)
    locks = tuple(_objects(names, names.artifacts, f"{key}.lock") for key in names.latest)
    return [
        # Without it S3 answers "denied" instead of "not found" to a question for one object, and
        # a condition on the prefix would not match such a question.
        Statement("FindArtifacts", ("s3:ListBucket",), _buckets(names, names.artifacts)),
        Statement(
            "KeepArtifacts", ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"), written
        ),
        Statement("LockArtifacts", ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), locks),
    ]


def _bedrock_statements(names: _Names) -> list[Statement]:
    model = f"arn:{names.partition}:bedrock:{names.region}::foundation-model/{names.model}"
    jobs = _jobs(names)
    source, target = names.batch_input, names.batch_output
    collected = _objects(names, target, f"{ROOT}/*")
    collect = Statement("CollectBatches", ("s3:GetObject", "s3:DeleteObject"), (collected,))
    return [
        Statement("FindBatchFiles", ("s3:ListBucket",), _buckets(names, source, target)),
        Statement(
            "KeepBatchFiles",
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
            (_objects(names, source, f"{ROOT}/*"),),
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
            (names.batch_role,),
            (("StringEquals", "iam:PassedToService", "bedrock.amazonaws.com"),),
        ),
    ]


def _layer_statements(names: _Names) -> list[Statement]:
    layer = _layer(names)
    return [
        Statement(
            "HandLayerOver",
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
            (_objects(names, names.artifacts, names.layer_zip),),
        ),
        Statement("PublishLayer", ("lambda:PublishLayerVersion",), (layer,)),
        Statement("CompareLayer", ("lambda:GetLayerVersion",), (f"{layer}:*",)),
        Statement("FindLayerVersions", ("lambda:ListLayerVersions",), ("*",)),
    ]


def _removal_statements(names: _Names) -> list[Statement]:
    versions = f"{_layer(names)}:*"
    return [Statement("RemoveLayerVersions", ("lambda:DeleteLayerVersion",), (versions,))]


def _function_statements(names: _Names) -> list[Statement]:
    function = (
        f"arn:{names.partition}:lambda:{names.region}:{names.account}:function:{names.function}"
    )
    return [
        Statement(
            "GiveFunctionItsLayer",
            ("lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"),
            (function,),
        )
    ]


def _batch_statements(names: _Names) -> list[Statement]:
    own = (("StringEquals", "aws:ResourceAccount", names.account),)
    source, target = names.batch_input, names.batch_output
    read, written = (_objects(names, bucket, f"{ROOT}/*") for bucket in (source, target))
    return [
        Statement("FindInput", ("s3:ListBucket",), _buckets(names, source, target), own),
        Statement("ReadInput", ("s3:GetObject",), (read,), own),
        Statement("WriteOutput", ("s3:PutObject",), (written,), own),
    ]


def _task_trust(names: _Names) -> dict[str, Any]:
    return _trust("ecs-tasks.amazonaws.com", names)


def _batch_trust(names: _Names) -> dict[str, Any]:
    return _trust("bedrock.amazonaws.com", names, ("ArnEquals", "aws:SourceArn", _jobs(names)))


def _trust(service: str, names: _Names, *conditions: tuple[str, str, str]) -> dict[str, Any]:
    own = ("StringEquals", "aws:SourceAccount", names.account)
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": _conditions((own, *conditions)),
    }


def _layer(names: _Names) -> str:
    return f"arn:{names.partition}:lambda:{names.region}:{names.account}:layer:{names.layer}"


def _jobs(names: _Names) -> str:
    return f"arn:{names.partition}:bedrock:{names.region}:{names.account}:model-invocation-job/*"


def _buckets(names: _Names, *buckets: str) -> tuple[str, ...]:
    return tuple(f"arn:{names.partition}:s3:::{bucket}" for bucket in dict.fromkeys(buckets))


def _objects(names: _Names, bucket: str, key: str) -> str:
    return f"arn:{names.partition}:s3:::{bucket}/{key}"


def _document(statements: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


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


def _yaml_list(values: list[dict[str, Any]]) -> list[str]:
    """The lines of a YAML list, whose leaves are JSON, which is YAML too."""
    lines = []
    for value in values:
        mark = "-"
        for key, part in value.items():
            if isinstance(part, list) and len(part) > 1:
                lines.append(f"{mark} {key}:")
                lines += [f"    - {json.dumps(_resolved(one))}" for one in part]
            else:
                lines.append(f"{mark} {key}: {json.dumps(_resolved(part))}")
            mark = " "
    return lines


def _resolved(value: Any) -> Any:
    """`value` with CloudFormation's functions for the references in its strings."""
    if isinstance(value, dict):
        return {key: _resolved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part) for part in value]
    return _function(value) if isinstance(value, str) and "${" in value else value


def _function(value: str) -> dict[str, Any]:
    if whole := _REFERENCE.fullmatch(value):
        return {"Ref": whole[1]}
    if whole := _ATTRIBUTE.fullmatch(value):
        return {"Fn::GetAtt": whole[1].split(".")}
    if key := _KEY.search(value):
        filled: dict[str, Any] = {"Ref": key[1]}
        for placeholder in ("date", "timestamp", "revision"):
            filled = {"Fn::Join": [key[2], {"Fn::Split": [f"{{{placeholder}}}", filled]}]}
        return {"Fn::Sub": [_KEY.sub("${Key}", value), {"Key": filled}]}
    return {"Fn::Sub": value}


@click.command()
@click.option("--account", required=True, help="The twelve digits of the AWS account.")
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory to write the policies to.",
)
@click.option(
    "--template",
    "template_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The CloudFormation template to write the statements into.",
)
def main(*, account: str, output: Path, template_file: Path | None) -> None:
    """Write the IAM policies for the settings in the environment."""
    output.mkdir(parents=True, exist_ok=True)
    for name, document in policies(load_settings(os.environ), account).items():
        (output / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        click.echo(output / name)
    if template_file is not None:
        text = template_file.read_text(encoding="utf-8")
        template_file.write_text(template(text), encoding="utf-8")
        click.echo(template_file)


if __name__ == "__main__":
    main()
