"""The minified database as a Lambda layer: `/opt/fdnix/fdnix.duckdb` in a function."""

from __future__ import annotations

import base64
import platform
import zipfile
from dataclasses import dataclass
from shutil import copyfileobj
from typing import TYPE_CHECKING, Literal

import duckdb

from fdnix.artifacts import keys
from fdnix.artifacts.transfer import Location, file_sha256, upload
from fdnix.aws import answered, aws_client, explained
from fdnix.database.connection import EXTENSIONS, connect, extension_file
from fdnix.database.file_info import read_file_info
from fdnix.errors import AwsError, DataError, SettingsError
from fdnix.progress import log
from fdnix.scratch import scratch
from fdnix.settings import LAMBDA_UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.literals import RuntimeType
    from mypy_boto3_lambda.type_defs import LayerVersionsListItemTypeDef
    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings

Architecture = Literal["x86_64", "arm64"]

# Lambda's runtimes that DuckDB has a client for (Lambda developer guide, "Lambda runtimes").
RUNTIMES: Sequence[RuntimeType] = (
    "python3.11",
    "python3.12",
    "python3.13",
    "nodejs20.x",
    "nodejs22.x",
    "java21",
    "provided.al2023",
)
_DATABASE = "fdnix/fdnix.duckdb"
_LONGEST_DESCRIPTION = 256  # characters; Lambda API reference, PublishLayerVersion
_MACHINES: dict[str, Architecture] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "arm64",
    "arm64": "arm64",
}
# DuckDB's names for the platforms, as in the directories it looks for extensions in.
_DUCKDB_PLATFORMS: dict[Architecture, str] = {"x86_64": "linux_amd64", "arm64": "linux_arm64"}


@dataclass(frozen=True, slots=True)
class Publication:
    """The layer version that holds the database now."""

    arn: str
    published: bool
    """False when the latest version already had these bytes."""
    removed: tuple[str, ...]
    """The ARNs of the older versions that were deleted."""


def publish_layer(
    settings: Settings, database: Path, *, still_held: Callable[[], None]
) -> Publication:
    """The layer version that holds the minified database at `database`, published if need be.

    Raises:
        SettingsError: the extensions of the layer's architecture are not at hand.
        DataError: the layer would unzip to more than Lambda takes, or the file is no minified
            database of this schema version.
        AwsError: S3 or Lambda refuses or fails; the versions that were there still are.
        UnfinishedError: another run took the lock over.
    """
    with connect(
        database,
        read_only=True,
        extensions=("vss",),
        extension_directory=settings.duckdb_extension_directory,
    ) as connection:
        meta = read_file_info(connection, database, kind="minified")
    members = {_DATABASE: database, **layer_extensions(settings)}
    refuse_too_large(members, settings.layer_function_bytes)
    client = aws_client("lambda", settings.aws_region)
    layer = (settings.layer_arn or "").rpartition(":")[2]
    with scratch(database.parent) as directory:
        file = directory / "layer.zip"
        write_zip(file, members)
        versions = _versions(client, layer)
        arn = _arn_of_same_bytes(client, layer, versions[0]["Version"], file) if versions else None
        published = not arn
        if not arn:
            still_held()
            arn = _publish(settings, client, layer, file, meta)
    _refuse_other_account(arn, settings.layer_arn or "")
    log.info("layer version %s %s", arn, "published" if published else "already has these bytes")
    return Publication(arn, published, _remove_old(client, layer, settings.layer_keep_versions))


def database_room(settings: Settings) -> int:
    """Bytes that the minified database may have so that layer and function unzip within the limit.

    Raises:
        SettingsError: LAYER_INCLUDE_EXTENSIONS asks for an architecture that is not at hand.
    """
    extensions = layer_extensions(settings).values()
    taken = settings.layer_function_bytes + sum(file.stat().st_size for file in extensions)
    return LAMBDA_UNZIPPED_LIMIT - taken


def layer_extensions(settings: Settings) -> dict[str, Path]:
    """The extension files that go into the layer, by their paths in the zip; often none.

    In a function, `SET extension_directory = '/opt/fdnix/extensions'` makes `LOAD fts` find them.

    Raises:
        SettingsError: LAYER_INCLUDE_EXTENSIONS asks for an architecture that is not at hand.
    """
    if not settings.layer_include_extensions:
        return {}
    host = _MACHINES.get(platform.machine().lower()) if platform.system() == "Linux" else None
    wanted = settings.layer_architecture or host
    if wanted is None or wanted != host:
        target = f"Linux on {wanted or 'x86_64 or arm64'}"
        raise SettingsError(
            f"LAYER_INCLUDE_EXTENSIONS: DuckDB's extensions for {target} are not on this machine "
            f"({platform.system()} on {platform.machine()}); run fdnix on {target}, a container "
            "of that platform will do, or leave LAYER_INCLUDE_EXTENSIONS off"
        )
    directory = f"fdnix/extensions/v{duckdb.__version__}/{_DUCKDB_PLATFORMS[wanted]}"
    return {
        f"{directory}/{name}.duckdb_extension": _extension_file(name, settings)
        for name in EXTENSIONS
    }


