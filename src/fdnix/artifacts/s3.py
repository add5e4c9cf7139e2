"""The two databases in S3: uploaded with what they hold, downloaded, listed and rolled back."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from fdnix.artifacts import keys
from fdnix.artifacts.lock import locked
from fdnix.artifacts.transfer import (
    SHA256,
    Location,
    RemoteObject,
    copy,
    download,
    head,
    upload,
)
from fdnix.aws import aws_client, explained
from fdnix.database.connection import connect
from fdnix.database.file_info import SCHEMA_VERSIONS, Kind, read_file_info, read_older_info
from fdnix.database.full import verify_counts
from fdnix.database.whole import verify_blocks
from fdnix.embedding.bedrock.files import lock_key
from fdnix.errors import AwsError, DataError, SettingsError, UnfinishedError
from fdnix.progress import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb
    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings

KINDS: tuple[Kind, ...] = ("full", "minified")

CONTENT_TYPE = "application/octet-stream"
"""DuckDB's format has no registered media type."""

# The name of the object's metadata, and the key of fdnix_meta that it repeats.
_METADATA = {
    "schema-version": "schema_version",
    "nixpkgs-revision": "nixpkgs_revision",
    "package-count": "package_count",
    "fdnix-version": "fdnix_version",
}
_BUILD = "build-id"
_BUILD_KEYS: dict[Kind, str] = {"full": "build_id", "minified": "source_build_id"}
"""The full database's build, which the minified one derived from it names too."""

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One run's artifacts in S3: its name, and the object of each kind that it has."""

    name: str
    objects: dict[Kind, RemoteObject]

    @property
    def written_at(self) -> datetime:
        """When the last of its objects was written."""
        return max(remote.last_modified for remote in self.objects.values())


@contextmanager
def run_lock(settings: Settings) -> Iterator[Callable[[], None]]:
    """Hold the locks of all artifacts that the settings let a run write, inside the block.

    Each lock lies beside the artifact, under its latest key and `.lock`. Yields what `upload`,
    `roll_back` and `publish_layer` take as `still_held`.

    Raises:
        UnfinishedError: another run holds one of them.
        AwsError: S3 refuses or fails.
    """
    places = sorted(
        {keys.alias_key(template) for kind in KINDS if (template := _template(settings, kind))}
    )
    if not places:
        yield _nothing_to_lose
        return
    s3 = _s3(settings)
    with ExitStack() as stack:
        checks = [
            stack.enter_context(
                locked(
                    s3,
                    Location(_bucket(settings), f"{place}.lock"),
                    seconds=settings.artifact_lock_seconds,
                )
            )
            for place in places
        ]

        def still_held() -> None:
            for check in checks:
                check()

        yield still_held


@contextmanager
def batch_lock(settings: Settings) -> Iterator[Callable[[], None]]:
    """Hold what lies in S3 for batch inference inside the block, where the settings use it.

    Runs for other databases may share it. Another run's lock is waited for up to
    BEDROCK_MAX_WAIT_TIME. Yields what `bedrock_provider` takes as `still_held`.

    Raises:
        UnfinishedError: another run held it all the time.
        AwsError: S3 refuses or fails.
    """
    bucket = settings.bedrock_input_bucket or settings.artifacts_bucket
    if settings.provider != "bedrock" or bucket is None:
        yield _nothing_to_lose
        return
    key = lock_key(settings.bedrock_model_id, settings.bedrock_output_dimensions)
    deadline = time.monotonic() + settings.bedrock_max_wait_time
    waiting = False
    with ExitStack() as stack:
        while True:
            lock = locked(
                _s3(settings), Location(bucket, key), seconds=settings.artifact_lock_seconds
            )
            try:
                still_held = stack.enter_context(lock)
                break
            except UnfinishedError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                if not waiting:
                    log.info("waiting: %s", error)
                waiting = True
            time.sleep(min(settings.bedrock_poll_interval, left))
        yield still_held


def upload_artifact(
    settings: Settings,
    kind: Kind,
    path: Path,
    *,
    moment: datetime,
    still_held: Callable[[], None],
) -> Location | None:
    """Where the database at `path` now lies in S3; None where the settings give it no key.

    The latest alias, if asked for, is copied within S3 once the object itself is complete.

    Args:
        settings: bucket, region and keys.
        kind: which database it is.
        path: the database file.
        moment: when the run began; all uploads of a run give the same.
        still_held: see `run_lock`.

    Raises:
        DataError: the file is not a database of this kind and schema version.
        AwsError: S3 refuses or fails; what was there before is unharmed.
        UnfinishedError: another run took the lock over.
    """
    template = _template(settings, kind)
    if template is None:
        return None
    meta = _verified(settings, path, kind)
    metadata = {name: _ascii(meta.get(key, _UNKNOWN)) for name, key in _METADATA.items()}
    metadata[_BUILD] = _ascii(meta.get(_BUILD_KEYS[kind], _UNKNOWN))
    s3 = _s3(settings)
    at = Location(
        _bucket(settings),
        keys.snapshot_key(template, moment=moment, revision=metadata["nixpkgs-revision"]),
    )
    still_held()
    remote = upload(s3, path, at, content_type=CONTENT_TYPE, metadata=metadata)
    alias = Location(at.bucket, keys.alias_key(template))
    if settings.artifact_latest_alias and alias != at:
        standing = head(s3, alias)
        if standing is None or standing.metadata != remote.metadata:
            still_held()
            copy(s3, at, alias)
            log.info("%s is now %s", alias, at)
    return at


