"""Search over the minified database: a thin skin over the SQL macros that the file holds."""

from __future__ import annotations

import re
import threading
import time
from array import array
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self

import duckdb

from fdnix.database.connection import (
    MAIN,
    connect,
    literal,
    prefer_own,
    read_sql,
    reading,
)
from fdnix.database.file_info import read_file_info
from fdnix.errors import FdnixError, SettingsError
from fdnix.progress import log
from fdnix.search import package
from fdnix.search.filters import FILTERS
from fdnix.search.macros import create_own_macros
from fdnix.search.query_vector import query_vector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fdnix.search.package import Alias, Package, ProgramOwner, SimilarPackage

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
    `phrase_cosine` that of query and what the package is called elsewhere, `name_fit` how well the
    whole query fits a name, `prior` how likely anyone means this package.
    """

    vector_similarity: float
    coverage: float
    tfidf_cosine: float
    phrase_cosine: float
    name_fit: float
    prior: float


@dataclass(frozen=True)
class Hit:
    """One entry found: the columns of its best variant, and all its variants' attribute paths.

    `popularity`, from 0 to 1, is how likely a public list of software names it, as far as can be
    guessed.
    """

    package_id: str
    attribute_set: str | None
    pname: str
    version: str | None
    description: str | None
    homepage: str | None
    license: str | None
    maintainers: str | None
    main_program: str | None
    programs: list[str]
    platforms: list[str]
    available: bool
    broken: bool
    insecure: bool
    unfree: bool
    unsupported: bool
    popularity: float
    variants: list[str]
    score: float
    why: str
    parts: Parts


@dataclass(frozen=True)
class Facet:
    """How many hits of a search are left when `key:value` is added to it."""

    key: str
    value: str
    entries: int


@dataclass(frozen=True)
class SearchResults:
    """Hits, best first, to be iterated over; `total` counts all there are.

    `timings` are in seconds. `notice` says what went less well than it might: that there was no
    query vector, and why; what of the query is passed over; that the package it names was renamed
    or removed.
    """

    hits: list[Hit]
    total: int
    timings: dict[str, float] = field(default_factory=dict)
    notice: str | None = None

    def __iter__(self) -> Iterator[Hit]:
        """The hits, best first."""
        return iter(self.hits)

    def __len__(self) -> int:
        """How many hits these are, of `total`."""
        return len(self.hits)


@dataclass(frozen=True)
class Suggestion:
    """A package whose name begins with what was typed."""

    package_id: str
    description: str | None


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
# Texts without a filter, a phrase or anything excluded, of which all is matched.
_PLAIN = re.compile(r"(?!.*(?:^| )-)(?!.*pkgs)[\w!$-9;-~ ]*", re.IGNORECASE)
# Each word, and each part of one that is a name, begins a run of these.
_RUNS = re.compile(r"[a-z]+|[0-9]+|\w")
_MOST_RUNS = 32
_NEGATED = re.compile(r"(?:^|\s)-[A-Za-z]+:")
_MAX_OFFSET = 1 << 62
# Look-ups by so many keys go through an index; DuckDB's own limit is 50.
_KEYS = 1000
_PREPARED = 16
_QUESTION = "'temp.question'"
_NARROWED = "(SELECT filters FROM temp.filters)"
_MODEL = "FROM duckdb_tables() WHERE table_name = 'search_model' AND database_name = ?"
_OTHER_MODEL = "text search only: the file's vectors are of {}, queries would be of {}"
_TOKENS_KEPT = 10_000
_AGAIN = 0.01  # seconds between one interruption and the next


class SearchIndex:
    """A minified database, open for searching by any number of threads.

    One object serves them all: a call has a connection of its own to the one open file, which is
    kept for the next. Every method raises SettingsError for an argument
    that it does not accept, which the message names, and once the index is closed.
    """

    def __init__(
        self,
        path: Path,
        info: Mapping[str, str],
        connection: duckdb.DuckDBPyConnection,
        embedder: QueryEmbedder | None,
        notice: str | None,
        resources: ExitStack,
    ) -> None:
        """Take over an open connection and what closes it; `open` is the way in."""
        self.path = path
        self.info = MappingProxyType(dict(info))
        self._open = True
        self._under_way = 0
        self._idle = threading.Condition()
        self._connection = connection
        self._embedder = embedder
        self._notice = notice
        self._resources = resources
        self._threads = threading.local()
        self._free: list[_Session] = []

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        embedder: QueryEmbedder | None = None,
        aws_region: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """The index in the minified database at `path`.

        Args:
            path: a file that the minified phase wrote.
            embedder: what turns queries into vectors; by default the model that the file's
                vectors are of. Where that cannot be had, or is another, search is by text alone
                and every result says so.
            aws_region: where Bedrock is asked, if the file's vectors are Bedrock's.
            threads: how many processors one search uses, by default all. Where many are asked for
                at once, one is best: a third more are answered, each a third slower.

        Raises:
            DataError: it is not a minified database of this schema version.
        """
        if not isinstance(path, str | Path):
            raise SettingsError(f"path: {path!r} is no path")
        path = Path(path)
        with ExitStack() as stack:
            options = {"dynamic_or_filter_threshold": _KEYS}
            if threads is not None:
                options["threads"] = threads
            connection = stack.enter_context(
                connect(path, read_only=True, extensions=(), options=options)
            )
            meta = read_file_info(connection, path, kind="minified")
            create_own_macros(connection, meta)
            chosen, notice = _embedder(connection, meta, embedder, aws_region)
            return cls(path, meta, connection, chosen, notice, stack.pop_all())

    def search(
        self, text: str, *, limit: int = 20, offset: int = 0, filters: Filters | None = None
    ) -> SearchResults:
        """The entries that match `text` best, from the `offset`th on.

        `text` is words, and may hold filters (`license:mit maintainer:fabaff
        set:python313Packages platform:x86_64-linux is:free`: docs/filters.md has all), each of them
        negated by a `-` before it, `"quoted phrases"` and `-excluded` words. No text raises; one
        of filters alone lists what passes them, likeliest first. What looks like a filter and is
        none, a value that nothing has, what is passed over of a text that says too much, and what
        became of a package that was renamed or removed are named in the results' `notice`.

        Raises:
            SettingsError: an argument is not accepted, as a `limit` of more than MAX_LIMIT is not,
                or the index is closed.
        """
        return self._search(text, limit, offset, filters, count=False)[0]

    def search_and_count(
        self, text: str, *, limit: int = 20, offset: int = 0, filters: Filters | None = None
    ) -> tuple[SearchResults, list[Facet]]:
        """What `search` gives, and how many hits each set, licence, platform and flag leaves.

        All hits are counted, not only those that are returned; the most come first.

        Raises:
            SettingsError: as `search` does.
        """
        return self._search(text, limit, offset, filters, count=True)

    def get(self, attribute: str) -> Package | None:
        """All that the file holds of the package at an attribute path such as `ripgrep`.

        None where there is no such package, as of a mapping: `search` finds what is spelt like it.

        Raises:
            SettingsError: `attribute` is no text, or the index is closed.
        """
        path = _accept_text("attribute", attribute)
        revision = self.info.get("nixpkgs_revision")
        with self._session() as session:
            return package.package(session.connection, path, revision)

    def alias(self, name: str) -> Alias | None:
        """What nixpkgs says of a name that is no package, such as one that it had once.

        None where it says nothing, or the file was made without a nixpkgs tree.

        Raises:
            SettingsError: `name` is no text, or the index is closed.
        """
        name = _accept_text("name", name)
        with self._session() as session:
            return package.alias(session.connection, name)

    def similar(self, attribute: str, limit: int = 10) -> list[SimilarPackage]:
        """The packages whose texts mean most nearly what the one's at an attribute path means.

        Most similar first, each entry once, without the package's own; none where the file has no
        vector of it.

        Raises:
            SettingsError: there is no such package, an argument is not accepted, or the index is
                closed.
        """
        path = _accept_text("attribute", attribute)
        _accept_number("limit", limit, most=MAX_LIMIT)
        with self._session() as session:
            found = package.similar(session.connection, path, limit)
        if not found and self.get(path) is None:
            raise SettingsError(f"attribute: there is no package {path} in {self.path}")
        return found

    def which(self, program: str, limit: int = 10) -> list[ProgramOwner]:
        """The packages that have a program such as `rg`, likeliest first, each entry once.

        Raises:
            SettingsError: an argument is not accepted, or the index is closed.
        """
        name = _accept_text("program", program)
        _accept_number("limit", limit, most=MAX_LIMIT)
        with self._session() as session:
            return package.which(session.connection, name, limit)

    def suggest(self, text: str, *, limit: int = 10) -> list[Suggestion]:
        """The packages of which a name begins with `text`, likeliest first.

        Punctuation and capitals are passed over, as in a search: `docker c` begins
        `docker-compose`.

        Raises:
            SettingsError: an argument is not accepted, or the index is closed.
        """
        text = _accept_text("text", text)
        _accept_number("limit", limit, most=MAX_LIMIT)
        with self._session() as session:
            return session.suggest(text, limit)

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """End what this thread asks of the index within the block when so many seconds are over.

        Raises:
            TimeoutError: they are.
            SettingsError: the index is closed.
        """
        over = threading.Event()

        def end(session: _Session) -> None:
            wait = seconds
            # Again and again: there may be no statement under way just now.
            while not over.wait(wait):
                session.connection.interrupt()
                wait = _AGAIN

        with self._session() as session:
            until = time.monotonic() + seconds
            watch = threading.Thread(target=end, args=[session], daemon=True)
            watch.start()
            try:
                yield
            except duckdb.InterruptException as error:
                # DuckDB interrupts itself too, where one of its threads meets damage.
                if time.monotonic() < until:
                    raise
                raise TimeoutError(f"the answer took more than {seconds:g} seconds") from error
            finally:
                over.set()
                # The session may be another thread's next.
                watch.join()

    def close(self) -> None:
        """Close the file, once the calls under way in other threads have ended.

        Raises:
            SettingsError: it is called in an `at_most` block, which has yet to end.
        """
        if getattr(self._threads, "session", None) is not None:
            raise SettingsError("close: not within a block of at_most; close the index after it")
        with self._idle:
            self._open = False
            self._idle.wait_for(lambda: not self._under_way)
        self._free.clear()
        self._resources.close()

    def __enter__(self) -> Self:
        """The index itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """A session that nobody else uses meanwhile; within a block, the block's.

        The file stays open, and the session is kept for whoever asks next.
        """
        with self._idle:
            if not self._open:
                raise SettingsError(f"{self.path}: this index is closed; open it again")
            self._under_way += 1
        try:
            held: _Session | None = getattr(self._threads, "session", None)
            if held is not None:
                yield held
                return
            with reading(self.path):
                try:
                    session = self._free.pop()
                except IndexError:
                    session = _Session(self._connection.cursor())
                self._threads.session = session
                fit = True
                try:
                    yield session
                except BaseException as error:
                    # The caller's own errors are none of the connection's, which may have been
                    # in the midst of something at the others.
                    fit = isinstance(error, Exception) and not isinstance(
                        error, duckdb.Error | TimeoutError
                    )
                    raise
                finally:
                    self._threads.session = None
                    if fit:
                        self._free.append(session)
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def _search(
        self, text: str, limit: int, offset: int, filters: Filters | None, *, count: bool
    ) -> tuple[SearchResults, list[Facet]]:
        text = _accept_text("text", text)
        _accept_number("limit", limit, most=MAX_LIMIT)
        _accept_number("offset", offset)
        filters = _accept_filters(filters)
        started = time.perf_counter()
        with self._session() as session, session.question():
            plain = _is_plain(text, filters)
            words, complaints = (
                (" ".join(text.split()), []) if plain else session.narrow(text, filters)
            )
            vector, notice = self._vector(words)
            embedded = time.perf_counter()
            found = session.run(
                text,
                words,
                vector,
                limit,
                min(offset, _MAX_OFFSET),
                filtered=not plain,
                count=count,
            )
        done = time.perf_counter()
        said = [notice, found.note, *complaints, *found.nearest_values]
        results = SearchResults(
            hits=[_hit(row) for row in found.rows],
            total=found.total,
            timings={"vector": embedded - started, "query": done - embedded},
            notice="; ".join(filter(None, said)) or None,
        )
        return results, found.facets

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
    facets: list[Facet]
    note: str | None
    nearest_values: list[str]


