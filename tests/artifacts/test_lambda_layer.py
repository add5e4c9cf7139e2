from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import uuid
import zipfile
from typing import TYPE_CHECKING

import boto3
import pytest

from fdnix.artifacts import lambda_function, lambda_layer
from fdnix.aws import aws_client
from fdnix.errors import AwsError, DataError, SettingsError, UnfinishedError
from fdnix.settings import LAMBDA_UNZIPPED_LIMIT
from support.aws import ACCOUNT, REGION
from support.databases import REVISION, write_database

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings
    from support.faulty_proxy import FaultyProxy

HOST = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
needs_linux = pytest.mark.skipif(
    platform.system() != "Linux" or HOST is None, reason="a layer's extensions are Linux's"
)


@pytest.fixture
def client(aws_endpoint: str) -> LambdaClient:
    return aws_client("lambda", REGION)


@pytest.fixture
def publishing(upload_settings: Settings) -> Settings:
    return upload_settings.replace(publish_layer=True, layer_arn=f"fdnix-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "fdnix.duckdb", "minified")


def held() -> None:
    """The lock is held."""


def publish(settings: Settings, database: Path) -> lambda_layer.Publication:
    return lambda_layer.publish_layer(settings, database, still_held=held)


def versions(client: LambdaClient, settings: Settings) -> list[int]:
    listed = client.list_layer_versions(LayerName=settings.layer_arn or "")["LayerVersions"]
    return sorted(version["Version"] for version in listed)


def test_the_layer_puts_the_database_where_a_function_finds_it(
    client: LambdaClient, s3: S3Client, publishing: Settings, database: Path, tmp_path: Path
) -> None:
    result = publish(publishing, database)

    assert result.published
    assert result.arn.endswith(f":layer:{publishing.layer_arn}:1")
    version = client.get_layer_version(LayerName=publishing.layer_arn or "", VersionNumber=1)
    assert REVISION in version["Description"]
    assert "3 packages" in version["Description"]
    assert "python3.13" in version["CompatibleRuntimes"]
    assert version["CompatibleArchitectures"] == ["x86_64", "arm64"]
    assert not s3.list_objects_v2(Bucket=publishing.artifacts_bucket or "").get("Contents")
    assert [p.name for p in tmp_path.iterdir()] == ["fdnix.duckdb"]


def test_the_same_database_makes_the_same_bytes(database: Path, tmp_path: Path) -> None:
    members = {"fdnix/fdnix.duckdb": database, "fdnix/extensions/x": database}
    lambda_layer.write_zip(tmp_path / "1.zip", members)
    os.utime(database, (0, 1_700_000_000))
    database.chmod(0o600)
    lambda_layer.write_zip(tmp_path / "2.zip", dict(reversed(members.items())))

    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("fdnix/fdnix.duckdb") == database.read_bytes()
        assert {info.external_attr >> 16 & 0o777 for info in archive.infolist()} == {0o644}


def test_the_same_bytes_are_published_once(
    client: LambdaClient, publishing: Settings, database: Path
) -> None:
    first = publish(publishing, database)
    again = publish(publishing, database)

    assert again == lambda_layer.Publication(first.arn, published=False, removed=())
    assert versions(client, publishing) == [1]


def test_another_database_is_another_version_and_old_ones_go(
    client: LambdaClient, publishing: Settings, tmp_path: Path
) -> None:
    keeping_two = publishing.replace(layer_keep_versions=2)
    results = [
        publish(keeping_two, write_database(tmp_path / "fdnix.duckdb", "minified", packages=count))
        for count in (1, 2, 3)
    ]

    assert [result.arn.rpartition(":")[2] for result in results] == ["1", "2", "3"]
    assert [result.removed for result in results] == [(), (), (results[0].arn,)]
    assert versions(client, keeping_two) == [2, 3]


def test_a_layer_can_be_named_by_its_arn(
    client: LambdaClient, publishing: Settings, database: Path
) -> None:
    arn = publish(publishing, database).arn.rpartition(":")[0]

    again = publish(publishing.replace(layer_arn=arn), database)
    assert not again.published

    foreign = arn.replace(ACCOUNT, "210987654321")
    with pytest.raises(AwsError, match="another account"):
        publish(publishing.replace(layer_arn=foreign), database)


def test_a_layer_too_large_for_lambda_is_refused_before_anything_is_sent(
    s3: S3Client, publishing: Settings, tmp_path: Path
) -> None:
    large = tmp_path / "fdnix.duckdb"
    with large.open("wb") as file:
        file.truncate(LAMBDA_UNZIPPED_LIMIT - 10)
    small = tmp_path / "fts.duckdb_extension"
    small.write_bytes(b"x" * 11)

    lambda_layer.refuse_too_large({"fdnix/fdnix.duckdb": large})
    with pytest.raises(DataError) as caught:
        lambda_layer.refuse_too_large({"fdnix/fdnix.duckdb": large, "fdnix/extensions/fts": small})
    assert "unzip to 262,144,001 bytes, Lambda takes 262,144,000" in str(caught.value)
    assert f"MINIFIED_MAX_BYTES={LAMBDA_UNZIPPED_LIMIT - 11}" in str(caught.value)
    with pytest.raises(DataError, match=r"fdnix/fdnix.duckdb 262,143,990, the function .* 11"):
        lambda_layer.refuse_too_large({"fdnix/fdnix.duckdb": large}, function=11)


def test_a_full_database_is_not_published(publishing: Settings, tmp_path: Path) -> None:
    full = write_database(tmp_path / "full.duckdb", "full")
    with pytest.raises(DataError, match="is a full database; a minified one is needed"):
        publish(publishing, full)


@needs_linux
def test_a_function_loads_the_extensions_from_the_layer_and_downloads_nothing(
    publishing: Settings, database: Path, tmp_path: Path
) -> None:
    extensions = lambda_layer.layer_extensions(publishing.replace(layer_include_extensions=True))
    lambda_layer.write_zip(tmp_path / "layer.zip", {"fdnix/fdnix.duckdb": database, **extensions})
    opt = tmp_path / "opt"
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        archive.extractall(opt)
    program = f"""
import duckdb
connection = duckdb.connect(config={{
    "extension_directory": {str(opt / "fdnix/extensions")!r},
    "autoinstall_known_extensions": "false",
}})
connection.execute("LOAD fts")
connection.execute("LOAD vss")
connection.execute("ATTACH '{opt}/fdnix/fdnix.duckdb' (READ_ONLY)")
print(connection.execute("SELECT count(*) FROM fdnix.packages").fetchone()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path)},
    )
    assert (done.stdout, done.stderr) == ("3\n", "")


@needs_linux
def test_a_layer_with_extensions_is_for_their_architecture_alone(
    client: LambdaClient, publishing: Settings, database: Path
) -> None:
    settings = publishing.replace(layer_include_extensions=True)
    publish(settings, database)

    version = client.get_layer_version(LayerName=settings.layer_arn or "", VersionNumber=1)
    assert version["CompatibleArchitectures"] == [HOST]


@needs_linux
def test_the_extensions_take_room_from_the_database(publishing: Settings) -> None:
    settings = publishing.replace(layer_include_extensions=True)
    room = lambda_layer.database_room(settings)
    sizes = [file.stat().st_size for file in lambda_layer.layer_extensions(settings).values()]

    assert len(sizes) == 2
    beside = publishing.layer_function_bytes
    assert beside == 67_000_000
    assert room == LAMBDA_UNZIPPED_LIMIT - beside - sum(sizes)
    assert lambda_layer.database_room(publishing) == LAMBDA_UNZIPPED_LIMIT - beside
    alone = publishing.replace(layer_function_bytes=0)
    assert lambda_layer.database_room(alone) == LAMBDA_UNZIPPED_LIMIT


@needs_linux
def test_extensions_of_another_architecture_are_refused_with_a_way_out(
    publishing: Settings,
) -> None:
    other = "arm64" if HOST == "x86_64" else "x86_64"
    settings = publishing.replace(layer_include_extensions=True, layer_architecture=other)
    with pytest.raises(
        SettingsError, match=rf"for Linux on {other}.*run fdnix on Linux on {other}"
    ):
        lambda_layer.database_room(settings)


def test_a_run_that_lost_its_lock_publishes_nothing(
    client: LambdaClient, publishing: Settings, database: Path
) -> None:
    def lost() -> None:
        raise UnfinishedError("lost")

    with pytest.raises(UnfinishedError):
        lambda_layer.publish_layer(publishing, database, still_held=lost)
    assert versions(client, publishing) == []


def test_a_refusal_names_the_layer_and_the_policies_and_leaves_no_zip(
    proxy: FaultyProxy,
    s3: S3Client,
    publishing: Settings,
    database: Path,
    tmp_path: Path,
) -> None:
    proxy.fail("deny", "POST", "/layers/")
    with pytest.raises(
        AwsError, match=rf"publish a version of the layer {publishing.layer_arn}.*deploy/iam"
    ):
        publish(publishing, database)
    assert [p.name for p in tmp_path.iterdir()] == ["fdnix.duckdb"]
    assert not s3.list_objects_v2(Bucket=publishing.artifacts_bucket or "").get("Contents")


def test_the_function_takes_the_new_version_and_keeps_its_other_layers(
    client: LambdaClient, publishing: Settings, database: Path
) -> None:
    settings = publishing.replace(layer_function=f"fdnix-{uuid.uuid4().hex[:8]}")
    other = publish(publishing.replace(layer_arn="fdnix-other"), database).arn
    role = boto3.client("iam").create_role(RoleName=uuid.uuid4().hex, AssumeRolePolicyDocument="{}")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("function.py", "def handler(event, context): ...")
    client.create_function(
        FunctionName=settings.layer_function or "",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="function.handler",
        Code={"ZipFile": archive.getvalue()},
        Layers=[other],
    )

    def layers() -> list[str]:
        name = settings.layer_function or ""
        found = client.get_function_configuration(FunctionName=name)["Layers"]
        return [layer["Arn"] for layer in found]

    first = publish(settings, database).arn
    assert lambda_function.give_layer(settings, first)
    assert layers() == [other, first]
    assert not lambda_function.give_layer(settings, first)
    second = publish(settings, write_database(database, "minified", packages=7)).arn
    assert lambda_function.give_layer(settings, second)
    assert layers() == [other, second]


def test_a_function_that_is_not_there_is_named(publishing: Settings) -> None:
    with pytest.raises(AwsError, match="fdnix-none"):
        lambda_function.give_layer(publishing.replace(layer_function="fdnix-none"), "arn:x:1")