def download_full(settings: Settings, path: Path) -> None:
    """Put the latest full database from S3 at `path`, verified.

    Raises:
        SettingsError: no key says where the full database lies.
        DataError: it has another schema version, or does not verify.
        AwsError: there is none, or S3 refuses or fails.
    """
    template = _template(settings, "full")
    if template is None:
        raise SettingsError(
            f"{path} does not exist; run the metadata phase first, "
            "or set DUCKDB_DATA_KEY to download the full database from S3"
        )
    s3 = _s3(settings)
    remote = _current(s3, settings, "full")
    if remote is None:
        raise AwsError(
            f"there is no full database at {Location(_bucket(settings), keys.alias_key(template))}"
            "; run the metadata phase first, or correct DUCKDB_DATA_KEY"
        )
    _download_verified(s3, settings, remote, path, "full")


def download_previous(settings: Settings, path: Path) -> bool:
    """Whether the latest full database from S3 now lies at `path`, to index the next on top of.

    It may be of an older schema: its vectors can be taken over. False when the settings give no
    key, and when there is no object yet.

    Raises:
        DataError: the object has a newer schema version, which this run must not overwrite.
        AwsError: S3 refuses or fails.
    """
    if _template(settings, "full") is None:
        return False
    s3 = _s3(settings)
    remote = _current(s3, settings, "full")
    if remote is None:
        log.info("no full database in S3 yet: every text will be embedded")
        return False
    if _schema_version(remote, "full") > SCHEMA_VERSIONS["full"]:
        raise _other_schema(remote, "full")

    _download(s3, settings, remote, path, lambda part: _older_info(settings, part))
    return True


def is_outdated(settings: Settings, path: Path) -> bool:
    """Whether another run has put a newer full database into S3 than the one at `path`.

    False when the settings give no key, and when the file at `path` cannot be read.

    Raises:
        AwsError: S3 refuses or fails.
    """
    if _template(settings, "full") is None:
        return False
    try:
        meta = _older_info(settings, path)
    except DataError:
        return False
    remote = _current(_s3(settings), settings, "full")
    if remote is None or remote.metadata.get(_BUILD) in {None, meta["build_id"]}:
        return False
    written = max(
        datetime.fromisoformat(meta[key]) for key in ("metadata_at", "embedding_at") if key in meta
    )
    if remote.last_modified <= written:
        return False
    log.info("%s is newer than %s, which it replaces", remote.at, path)
    return True


def download_derived(settings: Settings, full: Path, path: Path) -> bool:
    """Whether the latest minified database from S3 now lies at `path`; it comes only if of use.

    It is of use when it was derived from the very full database at `full`: then a run over an
    unchanged catalogue builds, uploads and publishes nothing.

    Raises:
        DataError: `full` is no full database, or what came does not verify.
        AwsError: S3 refuses or fails.
    """
    if _template(settings, "minified") is None:
        return False
    build = _verified(settings, full, "full").get(_BUILD_KEYS["full"])
    s3 = _s3(settings)
    remote = _current(s3, settings, "minified")
    if remote is None or remote.metadata.get(_BUILD) != build:
        return False
    _download_verified(s3, settings, remote, path, "minified")
    return True


def snapshots(settings: Settings) -> list[Snapshot]:
    """The snapshots in S3, newest first.

    Raises:
        SettingsError: no key has placeholders, so runs overwrite one another.
        AwsError: S3 refuses or fails.
    """
    s3 = _s3(settings)
    found: dict[str, dict[Kind, RemoteObject]] = {}
    for kind in _snapshot_kinds(settings):
        for name, remote in _listed(s3, settings, kind):
            found.setdefault(name, {})[kind] = remote
    return sorted(
        (Snapshot(name, objects) for name, objects in found.items()),
        key=lambda snapshot: (snapshot.written_at, snapshot.name),
        reverse=True,
    )


def roll_back(settings: Settings, name: str, *, still_held: Callable[[], None]) -> Snapshot:
    """The snapshot `name`, each of whose objects is now the latest, copied within S3.

    Raises:
        SettingsError: there is no such snapshot, or no latest alias to move.
        DataError: the snapshot has another schema version.
        AwsError: S3 refuses or fails.
        UnfinishedError: another run took the lock over.
    """
    if not settings.artifact_latest_alias:
        raise SettingsError("rolling back moves the latest alias: set ARTIFACT_LATEST_ALIAS=true")
    listed = snapshots(settings)
    snapshot = next((one for one in listed if one.name == name), None)
    if snapshot is None:
        names = ", ".join(one.name for one in listed[:5]) or "none yet"
        raise SettingsError(
            f"there is no snapshot {name!r}; the newest: {names}; all: fdnix snapshots"
        )
    s3 = _s3(settings)
    described: dict[Kind, RemoteObject] = {}
    for kind, remote in snapshot.objects.items():
        described[kind] = head(s3, remote.at) or remote
        _refuse_other_schema(described[kind], kind)
    for kind, remote in described.items():
        still_held()
        alias = Location(remote.at.bucket, keys.alias_key(_template(settings, kind) or ""))
        copy(s3, remote.at, alias)
        log.info("%s is now %s", alias, remote.at)
    return Snapshot(name, described)


