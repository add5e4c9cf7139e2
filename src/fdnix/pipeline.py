"""PROCESSING_MODE, phase by phase, to one report."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from shutil import disk_usage
from typing import TYPE_CHECKING

import fdnix
from fdnix.artifacts import s3
from fdnix.artifacts.lambda_function import give_layer
from fdnix.artifacts.lambda_layer import Publication, database_room, publish_layer
from fdnix.database.atomic import building, copied, make_directory, run_over
from fdnix.database.connection import connect, count, memory_there_is
from fdnix.database.file_info import (
    SCHEMA_VERSIONS,
    ForeignDatabaseError,
    Kind,
    fingerprint,
    read_file_info,
    read_older_info,
    write_file_info,
)
from fdnix.database.full import write_full
from fdnix.database.hnsw import HnswOptions
from fdnix.database.tree import standing_tree
from fdnix.download import AbsentError
from fdnix.embedding import local
from fdnix.embedding.backend import Provider, at_once
from fdnix.embedding.bedrock.batch import bedrock_provider, finished_hashes
from fdnix.embedding.bedrock.estimate import Estimate, estimate
from fdnix.embedding.phase import EmbedReport, embed_database, texts_to_embed
from fdnix.embedding.text import TEXT_VERSION, content_hash, embedding_text
from fdnix.errors import AwsError, DataError, SourceError
from fdnix.nixpkgs.catalog import Rejected, decode, outline, read_catalog
from fdnix.nixpkgs.plausibility import Extent, plausible
from fdnix.nixpkgs.sources import Fetched, Limits, Unchanged, Work, fetch
from fdnix.nixpkgs.sources.tree import tree_files, tree_place, tree_source, tree_state
from fdnix.nixpkgs.tree import Tree, read_tree
from fdnix.progress import growing, log
from fdnix.search.build import LocalModel
from fdnix.search.fts import FtsOptions
from fdnix.search.minify import MinifiedReport, MinifyOptions, write_minified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fdnix.download import Wanted
    from fdnix.nixpkgs.catalog import Catalog
    from fdnix.nixpkgs.package import Package
    from fdnix.settings import Settings


_BYTES_A_PACKAGE = 5_500
"""Both databases, and a full one that is built beside the one of the phase before, with some to
spare: 470 MB for the 91,873 packages that nixpkgs 26.11 publishes."""

_MEMORY_A_PACKAGE = 10_000
"""Measured: the 91,873 packages that nixpkgs 26.11 publishes are indexed within 1 GB."""

_FULL_CODE = ("nixpkgs", "nixpkgs/tree", "database")
"""The packages whose code makes the full database; TEXT_VERSION stands for the embedding texts."""


@dataclass(frozen=True)
class MetadataReport:
    """What the full database holds after the metadata phase: numbers of rows.

    `tree` is where the nixpkgs tree is from that joins in; None where there was none.
    """

    source: str
    revision: str | None
    tree: str | None
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
    artifacts: dict[Kind, str] = field(default_factory=dict)
    layer: Publication | None = None
    bytes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    """What the phases of one run share."""

    settings: Settings
    began: datetime
    still_held: Callable[[], None]

    def store(self, report: RunReport, kind: Kind, path: Path) -> RunReport:
        """Put the database at `path` into S3, where the settings say so."""
        at = s3.upload_artifact(
            self.settings, kind, path, moment=self.began, still_held=self.still_held
        )
        return (
            report if at is None else replace(report, artifacts={**report.artifacts, kind: str(at)})
        )


def run(settings: Settings) -> RunReport:
    """Run the phases that `settings.phases` names, in order.

    Where the settings name artifacts in S3, a phase begins with the full database from there if
    it is not here, and ends with what it wrote in S3, all under a lock against a second run.

    Raises:
        FdnixError: a phase failed; what earlier phases wrote stands.
    """
    if settings.publish_layer:
        room = database_room(settings)
        if settings.minified_max_bytes is not None:
            room = min(room, settings.minified_max_bytes)
        settings = settings.replace(minified_max_bytes=room)
    report = RunReport()
    began = datetime.now(UTC)
    with run_over(_written(settings)), s3.run_lock(settings) as still_held:
        this = _Run(settings, began, still_held)
        _warn_of_little_room(settings)
        for name, phase in _PHASES:
            if name not in settings.phases:
                continue
            started = time.perf_counter()
            log.info("phase %s", name)
            report = phase(this, report)
            seconds = round(time.perf_counter() - started, 3)
            report = replace(report, seconds={**report.seconds, name: seconds})
    return replace(report, bytes=_sizes(settings))


def _written(settings: Settings) -> set[Path]:
    """The databases that the phases write."""
    paths = {
        "metadata": settings.output_path,
        "embedding": settings.embedding_path,
        "minified": settings.output_minified_path,
    }
    return {paths[phase] for phase in settings.phases}


def _warn_of_little_room(settings: Settings, packages: int = 0) -> None:
    """Say so where less is free than files as large as those that stand, or of `packages`, take."""
    for directory in {path.resolve().parent for path in _written(settings)}:
        standing = [path for path in _written(settings) if path.resolve().parent == directory]
        sizes = [path.stat().st_size for path in standing if path.is_file()]
        needed = max(sum(sizes), 0 if sizes else packages * _BYTES_A_PACKAGE)
        free = disk_usage(directory).free
        if free < needed:
            log.warning(
                "%s: %s bytes are free there, and this run needs about %s: should the disk be "
                "full, it ends, and what is there stays",
                directory,
                f"{free:,}",
                f"{needed:,}",
            )


def _metadata_phase(this: _Run, report: RunReport) -> RunReport:
    report = replace(report, metadata=run_metadata(this.settings))
    return this.store(report, "full", this.settings.output_path)


def _embedding_phase(this: _Run, report: RunReport) -> RunReport:
    _fetch_full(this.settings)
    with s3.batch_lock(this.settings) as still_held:
        provider = _provider(this.settings, still_held)
        report = replace(report, embedding=_embed(this.settings, provider))
        report = this.store(report, "full", this.settings.embedding_path)
        # Only now: the provider may drop what the vectors could be had from again.
        provider.confirm()
    return report


def _minified_phase(this: _Run, report: RunReport) -> RunReport:
    path = this.settings.output_minified_path
    report = this.store(replace(report, minified=run_minified(this.settings)), "minified", path)
    if not this.settings.publish_layer:
        return report
    layer = publish_layer(this.settings, path, still_held=this.still_held)
    if this.settings.layer_function:
        give_layer(this.settings, layer.arn)
    return replace(report, layer=layer)


_PHASES: tuple[tuple[str, Callable[[_Run, RunReport], RunReport]], ...] = (
    ("metadata", _metadata_phase),
    ("embedding", _embedding_phase),
    ("minified", _minified_phase),
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
    if not path.is_file() or s3.is_outdated(settings, path):
        s3.download_previous(settings, path)
    known = {} if settings.force_metadata else _standing_meta(path, settings)
    make_directory(path.parent)
    named = tree_place(settings.nixpkgs_tree, None)
    with (
        ExitStack() as fetching,
        fetch(
            settings.nixpkgs_source,
            channel=settings.nixpkgs_channel,
            nixpkgs_path=settings.nixpkgs_path,
            channel_url=settings.nixpkgs_channel_url,
            workdir=path.parent,
            # Without a tree that is wanted, the catalogue is needed again.
            known_etag=None
            if _lacks_tree(known, settings, "channel", tree_state(named))
            else _known_etag(known, settings),
            limits=_limits(settings),
            progress=fetching.enter_context(growing("bytes of the catalogue")),
        ) as fetched,
    ):
        # The next bar is drawn where this one was.
        fetching.close()
        if isinstance(fetched, Unchanged):
            log.info("the channel %s is unchanged: nothing to index", fetched.channel)
            return _standing_report(known)
        return _index(fetched, known, settings)


_DOES_NOT_EVALUATE = "something of the package, or of its meta, does not evaluate"
_FEW_LEFT_OUT = 10


def _index(fetched: Fetched, known: dict[str, str], settings: Settings) -> MetadataReport:
    catalog = _catalog(fetched, settings)
    same = known.get("catalogue_sha256") == catalog.sha256
    place = tree_place(settings.nixpkgs_tree, fetched.tree)
    state = tree_state(place)
    tree, tree_absent = None, None
    if not same or _lacks_tree(known, settings, fetched.source, state):
        try:
            tree = _tree(catalog, fetched, settings, place)
        except AbsentError as error:
            log.warning("there is no nixpkgs tree: %s", error)
            tree_absent = tree_source(settings.nixpkgs_tree, fetched.source)
    if same and tree is None:
        log.info("the catalogue is unchanged: nothing to index; --force indexes it all the same")
        _note_unchanged(fetched, known, settings, tree_absent)
        return _standing_report(known)
    if tree is None and tree_source(settings.nixpkgs_tree, fetched.source):
        tree, state = _tree_before(settings), None
    left_out = _left_out(fetched)
    expected = len(catalog.entries) + len(left_out)
    if not settings.output_path.is_file():
        _warn_of_little_room(settings, expected)
    _warn_of_little_memory(expected)
    # A few, which are named, say nothing about the others, however few these are.
    excused = len(left_out) + 0.5 if len(left_out) <= _FEW_LEFT_OUT else 0
    counts = write_full(
        settings.output_path,
        chain(_rows(catalog, settings), left_out),
        expected=expected,
        content_hash=_content_hash,
        dimensions=local.DIMENSIONS,
        rejected_limit=settings.rejected_limit + excused / expected,
        tree=tree,
        previous=settings.output_path,
        extension_directory=settings.duckdb_extension_directory,
        meta={
            "source": fetched.source,
            "channel": fetched.channel,
            "channel_url": settings.public_channel_url if fetched.channel else None,
            "nixpkgs_revision": fetched.revision,
            "nix_version": fetched.nix_version,
            "tree_absent": tree_absent,
            "tree_state": state,
            "catalogue_sha256": catalog.sha256,
            "catalogue_etag": fetched.etag,
            "embedding_text_version": TEXT_VERSION,
            "fingerprint": fingerprint(*_FULL_CODE),
        },
    )
    return MetadataReport(
        fetched.source,
        fetched.revision,
        None if tree is None else tree.source,
        counts.packages,
        counts.rejected,
        counts.distinct_texts,
        unchanged=False,
    )


def _catalog(fetched: Fetched, settings: Settings) -> Catalog:
    """The catalogue that was fetched; where it is refused, with what Nix said."""
    try:
        return read_catalog(fetched.path, fetched.root, max_bytes=settings.nixpkgs_max_bytes)
    except DataError as error:
        if fetched.warnings:
            raise DataError(f"{error}\nNix said:\n{fetched.warnings}") from error
        raise


def _left_out(fetched: Fetched) -> list[Rejected]:
    """The packages that Nix could not evaluate, the first of which are named."""
    left_out = [Rejected(path, _DOES_NOT_EVALUATE) for path in fetched.left_out]
    if left_out:
        first = ", ".join(fetched.left_out[:_FEW_LEFT_OUT])
        log.warning("%d left out, since %s: %s", len(left_out), _DOES_NOT_EVALUATE, first)
    return left_out


def _warn_of_little_memory(packages: int) -> None:
    if (memory := memory_there_is()) < (needed := packages * _MEMORY_A_PACKAGE):
        log.warning(
            "there are %s bytes of memory, and this catalogue needs about %s: the system may end "
            "this run without a word",
            f"{memory:,}",
            f"{needed:,}",
        )


def _limits(settings: Settings) -> Limits:
    return Limits(total=settings.nixpkgs_timeout, most_bytes=settings.nixpkgs_max_bytes)


def _lacks_tree(known: dict[str, str], settings: Settings, source: str, state: str | None) -> bool:
    """Whether the standing database was made without the tree that is wanted, or with an older.

    Where its release has none it lacks nothing. `state` is that of a tree on this machine.
    """
    wanted = tree_source(settings.nixpkgs_tree, source)
    if wanted is None or known.get("tree_absent") == wanted:
        return False
    if known.get("tree_source") != wanted:
        return True
    if state is not None:
        return known.get("tree_state") != state
    return len({known.get("tree_revision"), known.get("nixpkgs_revision")} - {None}) > 1


def _tree(
    catalog: Catalog, fetched: Fetched, settings: Settings, place: Path | Wanted | None
) -> Tree | None:
    """What the nixpkgs tree says that the settings ask for; None where it cannot be had now.

    Raises:
        AbsentError: the release of the catalogue has none.
        DataError: NIXPKGS_TREE names something that is no nixpkgs, or damaged.
    """
    source = tree_source(settings.nixpkgs_tree, fetched.source)
    if source is None or place is None:
        return None
    packages = outline(catalog)
    left_out: list[str] = []

    def skip(path: str, reason: str) -> None:
        left_out.append(f"{path}: {reason}")

    try:
        with growing("bytes of the nixpkgs tree") as report:
            work = Work(settings.output_path.parent, _limits(settings), report)
            with tree_files(place, work, skip) as files:
                tree = read_tree(
                    files,
                    packages.positions,
                    source=source,
                    system=packages.system,
                    revision=None if source == "path" else fetched.revision,
                    skip=skip,
                )
    except AbsentError:
        raise
    except (SourceError, DataError) as error:
        if source == "path":
            raise
        log.warning("the nixpkgs tree could not be had: %s", error)
        return None
    if left_out:
        log.warning("of the nixpkgs tree is left out: %s", "; ".join(left_out[:_FEW_LEFT_OUT]))
    return tree


def _tree_before(settings: Settings) -> Tree | None:
    """What a tree said to the full database that stands, if it was made with one."""
    path = settings.output_path
    if not path.is_file():
        return None
    try:
        tree = standing_tree(path, extension_directory=settings.duckdb_extension_directory)
    except DataError:
        return None
    if tree is not None:
        log.warning("what the tree of revision %s said is used again", tree.revision or "unknown")
    return tree


def _rows(catalog: Catalog, settings: Settings) -> Iterator[Package | Rejected]:
    """The catalogue's rows, held against the standing database unless FORCE_METADATA is set."""
    if settings.force_metadata:
        return decode(catalog)
    return plausible(
        decode(catalog), standing=_standing_extent(settings), lost_limit=settings.lost_limit
    )


