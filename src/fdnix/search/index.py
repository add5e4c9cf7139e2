"""Search over the minified database: a thin skin over the SQL macros that the file holds."""

from __future__ import annotations

import threading
import time
from array import array
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from fdnix.database.connection import MAIN, connect, count, read_sql
from fdnix.database.file_info import read_file_info
from fdnix.errors import FdnixError, SettingsError
from fdnix.progress import log
from fdnix.search.filters import FILTERS
from fdnix.search.query_vector import query_vector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

MAX_LIMIT = 1000
"""The most hits one search returns; `offset` reaches the others."""

MAX_TEXT = 1000
"""The characters of a query that are read; what comes after them is ignored."""


@dataclass(frozen=True)
class Filters:
    """What a hit must be; None and False ask nothing. A query's own filters join in.

    `license` is a part of the licence expression, `maintainer` a maintainer's or team's name or
    GitHub account, `attribute_set` a whole set such as `python313Packages`, `platform` a system
    such as `x86_64-linux`.
    """

    platform: str | None = None
    attribute_set: str | None = None
    license: str | None = None
    maintainer: str | None = None
    free_only: bool = False
    hide_broken: bool = False
    hide_insecure: bool = False
    hide_unavailable: bool = False
    top_level: bool = False


@dataclass(frozen=True)
class Parts:
    """What a score is made of; each but the prior lies between 0 and 1.

    `vector_similarity` is the cosine of query and package, `coverage` the share of the query's
    words that the package's texts hold, `tfidf_cosine` that of query and name and description,
    `name_fit` how well the whole query fits a name, `prior` how likely anyone means this package.
    """

    vector_similarity: float
    coverage: float
    tfidf_cosine: float
    name_fit: float
    prior: float


@dataclass(frozen=True)
class Hit:
    """One entry found: the columns of its best variant, and all its variants' attribute paths."""

    package_id: str
    attribute_set: str | None
    pname: str
    version: str | None
    description: str | None
    homepage: str | None
    license: str | None
    maintainers: str | None
    main_program: str | None
    platforms: list[str]
    available: bool
    broken: bool
    insecure: bool
    unfree: bool
    unsupported: bool
    variants: list[str]
    score: float
    why: str
    parts: Parts


@dataclass(frozen=True)
class SearchResults:
    """Hits, best first; `total` counts all there are, `timings` are in seconds.

    `notice` says what went less well than it might: that there was no query vector, and why.
    """

    hits: list[Hit]
    total: int
    timings: dict[str, float] = field(default_factory=dict)
    notice: str | None = None


class QueryEmbedder(Protocol):
    """A model that embeds queries: an `Embedder`, of which only this is needed."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Any:
        """Vectors for `texts`, one a row; None in place of a row for a text without any."""
        ...


_NO_FILTERS = Filters()
_FILTER_MARKS = frozenset(':"-')
# Shorter texts cannot hold more words or filters than are read.
_SHORT = 36
_MAX_OFFSET = 1 << 62
# Look-ups by so many keys go through an index; DuckDB's own limit is 50.
_KEYS = 1000
_PREPARED = 16
_OTHER_MODEL = "text search only: the file's vectors are of {}, queries would be of {}"
_TOKENS_KEPT = 10_000


class SearchIndex:
    """A minified database, open for searching by any number of threads."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        embedder: QueryEmbedder | None,
        notice: str | None,
        resources: ExitStack,
    ) -> None:
        """Take over an open connection and what closes it; `open` is the way in."""
        self._connection = connection
        self._embedder = embedder
        self._notice = notice
        self._resources = resources
        self._threads = threading.local()

    @classmethod
    def open(
        cls, path: Path, *, embedder: QueryEmbedder | None = None, aws_region: str | None = None
    ) -> Self:
        """The index in the minified database at `path`.

        Args:
            path: a file that the minified phase wrote.
            embedder: what turns queries into vectors; by default the model that the file's
                vectors are of. Where that cannot be had, or is another, search is by text alone
                and every result says so.
            aws_region: where Bedrock is asked, if the file's vectors are Bedrock's.

        Raises:
            DataError: it is not a minified database of this schema version.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(connect(path, read_only=True, extensions=()))
            connection.execute(f"SET dynamic_or_filter_threshold = {_KEYS}")
            meta = read_file_info(connection, path, kind="minified")
            chosen, notice = _embedder(connection, meta, embedder, aws_region)
            return cls(connection, chosen, notice, stack.pop_all())

    def search(
        self, text: str, *, limit: int = 20, offset: int = 0, filters: Filters | None = None
    ) -> SearchResults:
        """The entries that match `text` best, from the `offset`th on.

        `text` is words, and may hold filters (`license:mit maintainer:fabaff
        set:python313Packages platform:x86_64-linux is:free`: docs/filters.md has all), each of them
        negated by a `-` before it, `"quoted phrases"` and `-excluded` words. No text raises; one
        of filters alone lists what passes them, likeliest first. What looks like a filter and is
        none, a value that nothing has, and what is passed over of a text that says too much are
        named in the results' `notice`.

        Raises:
            SettingsError: `limit` is more than MAX_LIMIT.
        """
        if limit > MAX_LIMIT:
            raise SettingsError(
                f"limit: {limit} is not accepted; at most {MAX_LIMIT}, from offset on"
            )
        started = time.perf_counter()
        text = _bindable(text)
        session = self._session()
        filters = filters or _NO_FILTERS
        words = session.words(text, filters)
        vector, notice = self._vector(words)
        embedded = time.perf_counter()
        found = session.run(text, words, vector, filters, limit, min(max(0, offset), _MAX_OFFSET))
        done = time.perf_counter()
        return SearchResults(
            hits=[_hit(row) for row in found.rows],
            total=found.total,
            timings={"vector": embedded - started, "query": done - embedded},
            notice="; ".join([*filter(None, [notice]), *found.complaints]) or None,
        )

    def close(self) -> None:
        """Close the file; no search may run any more."""
        self._resources.close()

    def __enter__(self) -> Self:
        """The index itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = _Session(self._connection.cursor())
        return session

    def _vector(self, words: str) -> tuple[list[float] | None, str | None]:
        if self._embedder is None or not words:
            return None, self._notice
        try:
            vector = self._embedder.embed([words])[0]
        except (FdnixError, ValueError) as error:
            log.debug("no query vector: %s", error)
            return None, f"text search only: no query vector could be had: {error}"
        return (None if vector is None or not any(vector) else list(vector)), None


