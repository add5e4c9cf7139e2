"""The engines that need no further package, and the command, over the bundled sample."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import relevance
from fdnix.pipeline import run
from fdnix.settings import load_settings
from retrieval.corpus import load
from retrieval.engines import ENGINES

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.corpus import Corpus

PLAIN = ["fts", "vectors", "rrf", "sqlite-fts5"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    minified = directory / "fdnix.duckdb"
    environ = {
        "NIXPKGS_SOURCE": "sample",
        "EMBEDDING_PROVIDER": "local",
        "OUTPUT_PATH": str(directory / "fdnix-data.duckdb"),
        "OUTPUT_MINIFIED_PATH": str(minified),
    }
    run(load_settings(environ))
    return minified


@pytest.fixture(scope="module")
def corpus(database: Path) -> Corpus:
    return load(database)


@pytest.mark.parametrize("name", PLAIN)
def test_an_engine_finds_a_package_by_its_own_description(
    name: str, corpus: Corpus, tmp_path: Path
) -> None:
    with ENGINES[name](corpus, tmp_path) as search:
        found = search("fast web browser firefox")
    assert "firefox" in found[:3]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("text", ["", "…", "'; DROP TABLE packages", 'NEAR("a" OR', "a" * 10_000])
def test_no_text_is_read_as_a_query_language(
    name: str, text: str, corpus: Corpus, tmp_path: Path
) -> None:
    with ENGINES[name](corpus, tmp_path) as search:
        assert set(search(text)) <= set(corpus.ids)


def test_the_command_prints_a_table_and_json(database: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.json"
    items = [
        {"q": "firefox", "category": "exact-name", "relevant": [["firefox"]]},
        {"q": "web browser", "category": "intent", "relevant": [["firefox"], ["chromium"]]},
    ]
    queries.write_text(json.dumps(items))
    arguments = [str(database), str(queries), "--part", "all", "--engine", "rrf"]
    table = CliRunner().invoke(relevance.main, arguments, catch_exceptions=False)
    assert "queries, all: 2 queries" in table.output
    assert "exact-name" in table.output
    printed = CliRunner().invoke(relevance.main, [*arguments, "--json"], catch_exceptions=False)
    result = json.loads(printed.stdout)["sets"]["queries"]["engines"]["rrf"]
    assert result["categories"]["exact-name"]["hit10"] == 1
    assert result["p50_ms"] > 0
    assert "rrf, queries: 2 queries" in printed.stderr
    one = CliRunner().invoke(relevance.main, [*arguments, "--sample", "1"], catch_exceptions=False)
    assert "queries, all: 1 queries" in one.output


def test_an_empty_part_is_said_so(database: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text("")
    printed = CliRunner().invoke(relevance.main, [str(database), str(queries)])
    assert printed.exit_code == 1
    assert "no query" in printed.output
