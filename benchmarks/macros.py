"""Whether the macros give a bare DuckDB client the engine's order, on many queries."""

from __future__ import annotations

import json
from pathlib import Path

import click
import duckdb

from fdnix.database.connection import literal
from fdnix.embedding.local import LocalEmbedder
from fdnix.search import SearchIndex
from retrieval.queries import read_queries

_BARE: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}
_QUERY = "SELECT package_id FROM fdnix_search($text, $vector::FLOAT[256], max_hits := 20)"


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("queries", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", default=200, help="How many queries of the file are asked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, database: Path, queries: Path, limit: int, as_json: bool) -> None:
    """Ask DATABASE every query twice, by the engine and by a client without any extension.

    Example: python benchmarks/macros.py fdnix.duckdb benchmarks/queries/curated.json
    """
    every = read_queries(queries)
    texts = [query.q for query in every[:: max(1, len(every) // limit)]][:limit]
    differing = []
    with SearchIndex.open(database) as index, duckdb.connect(config=_BARE) as client:
        client.execute(f"ATTACH {literal(database)} AS nix (READ_ONLY)")
        client.execute("USE nix")
        for text in texts:
            vector = str(LocalEmbedder().embed([text])[0].tolist())
            rows = client.execute(_QUERY, {"text": text, "vector": vector}).fetchall()
            if [row[0] for row in rows] != [hit.package_id for hit in index.search(text).hits]:
                differing.append(text)
    if as_json:
        click.echo(json.dumps({"queries": len(texts), "differing": differing}))
    else:
        click.echo(f"{len(texts)} queries, another order for {len(differing)}: {differing}")
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main()
