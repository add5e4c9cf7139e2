"""The engines under test, each as a function from a query's text to package ids, best first.

Peers search the same texts and the same vectors as fdnix does, joined to one text a package, which
serves them better than a field a column. Each keeps its own defaults but for two: all stem English,
as DuckDB and LanceDB do unasked, and a package matches when any word does. The query is the user's
text and never a query language. They return `CANDIDATES` ids, so that ten entries are left once the
variants of an entry are counted once.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import click
import numpy as np
import pyarrow as pa

from fdnix.database.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from retrieval.corpus import Corpus

    Search: TypeAlias = Callable[[str], list[str]]
    Engine: TypeAlias = Callable[[Corpus, Path], AbstractContextManager[Search]]

CANDIDATES = 100
"""How many ids a peer returns."""

RRF_K = 60
"""The constant of reciprocal rank fusion that its authors chose."""

_WORD = re.compile(r"\w+")


@contextmanager
def fts(corpus: Corpus, _: Path) -> Iterator[Search]:
    """DuckDB's BM25 alone: the `match_bm25` macro that its fts extension made in the file."""
    sql = """
        SELECT package_id
        FROM (
            SELECT package_id, fts_main_packages_fts_source.match_bm25(package_id, $1) AS score
            FROM packages_fts_source
        )
        WHERE score IS NOT NULL
        ORDER BY score DESC, package_id
        LIMIT $2
    """
    with connect(corpus.path, read_only=True) as connection:
        connection.execute("USE main_file")

        def search(text: str) -> list[str]:
            return [row[0] for row in connection.execute(sql, [text, CANDIDATES]).fetchall()]

        yield search


@contextmanager
def vectors(corpus: Corpus, _: Path) -> Iterator[Search]:
    """Vectors alone: cosine similarity with every vector, without an approximate index."""

    def search(text: str) -> list[str]:
        similarity = np.append(corpus.vectors @ corpus.embed(text), -np.inf)
        of_package = similarity[corpus.vector_of]
        best = np.argpartition(-of_package, CANDIDATES)[:CANDIDATES]
        return [corpus.ids[row] for row in best[np.argsort(-of_package[best], kind="stable")]]

    yield search


@contextmanager
def rrf(corpus: Corpus, directory: Path) -> Iterator[Search]:
    """Plain reciprocal rank fusion of `fts` and `vectors`."""
    with fts(corpus, directory) as by_words, vectors(corpus, directory) as by_meaning:
        yield lambda text: fuse(by_words(text), by_meaning(text))


def fuse(*rankings: Sequence[str]) -> list[str]:
    """The ids of several rankings by the sum of 1 / (60 + rank).

    After Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual
    rank learning methods, SIGIR 2009.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, package_id in enumerate(ranking, start=1):
            scores[package_id] = scores.get(package_id, 0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda package_id: -scores[package_id])


@contextmanager
def sqlite_fts5(corpus: Corpus, directory: Path) -> Iterator[Search]:
    """SQLite's FTS5 and its BM25."""
    with closing(sqlite3.connect(directory / "packages.sqlite")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE packages USING fts5(id UNINDEXED, text, tokenize = 'porter')"
        )
        rows = zip(corpus.ids, corpus.texts, strict=True)
        connection.executemany("INSERT INTO packages VALUES (?, ?)", rows)
        connection.commit()
        sql = "SELECT id FROM packages WHERE packages MATCH ? ORDER BY rank LIMIT ?"

        def search(text: str) -> list[str]:
            if not (words := _WORD.findall(text)):
                return []
            query = " OR ".join(f'"{word}"' for word in words)
            return [row[0] for row in connection.execute(sql, [query, CANDIDATES])]

        yield search


@contextmanager
def tantivy(corpus: Corpus, directory: Path) -> Iterator[Search]:
    """The Rust library tantivy and its BM25."""
    module = _peer("tantivy")
    schema = module.SchemaBuilder()
    schema.add_text_field("id", stored=True, tokenizer_name="raw")
    schema.add_text_field("text", tokenizer_name="en_stem")
    index = module.Index(schema.build(), path=str(directory))
    writer = index.writer(num_threads=1)
    for package_id, text in zip(corpus.ids, corpus.texts, strict=True):
        writer.add_document(module.Document(id=package_id, text=text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(text: str) -> list[str]:
        # In lower case no word is read as an operator of the query language.
        words = " ".join(_WORD.findall(text)).lower()
        query, _ = index.parse_query_lenient(words, ["text"])
        hits = searcher.search(query, CANDIDATES).hits
        return [searcher.doc(address)["id"][0] for _, address in hits]

    yield search


@contextmanager
def lancedb(corpus: Corpus, directory: Path) -> Iterator[Search]:
    """LanceDB's hybrid search: its BM25, exact cosine, its reciprocal rank fusion."""
    # Else it warns on every query that a column will be left out by a later version.
    os.environ.setdefault("LANCEDB_LOG", "error")
    module = _peer("lancedb")
    of_package = np.vstack([corpus.vectors, np.zeros_like(corpus.vectors[:1])])[corpus.vector_of]
    vector = pa.FixedSizeListArray.from_arrays(pa.array(of_package.ravel()), of_package.shape[1])
    table = pa.table({"id": list(corpus.ids), "text": list(corpus.texts), "vector": vector})
    packages = module.connect(directory).create_table("packages", table)
    packages.create_fts_index("text")

    def search(text: str) -> list[str]:
        query = packages.search(query_type="hybrid").vector(corpus.embed(text)).text(text)
        found = query.distance_type("cosine").select(["id"]).limit(CANDIDATES).to_arrow()
        return [str(package_id) for package_id in found["id"].to_pylist()]

    yield search


@contextmanager
def fdnix(corpus: Corpus, _: Path) -> Iterator[Search]:
    """The ranking of fdnix itself, a page of ten."""
    index = import_module("fdnix.search").SearchIndex.open(corpus.path)
    yield lambda text: [hit.package_id for hit in index.search(text, limit=10).hits]


ENGINES: dict[str, Engine] = {
    "fts": fts,
    "vectors": vectors,
    "rrf": rrf,
    "sqlite-fts5": sqlite_fts5,
    "tantivy": tantivy,
    "lancedb": lancedb,
    "fdnix": fdnix,
}


def _peer(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise click.ClickException(
            f"the engine {name} is not installed; install the extra `bench`, or choose others "
            "with --engine"
        ) from error
