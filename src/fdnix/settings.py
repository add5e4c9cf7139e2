"""The environment, read once, as one frozen and typed `Settings`.

Every field is one environment variable: the field's name in capitals. `load_settings` is a pure
function of the mapping it is given, which is why this is pydantic and not pydantic-settings. The
description of a field says what is accepted; error messages and the documentation are made of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from fdnix.errors import SettingsError
from fdnix.settings_checks import contradictions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

ProcessingMode = Literal["metadata", "embedding", "minified", "both", "full"]
EmbeddingProvider = Literal["auto", "local", "bedrock"]
SOURCE_WORDS = ("auto", "nixpkgs", "nix-env", "channel", "sample")

# The Snowball stemmers that DuckDB's fts extension carries.
STEMMERS = [
    "arabic",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "porter",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
]

LAMBDA_UNZIPPED_LIMIT = 262_144_000
"""Bytes that a Lambda function's code and layers may unzip to (AWS Lambda quotas: 250 MiB)."""

_LONGEST_WAIT = 366 * 86_400

_EMPTY_MEANS_NONE = frozenset({"fts_stemmer", "fts_stopwords"})
_REMOVED = {"DUCKDB_KEY": "use DUCKDB_DATA_KEY (full database) and DUCKDB_MINIFIED_KEY (minified)"}


def _stemmer(value: str) -> str:
    word = value.strip().lower() or "none"
    if word != "none" and word not in STEMMERS:
        raise ValueError
    return word


def _stopwords(value: str) -> str:
    word = value.strip().lower() or "none"
    if word not in {"english", "none"}:
        raise ValueError
    return word


def _source(value: str) -> str:
    path = Path(value)
    if value in SOURCE_WORDS or value == "-" or (path.exists() and not path.is_dir()):
        return value
    raise ValueError


def _tree(value: str) -> str:
    if value in {"auto", "none"} or Path(value).exists():
        return value
    raise ValueError


def _not_of_fdnix(value: str) -> str:
    # DuckDB's names have no case; all macros of the ranking begin so.
    if value.lower().startswith("fdnix_"):
        raise ValueError
    return value


