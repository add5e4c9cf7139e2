"""PROCESSING_MODE, phase by phase, to one report."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import fdnix
from fdnix.aws import artifacts
from fdnix.aws.batch_estimate import Estimate, estimate
from fdnix.aws.bedrock_batch import bedrock_provider
from fdnix.aws.layer import Publication, database_room, publish_layer
from fdnix.console import log, progress
from fdnix.database.connection import building, connect, copied, make_directory
from fdnix.database.full import write_full
from fdnix.database.meta import ForeignDatabaseError, read_meta, write_meta
from fdnix.database.minified import MinifiedReport, write_minified
from fdnix.embedding import local
from fdnix.embedding.store import EmbedReport, Provider, at_once, embed_database, texts_to_embed
from fdnix.embedding.text import TEXT_VERSION, content_hash, embedding_text
from fdnix.errors import DataError
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.sources import Fetched, Limits, Unchanged, fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fdnix.nixpkgs.package import Package
    from fdnix.settings import Settings


@dataclass(frozen=True)
class MetadataReport:
    """What the full database holds after the metadata phase: numbers of rows."""

    source: str
    revision: str | None
    packages: int
    rejected: int
    distinct_texts: int
    unchanged: bool


@dataclass(frozen=True)
class RunReport:
    """What a run did; None for what it was not asked for.

    Attributes:
        metadata: of the metadata phase.
        embedding: of the embedding phase.
        minified: of the minified phase.
        artifacts: where in S3 each database was put, by kind.
        layer: the Lambda layer version that holds the minified database.
        bytes: the sizes of the files there are now, `full` and `minified`.
        seconds: by phase, transfers included.
    """

    metadata: MetadataReport | None = None
    embedding: EmbedReport | None = None
    minified: MinifiedReport | None = None
    artifacts: dict[artifacts.Kind, str] = field(default_factory=dict)
    layer: Publication | None = None
    bytes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def run(settings: Settings) -> RunReport:
    """Run the phases that `settings.phases` names, in order.

    Where the settings name artifacts in S3, a phase begins with the full database from there if
    it is not here, and ends with what it wrote in S3, all under a lock against a second run.

    Raises:
        FdnixError: a phase failed; what earlier phases wrote stands.
    """
    if settings.publish_layer:
        room = min(settings.minified_max_bytes, database_room(settings))
        settings = settings.replace(minified_max_bytes=room)
    began = datetime.now(UTC)
    seconds: dict[str, float] = {}
    reports: dict[str, object] = {}
    uploaded: dict[artifacts.Kind, str] = {}
    with artifacts.run_lock(settings) as still_held:

        def store(kind: artifacts.Kind, path: Path) -> None:
            at = artifacts.upload_artifact(
                settings, kind, path, moment=began, still_held=still_held
            )
            if at is not None:
                uploaded[kind] = str(at)

        for phase in settings.phases:
            started = time.perf_counter()
            log.info("phase %s", phase)
            if phase == "metadata":
                reports[phase] = run_metadata(settings)
                store("full", settings.output_path)
            elif phase == "embedding":
                store_full = partial(store, "full", settings.embedding_path)
                reports[phase] = run_embedding(settings, store=store_full)
            else:
                reports[phase] = run_minified(settings)
                store("minified", settings.output_minified_path)
                if settings.publish_layer:
                    reports["layer"] = publish_layer(
                        settings, settings.output_minified_path, still_held=still_held
                    )
            seconds[phase] = round(time.perf_counter() - started, 3)
    return RunReport(
        artifacts=uploaded,
        bytes=_sizes(settings),
        seconds=seconds,
        **reports,  # type: ignore[arg-type]
    )


def _sizes(settings: Settings) -> dict[str, int]:
    files = {"full": settings.embedding_path, "minified": settings.output_minified_path}
    return {name: path.stat().st_size for name, path in files.items() if path.is_file()}


def run_metadata(settings: Settings) -> MetadataReport:
    """Fetch, decode and normalise the catalogue, and write the full database.

    A catalogue that the standing full database was made from already is not indexed again, unless
    FORCE_METADATA says so.

    Raises:
        FdnixError: the source failed, the catalogue was refused, or OUTPUT_PATH is not fdnix's
            to replace; the old database stands.
    """
    path = settings.output_path
    if not path.is_file():
        artifacts.download_previous(settings, path)
    known = {} if settings.force_metadata else _standing_meta(path, settings)
    make_directory(path.parent)
    with (
        ExitStack() as fetching,
        fetch(
            settings.nixpkgs_source,
            channel=settings.nixpkgs_channel,
            nixpkgs_path=settings.nixpkgs_path,
            channel_url=settings.nixpkgs_channel_url,
            workdir=path.parent,
            known_etag=_known_etag(known, settings),
            limits=Limits(total=settings.nixpkgs_timeout),
            progress=_increments(fetching.enter_context(progress("bytes of the catalogue"))),
        ) as fetched,
    ):
        # The next bar is drawn where this one was.
        fetching.close()
        if isinstance(fetched, Unchanged):
            log.info("the channel %s is unchanged: nothing to index", fetched.channel)
            return _standing_report(known)
        return _index(fetched, known, settings)


def _index(fetched: Fetched, known: dict[str, str], settings: Settings) -> MetadataReport:
    try:
        catalog = read_catalog(fetched.path)
    except DataError as error:
        if fetched.warnings:
            raise DataError(f"{error}\nnix-env said:\n{fetched.warnings}") from error
        raise
    if known.get("catalogue_sha256") == catalog.sha256:
        log.info("the catalogue is unchanged: nothing to index; --force indexes it all the same")
        _note_etag(fetched, known, settings)
        return _standing_report(known)
    counts = write_full(
        settings.output_path,
        decode(catalog),
        expected=len(catalog.entries),
        content_hash=_content_hash,
        dimensions=local.DIMENSIONS,
        rejected_limit=settings.rejected_limit,
        previous=settings.output_path,
        extension_directory=settings.duckdb_extension_directory,
        meta={
            "source": fetched.source,
            "channel": fetched.channel,
            "channel_url": settings.nixpkgs_channel_url if fetched.channel else None,
            "nixpkgs_revision": fetched.revision,
            "nix_version": fetched.nix_version,
            "catalogue_sha256": catalog.sha256,
            "catalogue_etag": fetched.etag,
            "embedding_text_version": TEXT_VERSION,
        },
    )
    return MetadataReport(
        fetched.source,
        fetched.revision,
        counts.packages,
        counts.rejected,
        counts.distinct_texts,
        unchanged=False,
    )


def run_embedding(settings: Settings, *, store: Callable[[], None] = lambda: None) -> EmbedReport:
    """Give every distinct text of the full database a vector, and index the vectors.

    Args:
        settings: which file, and which provider.
        store: puts the finished file where it outlives this machine. Only then is the provider
            told that the vectors are safe, since it may drop what they could be had from again.

    Raises:
        FdnixError: the provider failed or the file was refused; the old database stands.
    """
    _fetch_full(settings)
    provider = _provider(settings)
    unconfirmed = replace(provider, confirm=lambda: None)
    report = embed_database(settings.embedding_path, unconfirmed, settings)
    store()
    provider.confirm()
    return report


def estimate_embedding(settings: Settings) -> Estimate:
    """What the embedding phase would send to its provider, which is not asked.

    Raises:
        FdnixError: there is no full database, or it was refused.
    """
    _fetch_full(settings)
    provider = _provider(settings)
    texts = texts_to_embed(settings.embedding_path, provider, settings)
    return estimate(
        (text.text for text in texts),
        provider=provider.name,
        model=provider.model,
        batch_size=settings.bedrock_batch_size,
    )


def run_minified(settings: Settings) -> MinifiedReport:
    """Derive the minified database from the full one.

    Raises:
        FdnixError: the result is too large or does not verify; the old database stands.
    """
    _fetch_full(settings)
    if not settings.output_minified_path.is_file():
        artifacts.download_derived(settings, settings.embedding_path, settings.output_minified_path)
    return write_minified(
        settings.embedding_path,
        settings.output_minified_path,
        settings,
        embed_words=local.embed_words,
    )


def _fetch_full(settings: Settings) -> None:
    """Have the full database from S3 if it is not here and the settings say where it lies."""
    if settings.duckdb_data_key and not settings.embedding_path.is_file():
        artifacts.download_full(settings, settings.embedding_path)


def _provider(settings: Settings) -> Provider:
    if settings.provider == "local":
        return at_once(local.LocalEmbedder())
    return bedrock_provider(settings)


def _content_hash(package: Package) -> str:
    return content_hash(
        embedding_text(
            package.package_id,
            package.pname,
            package.version,
            package.main_program,
            package.description,
            package.long_description,
        )
    )


def _standing_meta(path: Path, settings: Settings) -> dict[str, str]:
    """What the full database at `path` says of itself; nothing where another fdnix wrote it."""
    if not path.is_file():
        return {}
    try:
        with connect(
            path, read_only=True, extension_directory=settings.duckdb_extension_directory
        ) as connection:
            meta = read_meta(connection, path, kind="full")
    except ForeignDatabaseError:
        raise
    except DataError as error:
        log.warning("%s; nothing of it is used again", error)
        return {}
    same = meta["fdnix_version"] == fdnix.__version__
    return meta if same and meta["embedding_text_version"] == str(TEXT_VERSION) else {}


def _known_etag(known: dict[str, str], settings: Settings) -> str | None:
    from_here = (known.get("channel"), known.get("channel_url")) == (
        settings.nixpkgs_channel,
        settings.nixpkgs_channel_url,
    )
    return known.get("catalogue_etag") if from_here else None


def _note_etag(fetched: Fetched, known: dict[str, str], settings: Settings) -> None:
    """Have the next run know the ETag that the same catalogue goes by now, and not download it."""
    told = {
        "channel": fetched.channel,
        "channel_url": settings.nixpkgs_channel_url,
        "catalogue_etag": fetched.etag,
    }
    if fetched.etag is None or told.items() <= known.items():
        return
    path = settings.output_path
    with (
        building(path) as part,
        copied(path, part, extension_directory=settings.duckdb_extension_directory) as connection,
    ):
        write_meta(connection, told)


def _standing_report(meta: dict[str, str]) -> MetadataReport:
    return MetadataReport(
        meta["source"],
        meta.get("nixpkgs_revision"),
        int(meta["package_count"]),
        int(meta["rejected_count"]),
        int(meta["distinct_text_count"]),
        unchanged=True,
    )


def _increments(advance: Callable[[int], None]) -> Callable[[int, int | None], None]:
    """A function of how far it got, made of one of how much more."""
    before = 0

    def report(done: int, _total: int | None) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return report
