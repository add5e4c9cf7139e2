"""Whether SQL says what Python says: the order of hits, and the local model's vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import duckdb
import numpy as np

from fdnix.database.connection import literal
from fdnix.embedding.local import LocalEmbedder
from fdnix.search import SearchIndex
from retrieval.queries import read_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARE: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}
_LEAST_COSINE = 0.999
_HOSTILE = (
    "", "…", "\0", "é\0after", "a" * 1000, "word " * 200, "naïve ﬁle ⅷ ẞ İ", "文件管理器",
    "🦀 crab",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "'; DROP TABLE packages; --", "(((([a-z]+.*",
    "file manager file manager file", "c++ c# .net x86_64-linux 3.14", "##er er##", "-- - --",
)  # fmt: skip


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("queries", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", default=200, help="How many queries of the file are asked.")
@click.option("--texts", default=2000, help="How many texts are embedded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, database: Path, queries: Path, limit: int, texts: int, as_json: bool) -> None:
    """Ask DATABASE every query by the engine and by a client without any extension.

    The client also embeds descriptions of DATABASE, and hostile texts, as the local model does.

    Example: python benchmarks/macros.py fdnix.duckdb benchmarks/queries/curated.json
    """
    every = read_queries(queries)
    asked = [query.q for query in every[:: max(1, len(every) // limit)]][:limit]
    with SearchIndex.open(database) as index, duckdb.connect(config=_BARE) as client:
        client.execute(f"ATTACH {literal(database)} AS nix (READ_ONLY)")
        client.execute("USE nix")
        differing = [
            text
            for text in asked
            if _found(client, text) != [hit.package_id for hit in index.search(text).hits]
        ]
        embedded = [*_HOSTILE, *_descriptions(client, texts - len(_HOSTILE))]
        strays = _strays(client, embedded)
    if as_json:
        report = {"queries": len(asked), "differing": differing}
        click.echo(json.dumps({**report, "texts": len(embedded), "strays": strays}))
    else:
        click.echo(f"{len(asked)} queries, another order for {len(differing)}: {differing}")
        click.echo(f"{len(embedded)} texts, another vector for {len(strays)}: {strays}")
    raise SystemExit(1 if differing or strays else 0)


def _found(client: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    rows = client.execute("SELECT package_id FROM fdnix_search(?)", [text]).fetchall()
    return [row[0] for row in rows]


def _descriptions(client: duckdb.DuckDBPyConnection, number: int) -> list[str]:
    rows = client.execute(
        "SELECT description FROM (SELECT DISTINCT description FROM packages) "
        "WHERE description IS NOT NULL ORDER BY md5(description) LIMIT ?",
        [number],
    ).fetchall()
    return [row[0] for row in rows]


def _strays(client: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> list[str]:
    """The texts whose vectors of SQL and of the local model have a cosine below 0.999."""
    strays = []
    for text, expected in zip(texts, LocalEmbedder().embed(texts), strict=True):
        [(found,)] = client.execute("SELECT vector FROM fdnix_embed(?)", [text]).fetchall()
        if found is None or not expected.any():
            same = found is None and not expected.any()
        else:
            vector = np.array(found)
            same = bool(vector @ expected / np.linalg.norm(vector) >= _LEAST_COSINE)
        if not same:
            strays.append(text)
    return strays


if __name__ == "__main__":
    main()