class _Session:
    """A connection with the search's statements prepared, for one thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._prepared: set[str] = set()
        prefer_own(connection)
        connection.execute(
            read_sql("search", "session").format(
                parameters=", ".join(row.parameter for row in FILTERS),
                values=", ".join(
                    f"${number}::{'BOOLEAN' if row.is_flag else 'VARCHAR'} AS {row.parameter}"
                    for number, row in enumerate(FILTERS, start=2)
                ),
                nothing=", ".join("NULL" for _ in FILTERS),
            )
        )

    @contextmanager
    def question(self) -> Iterator[None]:
        """A block for one question, of which the connection keeps nothing.

        It is a transaction that is taken back: DuckDB frees what is deleted from a table, or
        overwritten in it, at a checkpoint, and there is none of temporary tables.
        """
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    def narrow(self, text: str, filters: Filters) -> tuple[str, list[str]]:
        """What of `text` is to be matched, and what is said of the rest; keeps what narrows it."""
        values = asdict(filters)
        row = self._keep("narrow", text, *(values[row.field] for row in FILTERS))
        words, complaints = row or ("", [])
        return str(words), list(complaints)

    def run(
        self,
        text: str,
        words: str,
        vector: list[float] | None,
        limit: int,
        offset: int,
        *,
        filtered: bool,
        count: bool,
    ) -> _Found:
        """What `fdnix_search` gives for one question, its steps taken one by one.

        Most questions misspell nothing and are narrowed to nothing: these steps are passed over.
        """
        note = self._understand(words, vector)
        rank = self._rank_and_count if count else self._rank
        rows = rank(max(1, limit), offset, filtered=filtered)
        first = rank(1, 0, filtered=filtered) if not rows and offset else rows
        asks_nearest = filtered and (not first or _NEGATED.search(text))
        return _Found(
            rows[:limit],
            first[0]["total"] if first else 0,
            [Facet(**facet) for facet in first[0].get("facets") or []] if first else [],
            note if words else None,
            self._nearest_values() if asks_nearest else [],
        )

    def suggest(self, text: str, limit: int) -> list[Suggestion]:
        """What `fdnix_suggest` gives."""
        result = self.connection.execute("FROM fdnix_suggest(?, max_names := ?)", [text, limit])
        return [Suggestion(**row) for row in package.rows(result)]

    def _understand(self, words: str, vector: list[float] | None) -> str | None:
        """Keep what a question means; the note on a package that it names and that is no more."""
        # As text, which DuckDB reads ten times as fast as a list of Python floats; nine digits are
        # all that a FLOAT has.
        encoded = f"[{','.join(f'{number:.9g}' for number in vector)}]" if vector else None
        row = self._keep("understand", words, encoded)
        unknown, edits, note = row or ([], None, None)
        if unknown:
            self.connection.execute("EXECUTE correct")
        if edits is not None:
            self.connection.execute("EXECUTE spell")
        return note and str(note)

    def _keep(self, statement: str, *values: str | bool | None) -> tuple[Any, ...] | None:
        """Execute a statement that keeps what it makes of `values`: the row that it returns.

        Written out as literals: to bind them takes DuckDB thrice as long.
        """
        written = ", ".join(map(_written, values))
        return self.connection.execute(f"EXECUTE {statement}({written})").fetchone()

    def _nearest_values(self) -> list[str]:
        """For values that no package has, what is spelt most like them."""
        found = self.connection.execute(f"FROM fdnix_nearest_values({_NARROWED})").fetchall()
        return [str(sentence) for (sentence,) in found]

    def _rank(self, limit: int, offset: int, *, filtered: bool) -> list[dict[str, Any]]:
        # A limit that the planner knows spares sorting all candidates.
        result = self._execute(
            f"rank_{'filtered' if filtered else 'all'}_{limit:d}_{offset:d}",
            "SELECT * EXCLUDE (entries, passing) FROM fdnix_rank("  # noqa: S608 (names and numbers of ours)
            f"{_QUESTION}, {_NARROWED if filtered else 'NULL'}, {limit:d}, {offset:d})",
        )
        return package.rows(result)

    def _rank_and_count(self, limit: int, offset: int, *, filtered: bool) -> list[dict[str, Any]]:
        """The same, and the facets in the first row."""
        narrowed = _NARROWED if filtered else "NULL"
        passing = "(SELECT any_value(passing) FROM ranked)" if filtered else "NULL"
        result = self._execute(
            f"count_{'filtered' if filtered else 'all'}_{limit:d}_{offset:d}",
            f"WITH ranked AS MATERIALIZED (FROM fdnix_rank({_QUESTION}, {narrowed}, {limit:d}, "  # noqa: S608
            f"{offset:d}, with_ids := true)) SELECT * EXCLUDE (entries, passing), CASE WHEN "
            "row_number() OVER () = 1 THEN (SELECT list(facet) FROM fdnix_facets("
            f"(SELECT any_value(entries) FROM ranked), {passing}) AS facet) END AS facets "
            "FROM ranked",
        )
        return package.rows(result)

    def _execute(self, name: str, query: str) -> duckdb.DuckDBPyConnection:
        """The result of a query that is prepared, under a name, when it is first asked."""
        if name not in self._prepared:
            if len(self._prepared) == _PREPARED:
                self.connection.execute(f"DEALLOCATE {self._prepared.pop()}")
            self.connection.execute(f"PREPARE {name} AS {query}")
            self._prepared.add(name)
        return self.connection.execute(f"EXECUTE {name}")


def _written(value: object) -> str:
    """A text, flag or None as an SQL literal. NULL has its type, or DuckDB would plan anew."""
    if value is None:
        return "NULL::VARCHAR"
    return literal(value) if isinstance(value, str) else str(value)


def _is_plain(text: str, filters: Filters) -> bool:
    """Whether a question is of words alone, and of no more than are read."""
    return (
        filters == _NO_FILTERS
        and len(text) <= MAX_TEXT
        and _PLAIN.fullmatch(text) is not None
        and len(_RUNS.findall(text)) <= _MOST_RUNS
    )


def _hit(row: dict[str, Any]) -> Hit:
    columns = {name: value for name, value in row.items() if name not in {"total", "facets"}}
    return Hit(**columns | {"parts": Parts(**row["parts"])})


class _FileModel:
    """The model that the file holds."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, model: str, dimensions: int
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._connection = connection
        self._known: dict[str, tuple[float, Sequence[int]] | None] = {}
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
            # One parameter, however many: binding each costs more than looking it up.
            rows = self._connection.execute(
                f"SELECT token, weight, vector FROM {MAIN}.search_model "  # noqa: S608
                "WHERE token IN (SELECT unnest(string_split(?, chr(10))))",
                ["\n".join(missing)],
            ).fetchall()
            found = {token: (weight, array("b", vector)) for token, weight, vector in rows}
            self._known |= {token: found.get(token) for token in missing}
        return {token: held for token in wanted if (held := self._known[token]) is not None}


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
    if connection.execute(_MODEL, [MAIN]).fetchone():
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


