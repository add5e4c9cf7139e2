"""The compose file's services, run as it says against a local S3 and Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from fdnix.settings import load_settings
from support.image import ROOT, Image, needs_root, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def environment(service: str) -> dict[str, str]:
    """A service's environment, with the defaults of what the operator may set."""
    return {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
        for name, value in SERVICES[service]["environment"].items()
    }


@pytest.fixture
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_the_indexers_settings_are_accepted() -> None:
    settings = load_settings(environment("indexer"))
    assert settings.provider == "local"
    assert settings.publish_layer


def test_the_servers_release_is_the_one_that_the_tests_run_with() -> None:
    version = SERVICES["aws"]["image"].partition(":")[2]
    assert f"moto=={version}\n" in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize("service", ["bucket", "indexer"])
def test_a_service_can_write_to_its_volume_alone(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert all(volume.endswith(":/out") for volume in SERVICES[service].get("volumes", []))


def test_ports_are_open_to_this_machine_alone() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["aws"]["ports"])


@needs_root
def test_the_artifacts_and_the_layer_arrive(slim_image: Image, out: Path, aws: str) -> None:
    at_server = {"AWS_ENDPOINT_URL": aws, "AWS_EC2_METADATA_DISABLED": "true"}
    for service in ("bucket", "indexer"):
        done = run(
            slim_image,
            SERVICES[service].get("command", []),
            env=environment(service) | at_server,
            volumes={"/out": out},
        )
        assert done.returncode == 0, done.stderr
    given = environment("indexer")
    session = boto3.Session("local", "local", region_name=given["AWS_REGION"])
    s3 = session.client("s3", endpoint_url=aws)
    listed = s3.list_objects_v2(Bucket=given["ARTIFACTS_BUCKET"])["Contents"]
    keys = {one["Key"] for one in listed}
    assert {"nightly/latest/fdnix-data.duckdb", "nightly/latest/fdnix.duckdb"} < keys
    layers = session.client("lambda", endpoint_url=aws).list_layers()["Layers"]
    assert [layer["LayerName"] for layer in layers] == ["fdnix-database"]
