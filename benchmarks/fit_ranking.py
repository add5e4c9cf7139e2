"""Fits the weights of the ranking to the tuning parts of query sets.

`python benchmarks/fit_ranking.py FULL MINIFIED FILES...` prints, for each shape of query, the
weights that belong into src/fdnix/search/sql/weights.sql (`fdnix_weights`, `fdnix_prior_weights`).
MINIFIED was made from FULL by the code that is being fitted. Listwise softmax over the best
candidates of the ranking as it stands: the weights make the answers likely, those of better tiers
more; no sign counts the other way than its reason says. Sets count by the root of their size;
`--emphasis` has one count more. Round the weights, drop what does nothing, and hold them against
all sets with relevance.py.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from fdnix.database.connection import attach, connect, read_sql
from fdnix.search import SearchIndex
from fdnix.search.build import create_entries
from retrieval.queries import Part, read_queries, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from fdnix.search import Hit
    from retrieval.queries import Query

    Floats = NDArray[np.float64]

PARTS = ("vector_similarity", "coverage", "tfidf_cosine", "phrase_cosine", "name_fit")
HOW = {
    "exact_name": "exact name",
    "exact_program": "has the program",
    "prefix": "name starts with the query",
    "spelling": "name is spelt like the query",
}
SHAPES = ("one_word", "few_words", "many_words")
AGAINST = frozenset({"bad", "unfree"})
_CANDIDATES = 250
_STEPS = 400
_RATE = 0.15
_RIDGE = 0.01
_GAINS = (3.0, 2.0, 1.0)


class Asked(NamedTuple):
    """A query's candidates: their signs, a row each, what each gains, and what the query counts."""

    signs: Floats
    gains: Floats
    counts: float


@click.command()
@click.argument("full", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("minified", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--emphasis", multiple=True, help="SET=FACTOR: a file's stem, and what it counts.")
def main(full: Path, minified: Path, files: tuple[Path, ...], emphasis: tuple[str, ...]) -> None:
    """Fit the ranking of MINIFIED, which was made from FULL, to the tuning parts of FILES."""
    factors = {name: float(factor) for name, _, factor in (e.partition("=") for e in emphasis)}
    names, priors = read_priors(full)
    asked: dict[str, list[Asked]] = {shape: [] for shape in SHAPES}
    with SearchIndex.open(minified) as index, connect(minified, read_only=True) as connection:
        connection.execute("USE main_file")
        rows = connection.execute("SELECT package_id, entry_id FROM packages").fetchall()
        entry_of = dict(rows)
        for path in files:
            queries = select(read_queries(path), Part.TUNE)
            counts = factors.get(path.stem, 1.0) / len(queries) ** 0.5
            for query in queries:
                row = connection.execute(
                    "SELECT fdnix_parse(fdnix_query_text(?)).shape", [query.q]
                ).fetchone()
                hits = index.search(query.q, limit=_CANDIDATES).hits
                found = candidates(hits, query, priors, entry_of, counts)
                if row and found.gains.any():
                    asked[row[0]].append(found)
    names = [*PARTS, *HOW, "prefix_popularity", *names]
    for shape, of_shape in asked.items():
        click.echo(f"{shape}: {len(of_shape)} queries")
        for name, weight in zip(names, fit(of_shape, names), strict=True):
            click.echo(f"    {name} {weight:.2f}")


def read_priors(full: Path) -> tuple[list[str], Floats]:
    """The names of the prior's parts, and the parts of every entry, a row each."""
    with TemporaryDirectory() as directory, connect(Path(directory) / "p.duckdb") as connection:
        attach(connection, full, "source")
        create_entries(connection)
        connection.execute(read_sql("search", "prior"))
        table = connection.execute("FROM prior_parts ORDER BY entry_id").to_arrow_table()
    names = [name for name in table.column_names if name != "entry_id"]
    return names, np.stack([np.array(table.column(n).to_pylist(), float) for n in names], axis=1)


def candidates(
    hits: Sequence[Hit], query: Query, priors: Floats, entry_of: Mapping[str, int], counts: float
) -> Asked:
    """The signs of the hits of a query, and what each gains."""
    gains: dict[int, float] = {}
    for tier, ids in enumerate(query.relevant):
        for package_id in ids:
            if package_id in entry_of:
                gains.setdefault(entry_of[package_id], _GAINS[min(tier, len(_GAINS) - 1)])
    entries = [entry_of[hit.package_id] for hit in hits]
    rows = [list(_signs(hit, priors[entry, 0])) for hit, entry in zip(hits, entries, strict=True)]
    width = len(PARTS) + len(HOW) + 1
    return Asked(
        np.concatenate([np.array(rows).reshape(-1, width), priors[entries]], axis=1),
        np.array([gains.get(entry, 0.0) for entry in entries]),
        counts,
    )


def _signs(hit: Hit, popularity: float) -> Iterator[float]:
    for name in PARTS:
        known = max(0.0, 1 + popularity / 8) if name == "phrase_cosine" else 1.0
        yield getattr(hit.parts, name) * known
    for reason in HOW.values():
        yield float(hit.why.startswith(reason))
    yield popularity if hit.why.startswith(HOW["prefix"]) else 0.0


def fit(asked: Sequence[Asked], names: Sequence[str]) -> Floats:
    """The weights that make what gains likely, by Adam (Kingma and Ba, 2015)."""
    sign = np.array([-1.0 if name in AGAINST else 1.0 for name in names])
    if not asked:
        return np.zeros(len(names))
    scale = np.concatenate([one.signs for one in asked]).std(axis=0) + 1e-6
    total = sum(one.counts for one in asked)
    weights: Floats = 0.1 * sign
    first, second = np.zeros(len(names)), np.zeros(len(names))
    for step in range(1, _STEPS + 1):
        gradient = _RIDGE * weights
        for one in asked:
            signs = one.signs / scale
            scores = signs @ weights
            likely = np.exp(scores - scores.max())
            likely /= likely.sum()
            wanted = likely * one.gains
            gradient += one.counts / total * (likely - wanted / wanted.sum()) @ signs
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        move = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
        weights -= _RATE * (1 if step < 0.6 * _STEPS else 0.2) * move
        weights = sign * np.maximum(sign * weights, 0)
    fitted: Floats = weights / scale
    return fitted


if __name__ == "__main__":
    main()
