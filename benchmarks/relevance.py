"""How well search finds packages: fdnix beside its parts and its peers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from retrieval.corpus import load
from retrieval.engines import ENGINES
from retrieval.queries import Part, Query, read_queries, select
from retrieval.scoring import Scores, mean, score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retrieval.corpus import Corpus
    from retrieval.engines import Search

CURATED = Path(__file__).parent / "queries" / "curated.json"

HEADINGS = {
    "mrr": "MRR@10",
    "hit1": "hit@1",
    "hit10": "hit@10",
    "ndcg": "nDCG@10",
    "best": "best RR",
    "exact1": "exact@1",
}


@dataclass(frozen=True)
class Result:
    """What one engine reached on the queries of one file.

    Attributes:
        overall: means over all queries.
        categories: means over the queries of every category.
        p50_ms: the median wall time of a query, its vector included, in milliseconds.
        missed: the queries without any answer among the first ten entries.
    """

    overall: Scores
    categories: Mapping[str, Scores]
    p50_ms: float
    missed: tuple[str, ...]


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(tuple(ENGINES)),
    help="An engine to measure; may be repeated. All are measured where none is named.",
)
@click.option(
    "--part",
    type=click.Choice([part.value for part in Part]),
    default=Part.HELD.value,
    show_default=True,
    help="Queries to measure: the tuning part, the part kept aside, or both.",
)
@click.option("--sample", type=click.IntRange(1), help="At most so many queries of each file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def main(
    database: Path,
    files: tuple[Path, ...],
    engines: tuple[str, ...],
    part: str,
    *,
    sample: int | None,
    as_json: bool,
) -> None:
    """Score search engines over the minified DATABASE on the queries of FILES.

    FILES are known-item JSONL or tiered JSON; without any, the curated set beside this script is
    used. One query in two of a tiered file and one in three of a known-item file are kept aside,
    chosen by the SHA-256 of their text. Of DuckDB's BM25 and LanceDB a query takes a tenth of a
    second or more; what is measured is said on standard error.
    """
    sets = {
        path.stem: select(read_queries(path), Part(part))[:sample] for path in files or (CURATED,)
    }
    for name, queries in sets.items():
        if not queries:
            raise click.ClickException(f"{name}: no query is in the part {part!r}")
    corpus = load(database)
    results = {name: measure(name, corpus, sets) for name in engines or ENGINES}
    if as_json:
        click.echo(json.dumps(_plain(results, sets, part), indent=2))
        return
    console = Console()
    for name, queries in sets.items():
        of_engine = {engine: result[name] for engine, result in results.items()}
        title = f"{name}, {part}: {len(queries)} queries"
        console.print(overall_table(title, of_engine))
        if len({query.category for query in queries}) > 1:
            console.print(category_table(queries, of_engine))


def measure(name: str, corpus: Corpus, sets: Mapping[str, Sequence[Query]]) -> Mapping[str, Result]:
    """What the engine reaches on every set of queries; its index is built once, for this run."""
    with (
        TemporaryDirectory(prefix="fdnix-relevance-") as directory,
        ENGINES[name](corpus, Path(directory)) as search,
    ):
        search("warm up")
        return {
            file: _run(f"{name}, {file}", search, corpus, queries) for file, queries in sets.items()
        }


def _run(title: str, search: Search, corpus: Corpus, queries: Sequence[Query]) -> Result:
    scores: list[Scores] = []
    milliseconds: list[float] = []
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{title}: {len(queries)} queries")
    for query in track(queries, title, console=console, disable=not console.is_terminal):
        start = perf_counter()
        ranked = search(query.q)
        milliseconds.append((perf_counter() - start) * 1000)
        scores.append(score(ranked, query, corpus.entry_of))
    pairs = list(zip(queries, scores, strict=True))
    return Result(
        overall=mean(scores),
        categories={
            category: mean(item for query, item in pairs if query.category == category)
            for category in _categories(queries)
        },
        p50_ms=median(milliseconds),
        missed=tuple(query.q for query, item in pairs if not item.hit10),
    )


def overall_table(title: str, results: Mapping[str, Result]) -> Table:
    """A row an engine, a column a measure."""
    table = Table("engine", title=title, title_justify="left")
    for heading in (*HEADINGS.values(), "p50 ms"):
        table.add_column(heading, justify="right")
    for engine, result in results.items():
        scores = [f"{value:.3f}" for value in asdict(result.overall).values()]
        table.add_row(engine, *scores, f"{result.p50_ms:.1f}")
    return table


def category_table(queries: Sequence[Query], results: Mapping[str, Result]) -> Table:
    """A row a category, a column an engine; a cell holds nDCG@10, hit@10 and best RR."""
    title = "by category: nDCG@10 hit@10 best RR"
    table = Table("category", "queries", title=title, title_justify="left")
    for engine in results:
        table.add_column(engine, justify="right")
    for category in _categories(queries):
        cells = [result.categories[category] for result in results.values()]
        table.add_row(
            category,
            str(sum(query.category == category for query in queries)),
            *(f"{cell.ndcg:.2f} {cell.hit10:.2f} {cell.best:.2f}" for cell in cells),
        )
    return table


def _categories(queries: Iterable[Query]) -> list[str]:
    return sorted({query.category for query in queries})


def _plain(
    results: Mapping[str, Mapping[str, Result]], sets: Mapping[str, Sequence[Query]], part: str
) -> dict[str, object]:
    return {
        "part": part,
        "sets": {
            name: {
                "queries": len(queries),
                "engines": {engine: asdict(result[name]) for engine, result in results.items()},
            }
            for name, queries in sets.items()
        },
    }


if __name__ == "__main__":
    main()
