"""Search over the minified database."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Self

from fdnix.database.connection import connect
from fdnix.database.meta import read_meta
from fdnix.embedding.local import DIMENSIONS, LocalEmbedder
from fdnix.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


@dataclass(frozen=True)
class Hit:
    """One entry found: its best variant's columns, and the attribute paths of all variants."""

    package_id: str
    pname: str
    version: str | None
    description: str | None
    variants: list[str]
    score: float


@dataclass(frozen=True)
class SearchResults:
    """Hits, best first."""

    hits: list[Hit]


class SearchIndex:
    """A minified database, open for searching."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, resources: ExitStack) -> None:
        """Take over an open connection and what closes it; `open` is the way in."""
        self._connection = connection
        self._resources = resources
        self._query = _SQL.read_text(encoding="utf-8").format(dimensions=DIMENSIONS)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The index in the minified database at `path`.

        Raises:
            DataError: it is not a minified database of this schema version and the local model.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(connect(path, read_only=True))
            meta = read_meta(connection, path, kind="minified")
            if meta.get("embedding_model") != LocalEmbedder.model:
                raise DataError(f"{path}: its vectors are not of {LocalEmbedder.model}")
            return cls(connection, stack.pop_all())

    def search(self, text: str, *, limit: int = 10) -> SearchResults:
        """The entries that match `text` best."""
        vector = LocalEmbedder().embed([text])[0].tolist()
        rows = self._connection.execute(
            self._query, {"text": text, "vector": vector, "limit": limit}
        ).fetchall()
        return SearchResults([Hit(*row) for row in rows])

    def __enter__(self) -> Self:
        """The index itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._resources.close()


_SQL = resources.files("fdnix.search") / "sql" / "rrf.sql"
