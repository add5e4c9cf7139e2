"""What a user reads when AWS cannot be used."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from fdnix.aws import aws_client, error_code, explained
from fdnix.errors import AwsError, SettingsError


def test_a_missing_region_is_a_settings_error_that_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        aws_client("s3", None)


def test_a_missing_boto3_names_the_extra_to_install() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from fdnix.aws import aws_client\n"
        "try: aws_client('s3', 'us-east-1')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("SettingsError")
    assert "pip install 'fdnix[aws]'" in done.stdout


def test_importing_the_module_loads_no_boto3() -> None:
    code = "import sys, fdnix.aws; print('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_bucket_is_an_aws_error_with_cause_and_remedy(aws_endpoint: str) -> None:
    said = r"could not list the bucket: NoSuchBucket.*create"
    with pytest.raises(AwsError, match=said) as info, explained("list the bucket"):
        aws_client("s3", "us-east-1").list_objects_v2(Bucket="fdnix-no-such-bucket")
    assert error_code(info.value.__cause__) == "NoSuchBucket"


def test_missing_credentials_are_explained(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsError, match="credentials"), explained("list the buckets"):
        aws_client("s3", "us-east-1").list_buckets()


def test_an_endpoint_nobody_listens_on_is_explained(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("fdnix.aws.MAX_ATTEMPTS", 1)
    with pytest.raises(AwsError, match="check the network"), explained("list the buckets"):
        aws_client("s3", "us-east-1").list_buckets()


def test_an_error_that_is_not_of_aws_passes_unchanged() -> None:
    with pytest.raises(KeyError), explained("do anything"):
        raise KeyError("ours")
