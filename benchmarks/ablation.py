"""What each part of the ranking adds: the file is copied, and one part at a time taken out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from fdnix.database.connection import connect
from retrieval.corpus import load
from retrieval.queries import Part, read_queries, select
from retrieval.scoring import mean, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    import duckdb

    from retrieval.queries import Query
    from retrieval.scoring import Scores

    Weights: TypeAlias = dict[str, dict[str, float]]

WEIGHTS = {
    "names": (
        "name_fit",
        "exact_name",
        "exact_program",
        "prefix",
        "prefix_popularity",
        "spelling",
    ),
    "words": ("coverage", "tfidf_cosine"),
    "phrases": ("phrase_cosine",),
    "vectors": ("vector_similarity",),
}
"""The weights of `fdnix_weights` that are zero without a part."""

_UNPOPULAR = """
UPDATE {} SET
    prior_one = prior_one - fdnix_prior_weights().one_word.popularity * popularity,
    prior_few = prior_few - fdnix_prior_weights().few_words.popularity * popularity,
    prior_many = prior_many - fdnix_prior_weights().many_words.popularity * popularity,
    popularity = 0
"""

STATEMENTS = {
    # The search reads priors and popularity from either table.
    "popularity": (
        _UNPOPULAR.format("search_entries"),
        "DROP INDEX IF EXISTS embeddings_vss_idx",
        _UNPOPULAR.format("embeddings"),
    ),
    "programs": (
        "DELETE FROM search_full_names WHERE kind = 1",
        "DELETE FROM search_names WHERE kind = 1",
    ),
    "corrections": (
        """
        CREATE OR REPLACE MACRO fdnix_corrections(unknown_words, last_word) AS TABLE
        SELECT [] AS more_terms, [] AS more_idfs
        """,
    ),
    "misspelt names": (
        """
        CREATE OR REPLACE MACRO fdnix_match_misspelt(query_name, edits_allowed) AS TABLE
        SELECT [] AS more_names
        """,
    ),
}
"""The statements that take a part out of a file, besides its weights."""


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", default=200, help="At most so many queries of each file.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, files: tuple[Path, ...], sample: int, as_json: bool) -> None:
    """Score DATABASE on the tuning part of every query file, whole and without each part."""
    queries = {path.name: select(read_queries(path), Part.TUNE)[:sample] for path in files}
    entry_of = load(database).entry_of
    report: dict[str, dict[str, Scores]] = {}
    weights = _weights(database)
    changes = {
        "whole": (),
        **{f"without {part}": (_without(weights, *names),) for part, names in WEIGHTS.items()},
        **{f"without {part}": statements for part, statements in STATEMENTS.items()},
        "one shape of query": (_replacement(dict.fromkeys(weights, weights["few_words"])),),
    }
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "copy.duckdb"
        for name, statements in changes.items():
            shutil.copyfile(database, copy)
            with connect(copy) as connection:
                for statement in statements:
                    connection.execute(statement)
            report[name] = _scores(copy, queries, entry_of)
    _print(report, as_json=as_json)


def _without(weights: Weights, *names: str) -> str:
    """The statement that sets some weights to zero for queries of every shape."""
    none = dict.fromkeys(names, 0.0)
    return _replacement({shape: of_shape | none for shape, of_shape in weights.items()})


def _weights(database: Path) -> Weights:
    with connect(database, read_only=True) as connection:
        [(shapes,)] = connection.execute("SELECT fdnix_weights()").fetchall()
    return {
        shape: {name: float(weight) for name, weight in of_shape.items()}
        for shape, of_shape in shapes.items()
    }


def _replacement(weights: Weights) -> str:
    # Python writes a dictionary of names and numbers as DuckDB writes a struct.
    return f"CREATE OR REPLACE MACRO fdnix_weights() AS {weights!r}"


def _scores(
    path: Path, queries: Mapping[str, Sequence[Query]], entry_of: Mapping[str, int]
) -> dict[str, Scores]:
    # In SQL: SearchIndex ranks by macros of its own, whatever the file's say.
    with connect(path, read_only=True, extensions=()) as connection:
        return {
            name: mean(score(_found(connection, query.q), query, entry_of) for query in asked)
            for name, asked in queries.items()
        }


def _found(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    rows = connection.execute("SELECT package_id FROM fdnix_search(?)", [text]).fetchall()
    return [package_id for (package_id,) in rows]


def _print(report: Mapping[str, Mapping[str, Scores]], *, as_json: bool) -> None:
    rows = {
        (part, name): {"mrr": s.mrr, "hit10": s.hit10, "ndcg": s.ndcg}
        for part, by_file in report.items()
        for name, s in by_file.items()
    }
    if as_json:
        click.echo(json.dumps([{"part": p, "file": f, **v} for (p, f), v in rows.items()]))
        return
    click.echo(f"{'':28} {'':20} {'MRR@10':>7} {'hit@10':>7} {'nDCG@10':>8}")
    for (part, name), v in rows.items():
        click.echo(f"{part:28} {name:20} {v['mrr']:7.3f} {v['hit10']:7.3f} {v['ndcg']:8.3f}")


if __name__ == "__main__":
    main()
