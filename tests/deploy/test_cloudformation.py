"""The template passes cfn-lint, deploys, and gives the task what fdnix needs and no more."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import boto3
import httpx
import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]
from iam_policies import policies
from moto.server import ThreadedMotoServer

from fdnix.errors import FdnixError, UnfinishedError
from fdnix.settings import Settings, load_settings
from support.image import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPLATE = ROOT / "deploy" / "cloudformation.yaml"
PARSED: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
ACCOUNT = "123456789012"
REGION = "eu-central-1"
CFN_LINT = Path(sysconfig.get_path("scripts"), "cfn-lint")

# It warns of each of these; the last test says which they are.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")

# Types that moto accepts and makes nothing of; for these cfn-lint's schemas must do.
ACCEPTED_ONLY = {"AWS::CloudWatch::Alarm", "AWS::S3::BucketPolicy"}
# Settings that the template has no parameter for.
OF_THE_IMAGE = {
    "duckdb_extension_directory",
    "duckdb_path",
    "output_minified_path",
    "output_path",
    "popularity_file",
}
OF_THE_STACK = {"artifacts_bucket", "aws_region", "bedrock_role_arn", "layer_arn"}
FAILURES: list[type[FdnixError]] = [FdnixError, *FdnixError.__subclasses__()]
FAILURES.remove(UnfinishedError)
ONE_BUCKET = {"bedrock_input_bucket", "bedrock_output_bucket"}


@pytest.fixture(scope="module")
def client() -> Iterator[Callable[[str], Any]]:
    """Clients of a local AWS, by service."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield lambda service: boto3.client(
        service,  # type: ignore[call-overload]
        region_name=REGION,
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    server.stop()


@pytest.fixture
def deploy(client: Callable[[str], Any]) -> Iterator[Callable[..., dict[str, str]]]:
    """A function that deploys the template with parameters, to physical ids by logical id."""
    cloudformation, ec2 = client("cloudformation"), client("ec2")

    def deployed(**parameters: str) -> dict[str, str]:
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        given = {"SubnetIds": subnet, "SecurityGroupIds": group, **parameters}
        cloudformation.create_stack(
            StackName="fdnix",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = cloudformation.describe_stacks(StackName="fdnix")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        made = cloudformation.list_stack_resources(StackName="fdnix")["StackResourceSummaries"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in made}

    yield deployed
    # Deleting the stack would keep what is to be retained.
    httpx.post(f"{cloudformation.meta.endpoint_url}/moto-api/reset")


def container(client: Callable[[str], Any]) -> dict[str, Any]:
    task = client("ecs").describe_task_definition(taskDefinition="fdnix-indexer")["taskDefinition"]
    (definition,) = task["containerDefinitions"]
    assert isinstance(definition, dict)
    return definition


def settings_of(client: Callable[[str], Any]) -> Settings:
    return load_settings({e["name"]: e["value"] for e in container(client)["environment"]})


def statements(client: Callable[[str], Any], role: str) -> list[dict[str, Any]]:
    iam = client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = []
    for name in names:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        # moto tells a policy that stands in its role as Python would print it.
        document = ast.literal_eval(document) if isinstance(document, str) else document
        found += document["Statement"]
    return found


def comparable(found: list[dict[str, Any]]) -> list[str]:
    """Statements in one form whatever their order and that of their lists."""

    def ordered(value: Any) -> Any:
        return sorted(value) if isinstance(value, list) else value

    return sorted(
        json.dumps({key: ordered(value) for key, value in one.items()}, sort_keys=True)
        for one in found
    )


def test_cfn_lint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [CFN_LINT, "--include-checks", "I", "--", TEMPLATE],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_setting_is_a_parameter_or_the_templates_own_business() -> None:
    fixed = OF_THE_IMAGE | OF_THE_STACK | ONE_BUCKET
    for name, field in Settings.model_fields.items():
        parameter = "".join(word.capitalize() for word in name.split("_"))
        assert (parameter in PARSED["Parameters"]) == (name not in fixed), name
        if name not in fixed:
            assert PARSED["Parameters"][parameter]["Description"].startswith(f"{name.upper()}: ")
            assert field.description


def test_every_name_has_the_prefix(deploy: Callable[..., dict[str, str]]) -> None:
    deploy(PublishLayer="true")
    for resource in PARSED["Resources"].values():
        for key, value in resource["Properties"].items():
            if re.fullmatch(r"(Bucket|Repository|Role|Cluster|Topic|Alarm|Policy)?Name", key):
                text = value["Fn::Sub"] if isinstance(value, dict) else value
                assert text.startswith("fdnix-"), text
    assert PARSED["Resources"]["TaskDefinition"]["Properties"]["Family"].startswith("fdnix-")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"EmbeddingProvider": "local"},
        {"PublishLayer": "true", "LayerName": "fdnix-other"},
        {"PublishLayer": "true", "LayerKeepVersions": ""},
        {"PublishLayer": "true", "LayerFunction": "fdnix-search"},
        {"DuckdbDataKey": "full.duckdb", "DuckdbMinifiedKey": "a/{revision}/{timestamp}/b.duckdb"},
        {"BedrockModelId": "amazon.titan-embed-text-v1", "EmbeddingProvider": "bedrock"},
    ],
    ids=str,
)
def test_the_roles_allow_what_these_settings_need_and_no_more(
    client: Callable[[str], Any],
    deploy: Callable[..., dict[str, str]],
    parameters: dict[str, str],
) -> None:
    made = deploy(**parameters)
    settings = settings_of(client)
    expected = policies(settings, ACCOUNT)
    assert comparable(statements(client, "fdnix-task")) == comparable(
        expected["task-role.json"]["Statement"]
    )
    trusted = {"fdnix-task": "task-role-trust.json"}
    if settings.provider == "bedrock":
        assert settings.bedrock_role_arn == f"arn:aws:iam::{ACCOUNT}:role/fdnix-bedrock-batch"
        assert comparable(statements(client, "fdnix-bedrock-batch")) == comparable(
            expected["batch-role.json"]["Statement"]
        )
        trusted["fdnix-bedrock-batch"] = "batch-role-trust.json"
    else:
        assert "BatchRole" not in made
    for role, document in trusted.items():
        trust = client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust
        assert comparable(trust["Statement"]) == comparable(expected[document]["Statement"])


