from __future__ import annotations

import pytest

from fdnix.errors import SettingsError
from fdnix.settings import load_settings

UPLOAD = {
    "AWS_REGION": "eu-central-1",
    "ARTIFACTS_BUCKET": "fdnix-artifacts",
    "DUCKDB_DATA_KEY": "fdnix-data.duckdb",
    "DUCKDB_MINIFIED_KEY": "fdnix.duckdb",
}
PUBLISH = UPLOAD | {"PUBLISH_LAYER": "yes", "LAYER_ARN": "fdnix-database"}
BATCH = {
    "AWS_REGION": "eu-central-1",
    "BEDROCK_ROLE_ARN": "arn:aws:iam::123456789012:role/fdnix-bedrock-batch",
    "BEDROCK_INPUT_BUCKET": "fdnix-bedrock",
    "BEDROCK_OUTPUT_BUCKET": "fdnix-bedrock",
}


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        UPLOAD,
        without(UPLOAD, "DUCKDB_DATA_KEY"),
        without(UPLOAD, "DUCKDB_MINIFIED_KEY"),
        PUBLISH,
        BATCH,
        without(BATCH, "BEDROCK_INPUT_BUCKET", "BEDROCK_OUTPUT_BUCKET")
        | {"ARTIFACTS_BUCKET": "fdnix-artifacts"},
        PUBLISH | BATCH,
        PUBLISH | {"LAYER_ARN": "arn:aws:lambda:eu-central-1:123456789012:layer:fdnix-database"},
        UPLOAD | {"DUCKDB_DATA_KEY": "{date}/full.duckdb", "ARTIFACT_LATEST_ALIAS": "true"},
        {"AWS_REGION": "us-gov-west-1"},
        dict.fromkeys(PUBLISH, ""),
        {"PROCESSING_MODE": "metadata", "EMBEDDING_PROVIDER": "bedrock", "PUBLISH_LAYER": "true"},
    ],
)
def test_settings_that_suffice_are_accepted(environ: dict[str, str]) -> None:
    load_settings(environ)


@pytest.mark.parametrize("word", ["true", "1", "yes"])
def test_publishing_is_asked_for_with_true_1_or_yes(word: str) -> None:
    assert load_settings(PUBLISH | {"PUBLISH_LAYER": word}).publish_layer


def test_a_key_alone_lacks_bucket_and_region() -> None:
    assert (
        "uploading (DUCKDB_DATA_KEY is set) needs ARTIFACTS_BUCKET, AWS_REGION, which are not set"
        in refusal({"DUCKDB_DATA_KEY": "x.duckdb"})
    )


def test_a_bucket_alone_lacks_a_key_and_the_region() -> None:
    message = refusal({"ARTIFACTS_BUCKET": "fdnix-artifacts"})
    assert "needs at least one key: DUCKDB_DATA_KEY" in message
    assert "needs AWS_REGION, which is not set" in message


@pytest.mark.parametrize(
    "name", ["LAYER_ARN", "ARTIFACTS_BUCKET", "AWS_REGION", "DUCKDB_MINIFIED_KEY"]
)
def test_publishing_names_each_thing_it_lacks(name: str) -> None:
    lines = refusal(without(PUBLISH, name)).splitlines()
    assert f"  publishing (PUBLISH_LAYER is true) needs {name}, which is not set" in lines


def test_bedrock_lacks_region_role_and_buckets_all_at_once() -> None:
    message = refusal({"EMBEDDING_PROVIDER": "bedrock"})
    assert "needs AWS_REGION, BEDROCK_ROLE_ARN, which are not set" in message
    assert "needs BEDROCK_INPUT_BUCKET or ARTIFACTS_BUCKET" in message
    assert "needs BEDROCK_OUTPUT_BUCKET or ARTIFACTS_BUCKET" in message


def test_a_versioned_layer_is_refused_with_the_unversioned_arn_shown() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:fdnix-database"
    message = refusal(PUBLISH | {"LAYER_ARN": f"{arn}:7"})
    assert f"'{arn}:7' is one version of a layer" in message
    assert message.endswith(f"give the layer itself: {arn}")


def test_a_layer_of_another_region_is_refused_with_both_named() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:fdnix-database"
    message = refusal(PUBLISH | {"LAYER_ARN": arn})
    assert "lies in us-east-1, but AWS_REGION is eu-central-1" in message


def test_an_alias_without_placeholders_has_nothing_to_alias() -> None:
    message = refusal(UPLOAD | {"ARTIFACT_LATEST_ALIAS": "true"})
    assert "ARTIFACT_LATEST_ALIAS is true, but neither" in message


def test_both_databases_under_one_key_would_overwrite_each_other() -> None:
    message = refusal(UPLOAD | {"DUCKDB_DATA_KEY": "fdnix.duckdb"})
    assert "DUCKDB_DATA_KEY and DUCKDB_MINIFIED_KEY name the same object" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "Frankfurt"),
        ("ARTIFACTS_BUCKET", "s3://fdnix-artifacts"),
        ("ARTIFACTS_BUCKET", "Fdnix"),
        ("LAYER_ARN", "arn:aws:s3:::fdnix"),
        ("LAYER_ARCHITECTURE", "riscv"),
        ("LAYER_KEEP_VERSIONS", "0"),
        ("PUBLISH_LAYER", "maybe"),
        ("BEDROCK_ROLE_ARN", "fdnix-bedrock-batch"),
        ("ARTIFACT_LOCK_SECONDS", "0"),
    ],
)
def test_a_malformed_value_is_named_once_and_not_called_missing(name: str, value: str) -> None:
    message = refusal(PUBLISH | {name: value})
    assert f"{name}: {value!r} is not accepted; expected " in message
    assert "not set" not in message


def test_wrong_and_missing_and_contradictory_are_all_in_one_message() -> None:
    message = refusal(
        {
            "DUCKDB_KEY": "old.duckdb",
            "VSS_HNSW_M": "many",
            "PUBLISH_LAYER": "1",
            "DUCKDB_MINIFIED_KEY": "{day}/fdnix.duckdb",
        }
    )
    assert "DUCKDB_KEY was removed: use DUCKDB_DATA_KEY" in message
    assert "VSS_HNSW_M: 'many'" in message
    assert "needs LAYER_ARN, ARTIFACTS_BUCKET, AWS_REGION, which are not set" in message
    assert "DUCKDB_MINIFIED_KEY: '{day}/fdnix.duckdb' holds {day}" in message


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("a/{day}.duckdb", "{day}; the placeholders are {date}, {timestamp}, {revision}"),
        ("a/{}.duckdb", "{}; the placeholders"),
        ("a/{date.duckdb", "a brace that is no part of a placeholder"),
        ("a/date}.duckdb", "a brace that is no part of a placeholder"),
        ("/fdnix.duckdb", "starts or ends with /"),
        ("fdnix/", "starts or ends with /"),
        ("fdnix\n.duckdb", "control characters"),
        ("é" * 513, "longer than the 1024 bytes"),
        ("x" * 1000 + "{revision}", "longer than the 1024 bytes"),
    ],
)
def test_an_unusable_template_is_explained(template: str, complaint: str) -> None:
    assert complaint in refusal({**UPLOAD, "DUCKDB_DATA_KEY": template})


@pytest.mark.parametrize("key", ["fdnix-data.duckdb", "n/{date}/{timestamp}/{revision}.duckdb"])
def test_a_plain_key_and_the_three_placeholders_are_accepted(key: str) -> None:
    assert load_settings({**UPLOAD, "DUCKDB_DATA_KEY": key}).duckdb_data_key == key