@dataclass(frozen=True)
class _Found:
    rows: list[dict[str, Any]]
    total: int
    complaints: list[str]


class _Session:
    """One thread's connection, with the search's statements prepared."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._ranking: set[str] = set()
        connection.execute(f"USE {MAIN}")
        connection.execute(
            read_sql("search", "session").format(
                columns=", ".join(
                    f"{row.parameter} {'BOOLEAN' if row.is_flag else 'VARCHAR'}" for row in FILTERS
                ),
                parameters=", ".join(row.parameter for row in FILTERS),
            )
        )

    def words(self, text: str, filters: Filters) -> str:
        """What of `text` is to be matched; keeps it and the filters that stand beside it."""
        plain = len(text) <= _SHORT and text.replace(" ", "").isalnum()
        if plain and filters == _NO_FILTERS:
            return text.strip()
        values = asdict(filters)
        marks = ", ".join("?" * (1 + len(FILTERS)))
        self._connection.execute("DELETE FROM temp.narrowed")
        self._connection.execute(
            f"INSERT INTO temp.narrowed VALUES ({marks})",  # noqa: S608
            [text, *(values[row.field] for row in FILTERS)],
        )
        row = self._connection.execute("EXECUTE words").fetchone()
        return str(row[0]) if row else ""

    def run(
        self,
        text: str,
        words: str,
        vector: list[float] | None,
        filters: Filters,
        limit: int,
        offset: int,
    ) -> _Found:
        """What `fdnix_search` gives for one question, its steps taken one by one.

        Most questions misspell nothing and are narrowed to nothing: these steps are passed over.
        """
        filtered = _may_filter(text) or filters != _NO_FILTERS
        complaints: list[str] = []
        self._ask(words, vector)
        if filtered:
            self._connection.execute("DELETE FROM temp.filters; EXECUTE narrow")
        if ":" in text or len(text) > _SHORT:
            complaints += self._texts("EXECUTE complain")
        unknown, edits = self._connection.execute("EXECUTE understand").fetchone() or ([], None)
        if unknown:
            self._connection.execute("EXECUTE correct")
        if edits is not None:
            self._connection.execute("EXECUTE spell")
        rows = self._rank(max(1, limit), offset, filtered=filtered)
        first = self._rank(1, 0, filtered=filtered) if not rows and offset else rows
        if not first and filtered:
            complaints += self._texts(
                "FROM fdnix_nearest_values((SELECT filters FROM temp.filters))"
            )
        return _Found(rows[: max(0, limit)], first[0]["total"] if first else 0, complaints)

    def _ask(self, words: str, vector: list[float] | None) -> None:
        # As text, which DuckDB reads ten times as fast as a list of Python floats; nine digits are
        # all that a FLOAT has.
        encoded = vector and f"[{','.join(f'{number:.9g}' for number in vector)}]"
        self._connection.execute("DELETE FROM temp.asked; DELETE FROM temp.question")
        self._connection.execute("INSERT INTO temp.asked VALUES (?, ?)", [words, encoded])

    def _texts(self, query: str) -> list[str]:
        return [str(text) for (text,) in self._connection.execute(query).fetchall()]

    def _rank(self, limit: int, offset: int, *, filtered: bool) -> list[dict[str, Any]]:
        filters = "(SELECT filters FROM temp.filters)" if filtered else "NULL"
        # A limit that the planner knows spares sorting all candidates.
        name = f"rank_{'filtered' if filtered else 'all'}_{limit:d}_{offset:d}"
        if name not in self._ranking:
            if len(self._ranking) == _PREPARED:
                self._connection.execute(f"DEALLOCATE {self._ranking.pop()}")
            self._connection.execute(
                f"PREPARE {name} AS FROM fdnix_rank("  # noqa: S608 (names and numbers of ours)
                f"(SELECT question FROM temp.question), {filters}, {limit:d}, {offset:d})"
            )
            self._ranking.add(name)
        result = self._connection.execute(f"EXECUTE {name}")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _may_filter(text: str) -> bool:
    """Whether `text` has a character that every filter, phrase or excluded word has."""
    return not _FILTER_MARKS.isdisjoint(text)


def _hit(row: dict[str, Any]) -> Hit:
    columns = {name: value for name, value in row.items() if name != "total"}
    return Hit(**columns | {"parts": Parts(**row["parts"])})


class _FileModel:
    """The model that the file holds."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, model: str, dimensions: int
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._connection = connection
        self._known: dict[str, tuple[float, Sequence[int]]] = {}
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> list[list[float] | None]:
        """Vectors for `texts`, None for one without a known token."""
        with self._lock:
            return [query_vector(text, self._lookup) for text in texts]

    def _lookup(self, tokens: Iterable[str]) -> dict[str, tuple[float, Sequence[int]]]:
        wanted = set(tokens)
        missing = [token for token in wanted if token not in self._known]
        if missing:
            if len(self._known) + len(missing) > _TOKENS_KEPT:
                self._known.clear()
                missing = list(wanted)
            # A long word has more pieces than can be bound one by one in good time.
            few = len(missing) <= _KEYS
            many = "SELECT unnest(string_split(?, chr(10)))"
            tokens = ", ".join("?" * len(missing)) if few else many
            rows = self._connection.execute(
                f"SELECT token, weight, vector FROM {MAIN}.search_model "  # noqa: S608
                f"WHERE token IN ({tokens})",
                missing if few else ["\n".join(missing)],
            ).fetchall()
            self._known |= {token: (weight, array("b", vector)) for token, weight, vector in rows}
        return {token: self._known[token] for token in wanted if token in self._known}