Identifier = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"), AfterValidator(_not_of_fdnix)
]
# Amazon S3 user guide, "General purpose buckets naming rules".
Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Settings(BaseModel):
    """What a run is told. Built by `load_settings`; never changed, never read past this module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processing_mode: ProcessingMode = Field(
        "both", description="metadata, embedding, minified, both or full (the same as both)"
    )
    output_path: Path = Field(
        Path("/out/fdnix-data.duckdb"), description="the path of the full database"
    )
    output_minified_path: Path = Field(
        Path("/out/fdnix.duckdb"), description="the path of the minified database"
    )
    duckdb_path: Path | None = Field(
        None,
        description="the full database that the embedding and minified phases work on, where it "
        "is not OUTPUT_PATH; for a run without the metadata phase",
    )

    nixpkgs_source: Annotated[str, AfterValidator(_source)] = Field(
        "auto",
        description="auto, nixpkgs (what it publishes, evaluated), nix-env (what that lists in it),"
        " channel, sample, the path of a catalogue file that exists, or - for standard input",
    )
    nixpkgs_channel: str = Field(
        "nixpkgs-unstable",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="a channel's name, such as nixpkgs-unstable or nixos-26.05",
    )
    nixpkgs_channel_url: str = Field(
        "https://channels.nixos.org",
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="an http or https URL under which channels lie",
    )
    nixpkgs_path: str = Field(
        "<nixpkgs>",
        min_length=1,
        description="what Nix evaluates: a path, <nixpkgs> or a URL; "
        "the tarball of NIXPKGS_CHANNEL where Nix finds no <nixpkgs>",
    )
    nixpkgs_tree: Annotated[str, AfterValidator(_tree)] = Field(
        "auto",
        description="auto (the nixpkgs that was evaluated, the tarball of the channel's "
        "release, or what the sample has of one), none, or a nixpkgs that exists: a directory, or "
        "a tarball such as nixexprs.tar.xz",
    )
    nixpkgs_timeout: float = Field(
        3600,
        gt=0,
        le=_LONGEST_WAIT,
        description="seconds that evaluating or downloading may take, above 0, at most a year",
    )
    nixpkgs_max_bytes: int = Field(
        1_000_000_000,
        gt=0,
        le=1 << 40,
        description="a whole number of bytes above 0 that the catalogue, or the tarball of a "
        "nixpkgs tree, may have, unpacked",
    )
    rejected_limit: float = Field(
        0.01, ge=0, le=1, description="the share of entries that may be rejected, from 0 to 1"
    )
    lost_limit: float = Field(
        0.5,
        ge=0,
        le=1,
        description="the share of packages, and of descriptions, that may be gone since the "
        "database that stands was made, from 0 to 1",
    )
    force_metadata: bool = Field(
        default=False,
        description="true or false: index an unchanged catalogue too, and one that is implausible "
        "as a whole",
    )

    embedding_provider: EmbeddingProvider = Field("auto", description="auto, local or bedrock")
    force_rebuild_embeddings: bool = Field(default=False, description="true or false")
    replace_embeddings: bool = Field(
        default=False,
        description="true or false: let vectors of another provider, model or dimension replace "
        "those that stand",
    )
    unembedded_limit: float = Field(
        0.05,
        ge=0,
        le=1,
        description="the share of texts that may be left without a vector, from 0 to 1",
    )

    vss_hnsw_m: int = Field(16, ge=2, le=512, description="a whole number from 2 to 512")
    vss_ef_construction: int = Field(
        80, ge=1, le=10_000, description="a whole number from 1 to 10000"
    )
    vss_ef_search: int = Field(200, ge=1, le=10_000, description="a whole number from 1 to 10000")

    fts_stopwords: Annotated[str, AfterValidator(_stopwords)] = Field(
        "english", description="english, or none or empty for no stopwords"
    )
    fts_stemmer: Annotated[str, AfterValidator(_stemmer)] = Field(
        "english",
        description=f"one of {', '.join(STEMMERS)}, or none or empty for no stemming",
    )
    fts_index_name: Identifier = Field(
        "packages_fts_idx",
        description="a name of letters, digits and underscores that does not start with a digit or "
        "with fdnix_",
    )
    minified_max_bytes: int | None = Field(
        None,
        gt=0,
        description="a whole number of bytes above 0 that the minified database may take; unset "
        "means as many as it needs, or in a layer as many as there is room for",
    )
    popularity_file: Path | None = Field(
        None, description="the path of a JSON file: attribute path to number"
    )
    duckdb_extension_directory: Path | None = Field(
        None, description="a directory that holds fts.duckdb_extension and vss.duckdb_extension"
    )

    aws_region: str | None = Field(
        None,
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$",
        description="an AWS region, such as eu-central-1",
    )
    artifacts_bucket: Bucket | None = Field(None, description="the name of an S3 bucket")
    duckdb_data_key: str | None = Field(None, description="the S3 key of the full database")
    duckdb_minified_key: str | None = Field(None, description="the S3 key of the minified database")
    artifact_latest_alias: bool = Field(default=False, description="true or false")
    artifact_lock_seconds: int = Field(
        300,
        ge=3,
        le=86_400,
        description="whole seconds from 3 to 86400 after which a dead run's lock is taken over",
    )
    bedrock_role_arn: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$",
        description="the ARN of the role that Bedrock assumes for batch inference, "
        "such as arn:aws:iam::123456789012:role/fdnix-bedrock-batch",
    )
    bedrock_input_bucket: Bucket | None = Field(
        None, description="the name of an S3 bucket; unset means ARTIFACTS_BUCKET"
    )
    bedrock_output_bucket: Bucket | None = Field(
        None, description="the name of an S3 bucket; unset means ARTIFACTS_BUCKET"
    )
    bedrock_model_id: str = Field("amazon.titan-embed-text-v2:0", description="a Bedrock model id")
    bedrock_output_dimensions: Literal[256, 512, 1024] = Field(256, description="256, 512 or 1024")
    bedrock_batch_size: int = Field(
        50_000, ge=100, le=50_000, description="a whole number of records from 100 to 50000"
    )
    bedrock_max_concurrent_jobs: int = Field(
        5, ge=1, le=100, description="a whole number from 1 to 100"
    )
    bedrock_poll_interval: float = Field(
        60, gt=0, le=_LONGEST_WAIT, description="seconds, above 0, at most a year"
    )
    bedrock_max_wait_time: float = Field(
        7200, ge=0, le=_LONGEST_WAIT, description="seconds, 0 or above, at most a year"
    )
    bedrock_max_records: int | None = Field(
        None, ge=0, description="a whole number of records, 0 or above"
    )
    bedrock_keep_files: bool = Field(default=False, description="true or false")
    publish_layer: bool = Field(default=False, description="true or false")
    layer_arn: str | None = Field(
        None,
        # Lambda's API reference, PublishLayerVersion; the version is for `contradictions` to show.
        pattern=r"^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:layer:[A-Za-z0-9_-]+(:\d+)?"
        r"|[A-Za-z0-9_-]{1,140})$",
        description="an unversioned layer ARN, or a layer's name",
    )
    layer_architecture: Literal["x86_64", "arm64"] | None = Field(
        None,
        description="x86_64 or arm64: what the extensions in the layer are for; "
        "unset means this machine's",
    )
    layer_include_extensions: bool = Field(default=False, description="true or false")
    layer_function_bytes: int = Field(
        67_000_000,
        ge=0,
        description="a whole number of bytes, 0 or above: what the function beside the layer "
        "unzips to, for which room is left",
    )
    layer_function: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="the name of the function that takes each new layer version",
    )
    layer_keep_versions: int | None = Field(
        None, ge=1, description="a whole number of versions, 1 or above"
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: dict[str, Any]) -> dict[str, Any]:
        # A container's environment file sets what it does not mean to set to the empty string.
        return {k: v for k, v in data.items() if v != "" or k in _EMPTY_MEANS_NONE}

    @field_validator("bedrock_output_dimensions", mode="before")
    @classmethod
    def _whole_number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdigit() else value

    @property
    def provider(self) -> Literal["local", "bedrock"]:
        """The embedding provider, with `auto` resolved."""
        if self.embedding_provider == "auto":
            return "bedrock" if self.bedrock_role_arn else "local"
        return self.embedding_provider

    @property
    def public_channel_url(self) -> str:
        """NIXPKGS_CHANNEL_URL without the user and password that may stand in it."""
        scheme, _, rest = self.nixpkgs_channel_url.partition("://")
        authority, slash, path = rest.partition("/")
        return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"

    @property
    def embedding_path(self) -> Path:
        """The database file that the embedding phase works on."""
        return self.duckdb_path or self.output_path

    @property
    def phases(self) -> tuple[Literal["metadata", "embedding", "minified"], ...]:
        """The phases that PROCESSING_MODE asks for, in order."""
        if self.processing_mode in {"both", "full"}:
            return ("metadata", "embedding", "minified")
        return (self.processing_mode,)  # type: ignore[return-value]

    def replace(self, **changes: object) -> Self:
        """The same settings with some fields changed; the changes are validated."""
        return type(self).model_validate({**self.model_dump(), **changes})


def load_settings(environ: Mapping[str, str], **overrides: object) -> Settings:
    """The settings of `environ`, with `overrides` (by field name, None for none) put over them.

    Raises:
        SettingsError: naming every variable that is wrong, what was given and what is accepted.
    """
    given: dict[str, object] = {
        name: environ[name.upper()] for name in Settings.model_fields if name.upper() in environ
    }
    given |= {name: value for name, value in overrides.items() if value is not None}
    problems = [f"{name} was removed: {use}" for name, use in _REMOVED.items() if name in environ]
    refused: dict[str, ErrorDetails] = {}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        refused = {str(detail["loc"][0]): detail for detail in error.errors()}
        problems += [_problem(detail) for detail in refused.values()]
        # The rest is still held together, so that one look at the message mends everything.
        settings = Settings.model_validate(
            {name: value for name, value in given.items() if name not in refused}
        )
    problems += contradictions(settings, refused)
    problems += _one_path_for_two_files(settings)
    problems += _two_paths_for_one_file(settings)
    if problems:
        raise SettingsError("\n  ".join(["the settings cannot be used:", *problems]))
    return settings


def _one_path_for_two_files(settings: Settings) -> list[str]:
    """What is wrong where one database would take the place of the other."""
    minified = settings.output_minified_path
    full = {"OUTPUT_PATH": settings.output_path, "DUCKDB_PATH": settings.duckdb_path}
    return [
        f"OUTPUT_MINIFIED_PATH: {str(minified)!r} is {name} too; expected another path"
        for name, path in full.items()
        if path is not None and path.resolve() == minified.resolve()
    ]


def _two_paths_for_one_file(settings: Settings) -> list[str]:
    """What is wrong where one run would write a full database and go on with another."""
    written, read = settings.output_path, settings.embedding_path
    if len(settings.phases) == 1 or written.resolve() == read.resolve():
        return []
    problem = (
        f"DUCKDB_PATH: {str(read)!r} is not OUTPUT_PATH, {str(written)!r}, which this run writes "
        "and would then pass over; unset DUCKDB_PATH, or run one phase alone (PROCESSING_MODE)"
    )
    return [problem]


def _problem(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0])
    field: FieldInfo = Settings.model_fields[name]
    given = repr(detail["input"])
    # What may hold a password is not shown, also where it is no address that can be used.
    if "://" in given and not {"@", "?"}.isdisjoint(given):
        given = "the address"
    return f"{name.upper()}: {given} is not accepted; expected {field.description}"