def _standing_extent(settings: Settings) -> Extent | None:
    """How much the full database at OUTPUT_PATH says; None where it cannot be read."""
    path = settings.output_path
    if not path.is_file():
        return None
    try:
        with connect(
            path, read_only=True, extension_directory=settings.duckdb_extension_directory
        ) as connection:
            read_older_info(connection, path)
            return Extent(
                count(connection, "SELECT count(*) FROM packages"),
                count(connection, "SELECT count(description) FROM packages"),
            )
    except DataError as error:
        log.warning("%s; the catalogue is not held against it", error)
        return None


def _embed(settings: Settings, provider: Provider) -> EmbedReport:
    return embed_database(
        settings.embedding_path,
        provider,
        hnsw=hnsw_options(settings),
        rebuild=settings.force_rebuild_embeddings,
        replace=settings.replace_embeddings,
        unembedded_limit=settings.unembedded_limit,
        extension_directory=settings.duckdb_extension_directory,
    )


def estimate_embedding(settings: Settings) -> Estimate:
    """What the embedding phase would send to its provider, which is not asked.

    Texts whose vectors some run left in S3 are not sent; where S3 cannot be read they are counted.

    Raises:
        FdnixError: there is no full database, or it was refused.
    """
    _fetch_full(settings)
    provider = _provider(settings)
    texts = texts_to_embed(
        settings.embedding_path,
        provider,
        rebuild=settings.force_rebuild_embeddings,
        extension_directory=settings.duckdb_extension_directory,
    )
    shared = _shared_vectors(settings)
    return estimate(
        (text.text for text in texts if text.content_hash not in shared),
        provider=provider.name,
        model=provider.model,
        batch_size=settings.bedrock_batch_size,
    )


