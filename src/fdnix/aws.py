"""boto3 clients, and botocore's errors put into words that name cause and remedy.

boto3 is an optional dependency and is imported only when a client is asked for, so that a local
run neither needs nor loads it. Credentials come from boto3's standard chain; endpoints may be
overridden with the standard `AWS_ENDPOINT_URL*` variables.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from fdnix.errors import AwsError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.loaders import Loader
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT = 10
READ_TIMEOUT = 60
LAMBDA_READ_TIMEOUT = 300
"""Seconds; a layer is unpacked before Lambda answers, and asking again publishes it again."""

MAX_ATTEMPTS = 8
MAX_CONNECTIONS = 16

_DENIED = "grant the role this action: the policies are in deploy/iam"
_CREDENTIALS = "renew the credentials and run again"
_REMEDIES = {
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AllAccessDisabled": _DENIED,
    "UnauthorizedOperation": _DENIED,
    "403": _DENIED,
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "RequestTimeTooSkewed": "set this machine's clock",
    "NoSuchBucket": "create the bucket, or correct the setting that names it",
    "PermanentRedirect": "set AWS_REGION to the bucket's region",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's region",
    "IllegalLocationConstraintException": "set AWS_REGION to the bucket's region",
    "ServiceQuotaExceededException": "ask for a higher quota in Service Quotas, or run again later",
    "ThrottlingException": "run again later, or ask for a higher quota in Service Quotas",
    "SlowDown": "run again later",
    "InternalError": "run again later",
    "InternalServerException": "run again later",
    "ServiceUnavailable": "run again later",
    "ServiceUnavailableException": "run again later",
}


@overload
def aws_client(service: Literal["s3"], region: str | None) -> S3Client: ...
@overload
def aws_client(service: Literal["lambda"], region: str | None) -> LambdaClient: ...
@overload
def aws_client(service: Literal["bedrock"], region: str | None) -> BedrockClient: ...
@overload
def aws_client(service: Literal["bedrock-runtime"], region: str | None) -> BedrockRuntimeClient: ...
def aws_client(service: Any, region: str | None) -> Any:
    """A thread-safe client of `service` in `region`, with adaptive retries.

    Raises:
        SettingsError: when `region` is not set, or boto3 is not installed.
    """
    if not region:
        raise SettingsError("AWS_REGION is not set; set it to the region of your bucket")
    try:
        import boto3  # noqa: PLC0415
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError("AWS needs boto3; install it: pip install 'fdnix[aws]'") from error
    config = Config(
        retries={"mode": "adaptive", "max_attempts": MAX_ATTEMPTS},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=LAMBDA_READ_TIMEOUT if service == "lambda" else READ_TIMEOUT,
        max_pool_connections=MAX_CONNECTIONS,
    )
    # A session of its own, since boto3's default session is not thread-safe; but one loader for
    # all, since it parses megabytes of service models.
    core = botocore.session.Session()
    core.register_component("data_loader", _loader())
    with explained(f"set up the {service} client"):
        session = boto3.session.Session(botocore_session=core, region_name=region)
        return session.client(service, config=config)


@cache
def _loader() -> Loader:
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader()


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Inside the block, what boto3 raises leaves as an AwsError: `action`, cause, remedy.

    Args:
        action: what is being done, as in "read s3://bucket/key"; the message is
            "could not " followed by it.

    Raises:
        AwsError: for every error of botocore and of its transfer manager.
    """
    try:
        yield
    except Exception as error:
        message = _explanation(error)
        if message is None:
            raise
        raise AwsError(f"could not {action}: {message}") from error


def answered(answer: Mapping[str, Any], name: str) -> Any:
    """What boto3's `answer` says under `name`; botocore reads JSON that was cut as no members.

    Raises:
        AwsError: when it says nothing.
    """
    if name not in answer:
        raise AwsError(
            f"the answer of AWS has no {name}: it was cut, or does not come from AWS; check "
            "AWS_ENDPOINT_URL, and run again"
        )
    return answer[name]


def error_code(error: BaseException | None) -> str:
    """The AWS error code of a ClientError, such as "NoSuchKey"; empty for any other error."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def _explanation(error: Exception) -> str | None:
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore import exceptions  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, exceptions.ClientError):
        code = error_code(error)
        said = error.response.get("Error", {}).get("Message", "") or "no message"
        remedy = _REMEDIES.get(code, "see the AWS documentation of this error")
        return f"{code} ({error.operation_name}): {said}; {remedy}"
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return f"{error}; give credentials (a role, a profile, or AWS_ACCESS_KEY_ID and its secret)"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return f"{error}; check the network, AWS_REGION and AWS_ENDPOINT_URL, and run again"
    if isinstance(error, ResponseParserError | UnicodeDecodeError):
        return f"the answer cannot be read ({error}); check AWS_ENDPOINT_URL, and run again"
    if isinstance(error, exceptions.BotoCoreError | Boto3Error):
        return f"{error}; check the AWS settings and run again"
    return None