def _nothing_to_lose() -> None:
    """The lock of a run that writes no artifact."""


def _snapshot_kinds(settings: Settings) -> list[Kind]:
    kinds = [kind for kind in KINDS if keys.has_placeholders(_template(settings, kind) or "")]
    if not kinds:
        raise SettingsError(
            "there are no snapshots: neither DUCKDB_DATA_KEY nor DUCKDB_MINIFIED_KEY holds "
            "{date}, {timestamp} or {revision}, so each run overwrites the one before"
        )
    return kinds


def _current(s3: S3Client, settings: Settings, kind: Kind) -> RemoteObject | None:
    """The object that holds the latest database: the alias where there is one, else the newest."""
    template = _template(settings, kind) or ""
    if settings.artifact_latest_alias or not keys.has_placeholders(template):
        return head(s3, Location(_bucket(settings), keys.alias_key(template)))
    listed = [remote for _, remote in _listed(s3, settings, kind)]
    newest = max(listed, key=lambda remote: (remote.last_modified, remote.at.key), default=None)
    return newest and head(s3, newest.at)


def _listed(s3: S3Client, settings: Settings, kind: Kind) -> Iterator[tuple[str, RemoteObject]]:
    """Each snapshot's name and object; S3 lists no metadata, so that is empty."""
    template = _template(settings, kind) or ""
    bucket = _bucket(settings)
    prefix = keys.listing_prefix(template)
    with explained(f"list s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if name := keys.snapshot_name(template, entry["Key"]):
                    at = Location(bucket, entry["Key"])
                    yield name, RemoteObject(at, entry["Size"], entry["LastModified"], {})


def _refuse_other_schema(remote: RemoteObject, kind: Kind) -> None:
    if _schema_version(remote, kind) != SCHEMA_VERSIONS[kind]:
        raise _other_schema(remote, kind)


def _other_schema(remote: RemoteObject, kind: Kind) -> DataError:
    return DataError(
        f"{remote.at} has schema version {_schema_version(remote, kind)}, this fdnix reads and "
        f"writes version {SCHEMA_VERSIONS[kind]}; build it again with `fdnix run`, or use the "
        f"fdnix that wrote it ({remote.metadata.get('fdnix-version', _UNKNOWN)})"
    )


def _schema_version(remote: RemoteObject, kind: Kind) -> int:
    """What the object's metadata says; an object without it is held against its file alone."""
    version = remote.metadata.get("schema-version", str(SCHEMA_VERSIONS[kind]))
    if not version.isdecimal():
        raise DataError(f"{remote.at}: its metadata gives the schema version {version!r}")
    return int(version)


def _download_verified(
    s3: S3Client, settings: Settings, remote: RemoteObject, path: Path, kind: Kind
) -> None:
    _refuse_other_schema(remote, kind)
    _download(s3, settings, remote, path, lambda part: _verified(settings, part, kind))


def _download(
    s3: S3Client,
    settings: Settings,
    remote: RemoteObject,
    path: Path,
    check: Callable[[Path], object],
) -> None:
    def verify(part: Path) -> None:
        try:
            if SHA256 not in remote.metadata:
                # Put there by hand: DuckDB's checksums are all that it can be held against.
                verify_blocks(part, settings.duckdb_extension_directory)
            check(part)
        except DataError as error:
            raise DataError(f"{remote.at} cannot be used: {error}") from error

    download(s3, remote, path, verify=verify)
    log.info("%s downloaded from %s", path, remote.at)


def _verified(settings: Settings, path: Path, kind: Kind) -> dict[str, str]:
    with _opened(settings, path) as connection:
        meta = read_file_info(connection, path, kind=kind)
        verify_counts(connection, path)
    return meta


def _older_info(settings: Settings, path: Path) -> dict[str, str]:
    with _opened(settings, path) as connection:
        return read_older_info(connection, path)


def _opened(settings: Settings, path: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return connect(
        path,
        read_only=True,
        extensions=("vss",),
        extension_directory=settings.duckdb_extension_directory,
    )


def _ascii(value: str) -> str:
    """`value` as S3's user metadata can hold it."""
    return value.encode("ascii", "replace").decode()


def _template(settings: Settings, kind: Kind) -> str | None:
    return settings.duckdb_data_key if kind == "full" else settings.duckdb_minified_key


def _bucket(settings: Settings) -> str:
    if settings.artifacts_bucket is None:
        raise SettingsError("ARTIFACTS_BUCKET is not set; set it to the bucket of the artifacts")
    return settings.artifacts_bucket


def _s3(settings: Settings) -> S3Client:
    return aws_client("s3", settings.aws_region)
