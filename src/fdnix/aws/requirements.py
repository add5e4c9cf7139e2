"""What the AWS settings need of one another, checked before any work starts.

Pure functions of the settings: nothing here imports boto3 or reaches AWS.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fdnix.aws import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fdnix.settings import Settings

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
        if problem := keys.template_problem(template):
            yield f"{name}: {template!r} {problem}"
    if len(given) > 1 and len({keys.alias_key(template) for template in given.values()}) == 1:
        yield "DUCKDB_DATA_KEY and DUCKDB_MINIFIED_KEY name the same object"


def _pointless_alias(settings: Settings) -> Iterator[str]:
    templates = [settings.duckdb_data_key or "", settings.duckdb_minified_key or ""]
    if settings.artifact_latest_alias and not any(map(keys.has_placeholders, templates)):
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
