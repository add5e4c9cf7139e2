"""What each part of the ranking adds: the file is copied, and one part at a time taken out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from fdnix.database.connection import connect, read_sql
from fdnix.search import SearchIndex
from retrieval.corpus import load
from retrieval.queries import Part, read_queries, select
from retrieval.scoring import mean, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrieval.queries import Query
    from retrieval.scoring import Scores

SCORE = "CREATE OR REPLACE MACRO fdnix_score("

PARTS = {
    "whole": (),
    "without meaning": (("10 * meaning", "0"), ("1.6 * meaning", "0")),
    "without coverage": (("1.6 * coverage", "0"), ("6 * coverage", "0")),
    "without likeness": (("2.5 * likeness", "0"),),
    "without names": (
        ("5.4 * name_fit", "0"),
        ("4 * name_fit", "0"),
        ("THEN 1.2", "THEN 0"),
        ("THEN 2", "THEN 0"),
        ("THEN 3", "THEN 0"),
        ("THEN 1 ", "THEN 0 "),
    ),
    "without prior": (("+ prior", ""), ("+ name_prior", "")),
    "one shape of query": (("WHEN one_word", "WHEN false"),),
}
"""What is replaced in the text of `fdnix_score`."""


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
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "copy.duckdb"
        shutil.copyfile(database, copy)
        for name, replacements in PARTS.items():
            _set_score(copy, replacements)
            report[name] = _scores(copy, queries, entry_of)
        _set_score(copy, ())
        with connect(copy) as connection:
            connection.execute("DELETE FROM search_similar")
        report["without similar words"] = _scores(copy, queries, entry_of)
    _print(report, as_json=as_json)


def _set_score(path: Path, replacements: Sequence[tuple[str, str]]) -> None:
    """Replace `fdnix_score` in the file at `path`."""
    sql = read_sql("search", "query")
    sql = sql[sql.index(SCORE) :]
    for old, new in replacements:
        if old not in sql:
            raise click.ClickException(f"fdnix_score no longer holds {old!r}")
        sql = sql.replace(old, new)
    with connect(path) as connection:
        connection.execute(sql)


def _scores(
    path: Path, queries: Mapping[str, Sequence[Query]], entry_of: Mapping[str, int]
) -> dict[str, Scores]:
    with SearchIndex.open(path) as index:
        return {
            name: mean(
                score([hit.package_id for hit in index.search(query.q).hits], query, entry_of)
                for query in asked
            )
            for name, asked in queries.items()
        }


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
