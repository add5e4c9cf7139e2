from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

import fdnix
from fdnix.artifacts import s3 as artifacts
from fdnix.artifacts.transfer import Location, file_sha256
from fdnix.database.file_info import SCHEMA_VERSIONS
from fdnix.errors import AwsError, DataError, SettingsError, UnfinishedError
from support.databases import REVISION, write_database

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from fdnix.database.file_info import Kind
    from fdnix.settings import Settings

FULL_SCHEMA = SCHEMA_VERSIONS["full"]
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def nightly(upload_settings: Settings) -> Settings:
    return upload_settings.replace(
        duckdb_data_key="nightly/{date}/full.duckdb",
        duckdb_minified_key="nightly/{date}/fdnix.duckdb",
        artifact_latest_alias=True,
    )


def held() -> None:
    """The lock is held."""


def send(settings: Settings, kind: Kind, path: Path, moment: datetime = MONDAY) -> Location:
    at = artifacts.upload_artifact(settings, kind, path, moment=moment, still_held=held)
    assert at is not None
    return at


def keys_in(s3: S3Client, settings: Settings) -> list[str]:
    listed = s3.list_objects_v2(Bucket=settings.artifacts_bucket or "")
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_an_uploaded_database_tells_what_it_holds(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    path = write_database(tmp_path / "full.duckdb", "full", packages=5)

    at = send(upload_settings, "full", path)

    assert at.key == "db/fdnix-data.duckdb"
    assert s3.head_object(Bucket=at.bucket, Key=at.key)["Metadata"] == {
        "schema-version": str(FULL_SCHEMA),
        "nixpkgs-revision": REVISION,
        "package-count": "5",
        "fdnix-version": fdnix.__version__,
        "build-id": "b1",
        "sha256": file_sha256(path),
    }


def test_a_database_without_a_key_stays_here(upload_settings: Settings, tmp_path: Path) -> None:
    settings = upload_settings.replace(duckdb_minified_key=None)
    path = write_database(tmp_path / "fdnix.duckdb", "minified")
    sent = artifacts.upload_artifact(settings, "minified", path, moment=MONDAY, still_held=held)
    assert sent is None


def test_a_file_that_is_no_database_of_its_kind_is_not_uploaded(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    path = write_database(tmp_path / "full.duckdb", "full")
    with pytest.raises(DataError, match="is a full database; a minified one is needed"):
        send(upload_settings, "minified", path)
    path.write_bytes(b"rubbish")
    with pytest.raises(DataError, match="cannot open"):
        send(upload_settings, "full", path)
    assert keys_in(s3, upload_settings) == []


def test_the_full_database_comes_back_as_it_went(upload_settings: Settings, tmp_path: Path) -> None:
    path = write_database(tmp_path / "full.duckdb", "full")
    send(upload_settings, "full", path)

    artifacts.download_full(upload_settings, tmp_path / "fresh" / "full.duckdb")

    assert file_sha256(tmp_path / "fresh" / "full.duckdb") == file_sha256(path)


def test_what_there_is_to_download_must_exist(upload_settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "full.duckdb"
    with pytest.raises(AwsError, match=r"no full database at s3://.*run the metadata phase first"):
        artifacts.download_full(upload_settings, target)
    with pytest.raises(SettingsError, match="set DUCKDB_DATA_KEY"):
        artifacts.download_full(upload_settings.replace(duckdb_data_key=None), target)
    assert not artifacts.download_previous(upload_settings, target)
    assert not artifacts.download_previous(upload_settings.replace(duckdb_data_key=None), target)
    assert not target.exists()


def test_another_schema_version_is_refused_with_both_named_before_the_download(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    newer = str(FULL_SCHEMA + 1)
    s3.put_object(
        Bucket=upload_settings.artifacts_bucket or "",
        Key=upload_settings.duckdb_data_key or "",
        Body=b"not even a database",
        Metadata={"schema-version": newer, "fdnix-version": "9.9"},
    )
    named = rf"schema version {newer}, .*version {FULL_SCHEMA}; .*\(9\.9\)"
    with pytest.raises(DataError, match=named):
        artifacts.download_full(upload_settings, tmp_path / "full.duckdb")
    with pytest.raises(DataError, match=named):
        artifacts.download_previous(upload_settings, tmp_path / "full.duckdb")


def test_a_file_of_another_schema_version_is_refused_whatever_its_metadata_says(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    path = write_database(tmp_path / "x.duckdb", "full", schema_version=FULL_SCHEMA + 1)
    s3.upload_file(
        str(path), upload_settings.artifacts_bucket or "", upload_settings.duckdb_data_key or ""
    )
    with pytest.raises(DataError, match=rf"s3://.*version {FULL_SCHEMA + 1}, .*{FULL_SCHEMA}"):
        artifacts.download_full(upload_settings, tmp_path / "full.duckdb")
    assert not (tmp_path / "full.duckdb").exists()


def test_of_an_older_schema_the_file_comes_to_take_its_vectors_over_and_for_nothing_else(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    older = write_database(tmp_path / "older", "full", schema_version=FULL_SCHEMA - 1)
    s3.put_object(
        Bucket=upload_settings.artifacts_bucket or "",
        Key=upload_settings.duckdb_data_key or "",
        Body=older.read_bytes(),
        Metadata={"schema-version": str(FULL_SCHEMA - 1)},
    )
    path = tmp_path / "full.duckdb"
    with pytest.raises(DataError, match=f"schema version {FULL_SCHEMA - 1}"):
        artifacts.download_full(upload_settings, path)
    assert artifacts.download_previous(upload_settings, path)
    assert path.read_bytes() == older.read_bytes()


def test_an_object_that_is_no_database_is_refused_and_not_kept(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    s3.put_object(
        Bucket=upload_settings.artifacts_bucket or "",
        Key=upload_settings.duckdb_data_key or "",
        Body=b"rubbish",
    )
    with pytest.raises(DataError, match=r"s3://.* cannot be used"):
        artifacts.download_full(upload_settings, tmp_path / "full.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_the_minified_database_comes_back_only_if_derived_from_the_full_one_here(
    upload_settings: Settings, tmp_path: Path
) -> None:
    full = write_database(tmp_path / "full.duckdb", "full")
    newer = write_database(tmp_path / "newer.duckdb", "full", build_id="b2")
    minified = write_database(tmp_path / "fdnix.duckdb", "minified")
    target = tmp_path / "target.duckdb"
    assert not artifacts.download_derived(upload_settings, full, target)
    send(upload_settings, "minified", minified)

    assert not artifacts.download_derived(upload_settings, newer, target)
    assert not target.exists()
    assert artifacts.download_derived(upload_settings, full, target)
    assert file_sha256(target) == file_sha256(minified)


def test_each_run_leaves_a_snapshot_and_moves_the_alias(
    s3: S3Client, nightly: Settings, tmp_path: Path
) -> None:
    first = write_database(tmp_path / "1.duckdb", "full", packages=1)
    second = write_database(tmp_path / "2.duckdb", "full", packages=2)
    send(nightly, "full", first, MONDAY)
    send(nightly, "full", second, MONDAY + DAY)

    assert keys_in(s3, nightly) == [
        "nightly/2026-11-23/full.duckdb",
        "nightly/2026-11-24/full.duckdb",
        "nightly/latest/full.duckdb",
    ]
    artifacts.download_full(nightly, tmp_path / "now.duckdb")
    assert file_sha256(tmp_path / "now.duckdb") == file_sha256(second)


def test_without_an_alias_the_newest_snapshot_is_the_one_that_is_downloaded(
    s3: S3Client, nightly: Settings, tmp_path: Path
) -> None:
    settings = nightly.replace(artifact_latest_alias=False)
    for day in range(2):
        path = write_database(tmp_path / f"{day}.duckdb", "full", packages=day + 1)
        send(settings, "full", path, MONDAY + day * DAY)

    assert "nightly/latest/full.duckdb" not in keys_in(s3, settings)
    artifacts.download_full(settings, tmp_path / "now.duckdb")
    assert file_sha256(tmp_path / "now.duckdb") == file_sha256(tmp_path / "1.duckdb")


def test_snapshots_are_listed_newest_first_with_both_their_databases(
    s3: S3Client, nightly: Settings, tmp_path: Path
) -> None:
    full = write_database(tmp_path / "full.duckdb", "full")
    small = write_database(tmp_path / "fdnix.duckdb", "minified")
    for day in range(2):
        send(nightly, "full", full, MONDAY + day * DAY)
    send(nightly, "minified", small, MONDAY)
    s3.put_object(Bucket=nightly.artifacts_bucket or "", Key="nightly/notes.txt", Body=b"x")

    listed = artifacts.snapshots(nightly)

    assert {one.name: sorted(one.objects) for one in listed} == {
        "2026-11-24": ["full"],
        "2026-11-23": ["full", "minified"],
    }
    assert listed[0].written_at >= listed[1].written_at
    assert {one.objects["full"].size for one in listed} == {full.stat().st_size}


def test_rolling_back_makes_an_earlier_snapshot_the_latest(
    nightly: Settings, tmp_path: Path
) -> None:
    for day in range(2):
        for kind in artifacts.KINDS:
            path = write_database(tmp_path / f"{kind}{day}", kind, packages=day + 1)
            send(nightly, kind, path, MONDAY + day * DAY)

    restored = artifacts.roll_back(nightly, "2026-11-23", still_held=held)

    assert {r.metadata["package-count"] for r in restored.objects.values()} == {"1"}
    artifacts.download_full(nightly, tmp_path / "now.duckdb")
    assert file_sha256(tmp_path / "now.duckdb") == file_sha256(tmp_path / "full0")
    assert len(artifacts.snapshots(nightly)) == 2


def test_rolling_back_to_another_schema_version_changes_nothing(
    s3: S3Client, nightly: Settings, tmp_path: Path
) -> None:
    for kind in artifacts.KINDS:
        send(nightly, kind, write_database(tmp_path / kind, kind))
    s3.put_object(
        Bucket=nightly.artifacts_bucket or "",
        Key="nightly/2026-01-01/fdnix.duckdb",
        Body=b"x",
        Metadata={"schema-version": "0"},
    )
    with pytest.raises(DataError, match=f"schema version 0, .* {SCHEMA_VERSIONS['minified']}"):
        artifacts.roll_back(nightly, "2026-01-01", still_held=held)
    latest = s3.get_object(Bucket=nightly.artifacts_bucket or "", Key="nightly/latest/fdnix.duckdb")
    assert latest["Body"].read() == (tmp_path / "minified").read_bytes()


def test_a_snapshot_that_is_not_there_is_answered_with_those_that_are(
    nightly: Settings, tmp_path: Path
) -> None:
    send(nightly, "full", write_database(tmp_path / "full", "full"))
    with pytest.raises(SettingsError, match="no snapshot '2020-01-01'; the newest: 2026-11-23"):
        artifacts.roll_back(nightly, "2020-01-01", still_held=held)


def test_rolling_back_needs_snapshots_and_an_alias(
    upload_settings: Settings, nightly: Settings
) -> None:
    with pytest.raises(SettingsError, match="each run overwrites the one before"):
        artifacts.snapshots(upload_settings)
    with pytest.raises(SettingsError, match="ARTIFACT_LATEST_ALIAS=true"):
        artifacts.roll_back(
            nightly.replace(artifact_latest_alias=False), "2026-11-23", still_held=held
        )


def test_runs_that_could_write_the_same_object_exclude_each_other(
    s3: S3Client, upload_settings: Settings
) -> None:
    minified_only = upload_settings.replace(duckdb_data_key=None)
    elsewhere = upload_settings.replace(
        duckdb_data_key="other/full.duckdb", duckdb_minified_key=None
    )
    with artifacts.run_lock(upload_settings):
        with pytest.raises(UnfinishedError), artifacts.run_lock(minified_only):
            pytest.fail("two runs write one object")
        with artifacts.run_lock(elsewhere) as still_held:
            still_held()
    assert keys_in(s3, upload_settings) == []


def test_a_run_that_uploads_nothing_takes_no_lock_and_needs_no_aws(
    upload_settings: Settings,
) -> None:
    local = upload_settings.replace(
        aws_region=None, artifacts_bucket=None, duckdb_data_key=None, duckdb_minified_key=None
    )
    with artifacts.run_lock(local) as still_held:
        still_held()


def test_a_run_that_lost_its_lock_uploads_nothing(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    path = write_database(tmp_path / "full.duckdb", "full")

    def lost() -> None:
        raise UnfinishedError("lost")

    with pytest.raises(UnfinishedError):
        artifacts.upload_artifact(upload_settings, "full", path, moment=MONDAY, still_held=lost)
    assert keys_in(s3, upload_settings) == []


def test_an_object_that_was_put_there_by_hand_is_read_whole(
    s3: S3Client, upload_settings: Settings, tmp_path: Path
) -> None:
    content = bytearray(write_database(tmp_path / "x.duckdb", "full").read_bytes())
    path = tmp_path / "full.duckdb"
    for damage in (0, 1):
        # Within the packages' descriptions, which nothing else of a download looks at.
        content[content.index(sha256(b"0").hexdigest().encode())] ^= damage
        s3.put_object(
            Bucket=upload_settings.artifacts_bucket or "",
            Key=upload_settings.duckdb_data_key or "",
            Body=bytes(content),
        )
        if damage:
            with pytest.raises(DataError, match=r"s3://.* cannot be used: .*checksum"):
                artifacts.download_full(upload_settings, path)
        else:
            artifacts.download_full(upload_settings, path)
    assert path.read_bytes() == write_database(tmp_path / "y.duckdb", "full").read_bytes()
