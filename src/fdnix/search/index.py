"""Search over the minified database: a thin skin over the SQL macros that the file holds."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from fdnix.database.connection import MAIN, connect, read_sql
from fdnix.database.file_info import read_file_info
from fdnix.embedding.bedrock.on_demand import BedrockEmbedder
from fdnix.embedding.bedrock.titan import VectorError
from fdnix.embedding.local import LocalEmbedder
from fdnix.errors import FdnixError
from fdnix.progress import log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from fdnix.embedding.backend import Embedder

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


@dataclass(frozen=True)
class Parts:
    """What a score is made of; each but the prior lies between 0 and 1.

    `meaning` is the cosine of query and package, `coverage` the share of the query's words that
    the package's texts hold, `likeness` the tf-idf cosine of query and name and description,
    `name_fit` how well the whole query fits a name,
    `prior` how likely anyone means this package.
    """

    meaning: float
    coverage: float
    likeness: float
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


_NO_FILTERS = Filters()
_FILTER_PARAMETERS = (
    "only_platform",
    "only_set",
    "only_license",
    "only_maintainer",
    "free_only",
    "hide_broken",
    "hide_insecure",
    "hide_unavailable",
)
"""The search macros' names for the fields of `Filters`, in their order."""
_FILTER_MARKS = frozenset(':"-')


class SearchIndex:
    """A minified database, open for searching by any number of threads."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        embedder: Embedder | None,
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
        cls, path: Path, *, embedder: Embedder | None = None, aws_region: str | None = None
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
            meta = read_file_info(connection, path, kind="minified")
            chosen, notice = _embedder(meta, embedder, aws_region)
            return cls(connection, chosen, notice, stack.pop_all())

    def search(
        self, text: str, *, limit: int = 20, offset: int = 0, filters: Filters | None = None
    ) -> SearchResults:
        """The entries that match `text` best, from the `offset`th on.

        `text` is words, and may hold filters (`license:mit maintainer:fabaff
        set:python313Packages platform:x86_64-linux is:free`, also `is:working`, `is:secure`,
        `is:available`), `"quoted phrases"` and `-excluded` words. No text is an error; one
        without words lists what passes the filters, likeliest first.
        """
        started = time.perf_counter()
        text = _bindable(text)
        session = self._session()
        vector, notice = self._vector(session.words(text))
        embedded = time.perf_counter()
        rows = session.run(text, vector, filters or Filters(), _bounded(limit), max(0, offset))
        done = time.perf_counter()
        return SearchResults(
            hits=[_hit(row) for row in rows],
            total=rows[0][-1] if rows else 0,
            timings={"vector": embedded - started, "query": done - embedded},
            notice=notice,
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
        except (FdnixError, VectorError) as error:
            log.debug("no query vector: %s", error)
            return None, f"text search only: no query vector could be had: {error}"
        return (vector.tolist() if vector.any() else None), None


class _Session:
    """One thread's connection, with the searches prepared: planning them takes longer than they do.

    The question lies in a temporary table that the prepared statements read, so that text and
    vector are bound as parameters and the plan serves every question.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._prepared: set[str] = set()
        connection.execute(f"USE {MAIN}")
        connection.execute(read_sql("search", "session"))

    def words(self, text: str) -> str:
        """What of `text` is to be matched: without its filters and quotation marks."""
        if not _may_filter(text):
            return " ".join(text.split())
        row = self._connection.execute("SELECT fdnix_query_text(?)", [text]).fetchone()
        return str(row[0]) if row else ""

    def run(
        self, text: str, vector: list[float] | None, filters: Filters, limit: int, offset: int
    ) -> list[tuple[Any, ...]]:
        """The rows of the search macro for one question."""
        macro = "fdnix_search_text"
        question: dict[str, object] = {"text": text}
        if vector is not None:
            macro = "fdnix_search"
            # As text, which DuckDB reads ten times as fast as a list of Python floats; nine digits
            # are all that a FLOAT has.
            question["vector"] = f"[{','.join(f'{number:.9g}' for number in vector)}]"
        question |= {"max_hits": limit, "skip_hits": offset}
        if _may_filter(text) or filters != _NO_FILTERS:
            question |= zip(_FILTER_PARAMETERS, astuple(filters), strict=True)
        else:
            macro += "_unfiltered"
        self._ask(question)
        if macro not in self._prepared:
            arguments = ", ".join(map(_argument, question))
            self._connection.execute(
                read_sql("search", "prepare").format(macro=macro, arguments=arguments)
            )
            self._prepared.add(macro)
        return self._connection.execute(f"EXECUTE {macro}").fetchall()

    def _ask(self, question: Mapping[str, object]) -> None:
        columns, values = ", ".join(question), ", ".join("?" * len(question))
        self._connection.execute("DELETE FROM question")
        self._connection.execute(
            f"INSERT INTO question ({columns}) VALUES ({values})",  # noqa: S608 (names of ours)
            list(question.values()),
        )


def _argument(column: str) -> str:
    """What passes a column of the question to a search macro; text and vector go by position."""
    value = f"(SELECT {column} FROM temp.question)"  # noqa: S608
    return value if column in ("text", "vector") else f"{column} := {value}"


def _may_filter(text: str) -> bool:
    """Whether `text` has a character that every filter, phrase or excluded word has."""
    return not _FILTER_MARKS.isdisjoint(text)


def _hit(row: Sequence[Any]) -> Hit:
    return Hit(*[*row[:-2], Parts(**row[-2])])


def _embedder(
    meta: Mapping[str, str], given: Embedder | None, aws_region: str | None
) -> tuple[Embedder | None, str | None]:
    """What embeds queries for the file that `meta` describes; None, and why, where nothing can."""
    model, dimensions = meta.get("embedding_model"), meta.get("embedding_dimensions")
    if model is None or dimensions is None:
        return None, "text search only: the file has no vectors"
    embedder = given
    if embedder is None and meta.get("embedding_provider") == BedrockEmbedder.provider:
        try:
            embedder = BedrockEmbedder(model=model, dimensions=int(dimensions), region=aws_region)
        except FdnixError as error:
            return None, f"text search only: no query vector can be had: {error}"
    embedder = embedder or LocalEmbedder()
    if (model, dimensions) == (embedder.model, str(embedder.dimensions)):
        return embedder, None
    return None, (
        f"text search only: the file's vectors are of {model} ({dimensions} dimensions), "
        f"queries would be of {embedder.model} ({embedder.dimensions})"
    )


def _bindable(text: str) -> str:
    """`text` without what DuckDB's strings cannot hold, cut to what is read of it."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", " ")


def _bounded(limit: int) -> int:
    return min(max(0, limit), MAX_LIMIT)