def _shared_vectors(settings: Settings) -> set[str]:
    """The content hashes whose vectors the embedding phase would take from S3."""
    if settings.provider == "local" or settings.force_rebuild_embeddings:
        return set()
    try:
        return finished_hashes(settings)
    except AwsError as error:
        log.warning("vectors that runs left in S3 are not taken into account: %s", error)
        return set()


def run_minified(settings: Settings) -> MinifiedReport:
    """Derive the minified database from the full one.

    Raises:
        FdnixError: the result is too large or does not verify; the old database stands.
    """
    _fetch_full(settings)
    if not settings.output_minified_path.is_file():
        s3.download_derived(settings, settings.embedding_path, settings.output_minified_path)
    return write_minified(
        settings.embedding_path,
        settings.output_minified_path,
        minify_options(settings),
        model=LocalModel(local.LocalEmbedder.model, local.model_table),
    )


def hnsw_options(settings: Settings) -> HnswOptions:
    """How the settings have the vectors indexed."""
    return HnswOptions(settings.vss_hnsw_m, settings.vss_ef_construction, settings.vss_ef_search)


def minify_options(settings: Settings) -> MinifyOptions:
    """How the settings have the minified database made."""
    return MinifyOptions(
        max_bytes=settings.minified_max_bytes,
        hnsw=hnsw_options(settings),
        fts=FtsOptions(settings.fts_index_name, settings.fts_stemmer, settings.fts_stopwords),
        popularity=settings.popularity_file,
        extension_directory=settings.duckdb_extension_directory,
    )


