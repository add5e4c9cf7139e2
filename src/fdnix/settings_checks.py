"""What the AWS settings need of one another, checked before any work starts.

Pure functions of the settings: nothing here imports boto3 or reaches AWS.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fdnix.settings import Settings

PLACEHOLDERS = ("date", "timestamp", "revision")
LATEST = "latest"
"""What stands for every placeholder in the key of the latest snapshot's alias."""

MAX_KEY_BYTES = 1024
"""Bytes that an S3 key may have in UTF-8 (Amazon S3 user guide, "Naming Amazon S3 objects")."""

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
"""A placeholder in the template of an S3 key; `artifacts.keys` fills them."""

_LONGEST_VALUE = "f" * 40
_LAYER_ARN = re.compile(
    r"(?P<layer>arn:[^:]+:lambda:(?P<region>[^:]+):[^:]+:layer:[^:]+)(?P<version>:[^:]+)?"
)


def contradictions(settings: Settings, refused: Collection[str] = ()) -> list[str]:
    """One sentence for each thing that the AWS settings lack or that two of them disagree on.

    `refused` are the fields whose own value was refused: they were given, so they are not missing.
    """
    return [
        *_missing(settings, refused),
        *_bad_keys(settings),
        *_pointless_alias(settings),
        *_bad_layer(settings),
    ]


def _missing(settings: Settings, refused: Collection[str]) -> Iterator[str]:
    def given(name: str) -> bool:
        return getattr(settings, name) is not None or name in refused

    def lacking(purpose: str, *names: str) -> Iterator[str]:
        absent = [name.upper() for name in names if not given(name)]
        if absent:
            yield f"{purpose} needs {', '.join(absent)}, which {_is_or_are(absent)} not set"

    has_key = given("duckdb_data_key") or given("duckdb_minified_key")
    batch = settings.provider == "bedrock" or given("bedrock_role_arn")
    embeds, minifies = (phase in settings.phases for phase in ("embedding", "minified"))
    if has_key:
        key = "DUCKDB_DATA_KEY" if given("duckdb_data_key") else "DUCKDB_MINIFIED_KEY"
        yield from lacking(f"uploading ({key} is set)", "artifacts_bucket", "aws_region")
    elif given("artifacts_bucket") and not batch and not settings.publish_layer:
        yield (
            "uploading (ARTIFACTS_BUCKET is set) needs at least one key: "
            "DUCKDB_DATA_KEY for the full database, DUCKDB_MINIFIED_KEY for the minified"
        )
        yield from lacking("uploading (ARTIFACTS_BUCKET is set)", "aws_region")
    if embeds and settings.provider == "bedrock":
        yield from lacking("embedding with Bedrock", "aws_region", "bedrock_role_arn")
        directions = [] if given("artifacts_bucket") else ["input", "output"]
        for name in [f"bedrock_{direction}_bucket" for direction in directions]:
            if not given(name):
                yield (
                    f"embedding with Bedrock needs {name.upper()} or ARTIFACTS_BUCKET, "
                    "and neither is set"
                )
    if minifies and settings.publish_layer:
        yield from lacking(
            "publishing (PUBLISH_LAYER is true)",
            "layer_arn",
            "artifacts_bucket",
            "aws_region",
            "duckdb_minified_key",
        )


def _bad_keys(settings: Settings) -> Iterator[str]:
    given = {
        name.upper(): template
        for name in ("duckdb_data_key", "duckdb_minified_key")
        if (template := getattr(settings, name)) is not None
    }
    for name, template in given.items():
        if problem := _template_problem(template):
            yield f"{name}: {template!r} {problem}"
    if len(given) > 1 and len({PLACEHOLDER.sub(LATEST, one) for one in given.values()}) == 1:
        yield "DUCKDB_DATA_KEY and DUCKDB_MINIFIED_KEY name the same object"


def _pointless_alias(settings: Settings) -> Iterator[str]:
    templates = [settings.duckdb_data_key or "", settings.duckdb_minified_key or ""]
    if settings.artifact_latest_alias and not any(map(PLACEHOLDER.search, templates)):
        yield (
            "ARTIFACT_LATEST_ALIAS is true, but neither DUCKDB_DATA_KEY nor DUCKDB_MINIFIED_KEY "
            "holds {date}, {timestamp} or {revision}, so there is nothing to alias"
        )


def _bad_layer(settings: Settings) -> Iterator[str]:
    match = _LAYER_ARN.fullmatch(settings.layer_arn or "")
    if match is None:
        return
    if match["version"]:
        yield (
            f"LAYER_ARN: {settings.layer_arn!r} is one version of a layer; each publication makes "
            f"a new version, so give the layer itself: {match['layer']}"
        )
    if settings.aws_region is not None and match["region"] != settings.aws_region:
        yield (
            f"LAYER_ARN lies in {match['region']}, but AWS_REGION is {settings.aws_region}; "
            "a layer is published from a bucket of its own region"
        )


def _is_or_are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _template_problem(template: str) -> str | None:
    """What is wrong with a key template, as the end of a sentence, or None."""
    unknown = sorted(set(PLACEHOLDER.findall(template)) - set(PLACEHOLDERS))
    if unknown:
        given = ", ".join(f"{{{name}}}" for name in unknown)
        accepted = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"holds {given}; the placeholders are {accepted}"
    rest = PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        return "holds a brace that is no part of a placeholder"
    if template.startswith("/") or template.endswith("/") or not template.isprintable():
        return "is no usable key: it starts or ends with /, or holds control characters"
    if len(PLACEHOLDER.sub(_LONGEST_VALUE, template).encode()) > MAX_KEY_BYTES:
        return f"may become longer than the {MAX_KEY_BYTES} bytes that S3 allows"
    return None