def _accept_text(argument: str, text: object) -> str:
    if not isinstance(text, str):
        raise SettingsError(f"{argument}: {text!r} is no text")
    return _bindable(text)


def _accept_number(argument: str, number: object, most: int | None = None) -> None:
    if isinstance(number, int) and 0 <= number <= (number if most is None else most):
        return
    wanted = "a whole number from 0 on" if most is None else f"a whole number from 0 to {most}"
    raise SettingsError(f"{argument}: {number!r} is not accepted; {wanted} is")


def _accept_filters(filters: object) -> Filters:
    if filters is None:
        return _NO_FILTERS
    if not isinstance(filters, Filters):
        raise SettingsError(f"filters: {filters!r} is not fdnix.Filters")
    texts: dict[str, Any] = {}
    for row in FILTERS:
        value = getattr(filters, row.field)
        if not isinstance(value, bool if row.is_flag else str | None):
            wanted = "True or False" if row.is_flag else "a text"
            raise SettingsError(f"{row.field}: {value!r} is not accepted; {wanted} is")
        if isinstance(value, str):
            texts[row.field] = _bindable(value)
            if not texts[row.field].strip():
                raise SettingsError(f"{row.option}: the value is blank; say one, or leave it out")
    return replace(filters, **texts)


def _bindable(text: str) -> str:
    """`text` without what DuckDB's strings cannot hold; one too long is cut, but stays too long."""
    return text[: MAX_TEXT + 1].encode("utf-8", "replace").decode().replace("\0", " ")