def _embedder(
    connection: duckdb.DuckDBPyConnection,
    meta: Mapping[str, str],
    given: QueryEmbedder | None,
    aws_region: str | None,
) -> tuple[QueryEmbedder | None, str | None]:
    """What embeds queries for the file that `meta` describes; None, and why, where nothing can."""
    model, dimensions = meta.get("embedding_model"), meta.get("embedding_dimensions")
    if model is None or dimensions is None:
        return None, "text search only: the file has no vectors"
    if given is not None:
        same = (model, dimensions) == (given.model, str(given.dimensions))
        return (given, None) if same else (None, _OTHER_MODEL.format(model, given.model))
    if count(connection, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'search_model'"):
        return _FileModel(connection.cursor(), model=model, dimensions=int(dimensions)), None
    if meta.get("embedding_provider") != "bedrock":
        return None, _OTHER_MODEL.format(model, "another")
    return _bedrock(model, int(dimensions), aws_region)


def _bedrock(
    model: str, dimensions: int, region: str | None
) -> tuple[QueryEmbedder | None, str | None]:
    try:
        from fdnix.embedding.bedrock.on_demand import BedrockEmbedder  # noqa: PLC0415 (is heavy)

        return BedrockEmbedder(model=model, dimensions=dimensions, region=region), None
    except (FdnixError, ModuleNotFoundError) as error:
        return None, f"text search only: no query vector can be had: {error}"


def _bindable(text: str) -> str:
    """`text` without what DuckDB's strings cannot hold; one too long is cut, but stays too long."""
    return text[: MAX_TEXT + 1].encode("utf-8", "replace").decode().replace("\0", " ")