def test_the_task_runs_as_the_image_is_meant_to_be_run(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    deploy()
    made = container(client)
    assert made["user"] == "10001:10001"
    assert made["readonlyRootFilesystem"] is True
    assert {mount["containerPath"] for mount in made["mountPoints"]} == {"/out", "/tmp"}
    assert made["command"] == ["python", "src/index.py", "run", "--json"]
    assert made["image"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/fdnix-indexer:latest"
    settings = settings_of(client)
    assert settings.phases == ("metadata", "embedding", "minified")
    assert settings.artifacts_bucket == f"fdnix-artifacts-{ACCOUNT}-{REGION}"


def test_parameters_reach_the_task(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    deploy(Image="fdnix-indexer-slim", ImageTag="v2", NixpkgsSource="channel", VssEfSearch="64")
    assert container(client)["image"].endswith("/fdnix-indexer-slim:v2")
    settings = settings_of(client)
    assert (settings.nixpkgs_source, settings.vss_ef_search) == ("channel", 64)


def test_the_bucket_is_private_encrypted_and_versioned(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    bucket = deploy()["ArtifactsBucket"]
    s3 = client("s3")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    # Of these moto's CloudFormation makes nothing.
    properties = PARSED["Resources"]["ArtifactsBucket"]["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4


def test_the_latest_databases_do_not_expire_with_the_dated_ones() -> None:
    parameters = PARSED["Parameters"]
    bucket = PARSED["Resources"]["ArtifactsBucket"]["Properties"]
    dated, earlier, shared = bucket["LifecycleConfiguration"]["Rules"]
    assert shared["Prefix"] == "fdnix-batch/"
    assert dated["Prefix"] == {"Ref": "SnapshotPrefix"}
    assert "ExpirationInDays" not in earlier
    prefix = parameters["SnapshotPrefix"]["Default"]
    for name in ("DuckdbDataKey", "DuckdbMinifiedKey"):
        key = parameters[name]["Default"]
        assert key.replace("{date}", "2026-07-01").startswith(prefix)
        assert not key.replace("{date}", "latest").startswith(prefix)


def test_the_schedule_starts_the_task_once_it_is_enabled(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    made = deploy(ScheduleState="ENABLED", Schedule="cron(30 4 * * ? *)")
    events = client("events")
    rule = events.describe_rule(Name="fdnix-nightly")
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "cron(30 4 * * ? *)")
    (target,) = events.list_targets_by_rule(Rule="fdnix-nightly")["Targets"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == made["TaskDefinition"]
    assert target["EcsParameters"]["LaunchType"] == "FARGATE"
    allowed = statements(client, "fdnix-schedule")
    assert {action for one in allowed for action in one["Action"]} == {
        "ecs:RunTask",
        "iam:PassRole",
    }


def one_matches(filters: list[Any], value: Any) -> bool:
    """Tell whether one of the filters of a pattern's field matches the event's value."""
    for one in filters:
        match one:
            case {"exists": wanted}:
                met = (value is not None) is wanted
            case {"anything-but": unwanted}:
                met = value is not None and value not in unwanted
            case _:
                met = value == one
        if met:
            return True
    return False


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Tell whether EventBridge matches the event, by the rules that the template's patterns use.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html: every field of
    the pattern has to match, one of its values is enough, and in an array of objects one object's.
    """

    for name, wanted in pattern.items():
        value = event.get(name)
        if name == "$or":
            met = any(matches(alternative, event) for alternative in wanted)
        elif isinstance(wanted, dict):
            within = value if isinstance(value, list) else [value]
            met = any(matches(wanted, one) for one in within if one is not None)
        else:
            met = one_matches(wanted, value)
        if not met:
            return False
    return True


def test_exit_codes_lead_where_they_should(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    deploy()
    events = client("events")
    patterns = {
        name: json.loads(events.describe_rule(Name=f"fdnix-{name}")["EventPattern"])
        for name in ("failed", "succeeded", "unfinished")
    }

    def matched(status: str = "STOPPED", **container: int) -> set[str]:
        detail = {
            "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/fdnix-cluster",
            "lastStatus": status,
            "containers": [{"name": "fdnix", **container}],
        }
        event = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}
        return {name for name, pattern in patterns.items() if matches(pattern, event)}

    assert matched(exitCode=0) == {"succeeded"}
    assert matched(exitCode=UnfinishedError.exit_code) == {"unfinished"}
    for code in (*(error.exit_code for error in FAILURES), 137):
        assert matched(exitCode=code) == {"failed"}
    # A task whose image cannot be pulled has no exit code.
    assert matched() == {"failed"}
    assert matched("RUNNING") == set()


def test_failures_reach_whoever_is_to_be_told(
    client: Callable[[str], Any], deploy: Callable[..., dict[str, str]]
) -> None:
    topic = deploy(AlarmEmail="ops@example.org")["AlarmTopic"]
    (told,) = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert told["Endpoint"] == "ops@example.org"


def test_every_alarm_watches_a_rule_and_tells_the_topic() -> None:
    resources = PARSED["Resources"]
    alarms = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    watched = {}
    of_function = alarms.pop("SearchErrorsAlarm")
    assert of_function["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Ref": "SearchFunction"}}
    ]
    assert of_function["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    for name, alarm in alarms.items():
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "RuleName"
        watched[name] = dimension["Value"]["Ref"]
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert watched == {
        "FailedAlarm": "FailedRule",
        "NotStartedAlarm": "NightlyRule",
        "StaleAlarm": "SucceededRule",
    }
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}
    assert missing["StaleAlarm"] == "breaching"
    assert {missing["FailedAlarm"], missing["NotStartedAlarm"]} == {"notBreaching"}


def test_what_moto_makes_nothing_of_is_known(
    deploy: Callable[..., dict[str, str]],
) -> None:
    made = deploy(PublishLayer="true", LayerFunction="fdnix-search")
    # The function is made of what is put into the stack's own bucket.
    asked = {
        name
        for name, resource in PARSED["Resources"].items()
        if resource.get("Condition") != "HasFunction"
    }
    unmade = asked - set(made)
    assert {PARSED["Resources"][name]["Type"] for name in unmade} == ACCEPTED_ONLY