def refuse_too_large(members: Mapping[str, Path], function: int = 0) -> None:
    """Raise when the files and the function beside them are more than Lambda unzips.

    Args:
        members: the layer's files, by their paths in the zip.
        function: what the function unzips to.

    Raises:
        DataError: naming each file, and the function, with its size.
    """
    sizes = {name: file.stat().st_size for name, file in members.items()}
    sizes["the function (LAYER_FUNCTION_BYTES)"] = function
    total = sum(sizes.values())
    if total > LAMBDA_UNZIPPED_LIMIT:
        listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        room = LAMBDA_UNZIPPED_LIMIT - (total - sizes[_DATABASE])
        raise DataError(
            f"layer and function would unzip to {total:,} bytes, Lambda takes "
            f"{LAMBDA_UNZIPPED_LIMIT:,} ({listed}); "
            f"set MINIFIED_MAX_BYTES={room} and run the minified phase again"
        )


def write_zip(
    path: Path, members: Mapping[str, Path], *, compression: int = zipfile.ZIP_STORED
) -> None:
    """Write a zip whose bytes depend on the members' names and contents alone.

    The members are stored, not compressed, unless `compression` says otherwise: zlib's output
    differs between its builds, and vectors hardly compress.
    """
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name)  # dated 1980-01-01, zip's first day
            info.create_system = 3  # Unix, so that the permissions count
            info.external_attr = 0o100644 << 16
            info.compress_type = compression
            info.file_size = members[name].stat().st_size
            with members[name].open("rb") as source, archive.open(info, "w") as target:
                copyfileobj(source, target, 1 << 20)


def _extension_file(name: str, settings: Settings) -> Path:
    file = extension_file(name, settings.duckdb_extension_directory)
    if file is None:
        raise SettingsError(
            f"LAYER_INCLUDE_EXTENSIONS: {name}.duckdb_extension is not at hand; install "
            f"duckdb-extension-{name}=={duckdb.__version__} with pip, or name a directory that "
            "holds it in DUCKDB_EXTENSION_DIRECTORY"
        )
    return file


def _refuse_other_account(arn: str, layer_arn: str) -> None:
    """Calls name the layer alone, so they reach that of the credentials' account."""
    if layer_arn.startswith("arn:") and not arn.startswith(f"{layer_arn}:"):
        raise AwsError(
            f"the layer version is {arn}, but LAYER_ARN names {layer_arn}: the credentials are of "
            "another account; use credentials of the layer's account, or correct LAYER_ARN"
        )


def _versions(client: LambdaClient, layer: str) -> list[LayerVersionsListItemTypeDef]:
    """The layer's versions, newest first; none when there is no such layer yet."""
    with explained(f"list the versions of the layer {layer}"):
        try:
            pages = list(client.get_paginator("list_layer_versions").paginate(LayerName=layer))
        except client.exceptions.ResourceNotFoundException:
            return []
    versions = [version for page in pages for version in answered(page, "LayerVersions")]
    return sorted(versions, key=lambda version: version["Version"], reverse=True)


def _arn_of_same_bytes(client: LambdaClient, layer: str, newest: int, file: Path) -> str | None:
    """The ARN of the newest version if it was made of a zip with these bytes."""
    with explained(f"read version {newest} of the layer {layer}"):
        version = client.get_layer_version(LayerName=layer, VersionNumber=newest)
    digest = base64.b64encode(bytes.fromhex(file_sha256(file))).decode()
    same = answered(answered(version, "Content"), "CodeSha256") == digest
    return str(answered(version, "LayerVersionArn")) if same else None


def _publish(
    settings: Settings, client: LambdaClient, layer: str, file: Path, meta: Mapping[str, str]
) -> str:
    """The ARN of the new version, made of the zip by way of S3."""
    s3 = aws_client("s3", settings.aws_region)
    key = f"{keys.alias_key(settings.duckdb_minified_key or '')}.layer.zip"
    at = Location(settings.artifacts_bucket or "", key)
    architectures: list[Architecture] = ["x86_64", "arm64"]
    if settings.layer_architecture:
        architectures = [settings.layer_architecture]
    elif settings.layer_include_extensions:
        architectures = [_MACHINES[platform.machine().lower()]]
    try:
        upload(s3, file, at, content_type="application/zip", metadata={})
        with explained(f"publish a version of the layer {layer}"):
            version = client.publish_layer_version(
                LayerName=layer,
                Description=(
                    f"nixpkgs {meta.get('nixpkgs_revision', 'of unknown revision')}, "
                    f"{meta['package_count']} packages, fdnix {meta['fdnix_version']}"
                )[:_LONGEST_DESCRIPTION],
                Content={"S3Bucket": at.bucket, "S3Key": at.key},
                CompatibleRuntimes=RUNTIMES,
                CompatibleArchitectures=architectures,
            )
    finally:
        # Lambda has its own copy, or none at all.
        _discard(s3, at)
    return str(answered(version, "LayerVersionArn"))


def _discard(s3: S3Client, at: Location) -> None:
    try:
        with explained(f"remove {at}"):
            s3.delete_object(Bucket=at.bucket, Key=at.key)
    except AwsError as error:
        log.warning("%s; the next publication overwrites it", error)


def _remove_old(client: LambdaClient, layer: str, keep: int | None) -> tuple[str, ...]:
    """The ARNs of the versions deleted so that `keep` are left; None keeps all."""
    if keep is None:
        return ()
    removed = []
    for version in _versions(client, layer)[keep:]:
        with explained(f"delete {version['LayerVersionArn']}"):
            client.delete_layer_version(LayerName=layer, VersionNumber=version["Version"])
        log.info("layer version %s deleted", version["LayerVersionArn"])
        removed.append(version["LayerVersionArn"])
    return tuple(removed)