def _fetch_full(settings: Settings) -> None:
    """Have the full database from S3, if the settings say where, and none as new is here."""
    path = settings.embedding_path
    if settings.duckdb_data_key and (not path.is_file() or s3.is_outdated(settings, path)):
        s3.download_full(settings, path)


def _provider(settings: Settings, still_held: Callable[[], None] = lambda: None) -> Provider:
    if settings.provider == "local":
        return at_once(local.LocalEmbedder())
    return bedrock_provider(settings, still_held)


def _content_hash(package: Package) -> str:
    return content_hash(
        embedding_text(
            package.package_id,
            package.pname,
            package.version,
            package.main_program,
            package.description,
            package.long_description,
            package.kinds,
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
            meta = read_older_info(connection, path)
            made_here = {
                "schema_version": str(SCHEMA_VERSIONS["full"]),
                "fdnix_version": fdnix.__version__,
                "fingerprint": fingerprint(*_FULL_CODE),
                "embedding_text_version": str(TEXT_VERSION),
            }
            if made_here.items() <= meta.items():
                return read_file_info(connection, path, kind="full")
    except ForeignDatabaseError:
        raise
    except DataError as error:
        log.warning("%s; the catalogue is indexed anew", error)
    return {}


def _known_etag(known: dict[str, str], settings: Settings) -> str | None:
    from_here = (known.get("channel"), known.get("channel_url")) == (
        settings.nixpkgs_channel,
        settings.public_channel_url,
    )
    return known.get("catalogue_etag") if from_here else None


def _note_unchanged(
    fetched: Fetched, known: dict[str, str], settings: Settings, tree_absent: str | None
) -> None:
    """Have the next run know what is new of the same catalogue: its ETag, that it has no tree."""
    told = {} if tree_absent is None else {"tree_absent": tree_absent}
    if fetched.etag is not None and fetched.channel is not None:
        told |= {
            "channel": fetched.channel,
            "channel_url": settings.public_channel_url,
            "catalogue_etag": fetched.etag,
        }
    if told.items() <= known.items():
        return
    path = settings.output_path
    with (
        building(path) as part,
        copied(path, part, extension_directory=settings.duckdb_extension_directory) as connection,
    ):
        write_file_info(connection, told)


def _standing_report(meta: dict[str, str]) -> MetadataReport:
    return MetadataReport(
        meta["source"],
        meta.get("nixpkgs_revision"),
        meta.get("tree_source"),
        int(meta["package_count"]),
        int(meta["rejected_count"]),
        int(meta["distinct_text_count"]),
        unchanged=True,
    )
