"""Index files that somebody has tampered with: nothing is read or written for them, and none wins.

Each is answered as the honest file is, or refused in words; exit code 4 on the command line.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from fdnix.database.sizes import database_info
from fdnix.errors import DataError, FdnixError
from fdnix.search import Filters, SearchIndex, SearchResults
from support.search import changed_copy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SECRET = "the-content-of-a-private-file"
SECONDS = 20

# What reads a file, lists a folder, writes a log, names a variable of Python's, tells settings, or
# never ends, as a query of one column.
QUERIES = {
    "file": "SELECT content AS x FROM read_text('{secret}')",
    "blob": "SELECT decode(content) AS x FROM read_blob('{secret}')",
    "csv": "SELECT column0 AS x FROM read_csv('{secret}', header := false, delim := '|')",
    "folder": "SELECT file AS x FROM glob('{folder}/*')",
    "log": "SELECT 'x' AS x FROM enable_logging(storage := 'file', storage_path := '{folder}/log')",
    "python": "SELECT * FROM stolen",
    "settings": "SELECT value AS x FROM duckdb_settings()",
    "endless": (
        "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) "
        "SELECT count(*)::VARCHAR AS x FROM r"
    ),
}
TABLE_MACROS = {
    "fdnix_rank": "question, filters, max_hits, skip_hits, with_ids := false",
    "fdnix_search": "query",
    "fdnix_package": "path",
    "fdnix_understand": "asked_table",
    "fdnix_suggest": "typed, max_names := 10",
    "duckdb_views": "",
    "duckdb_tables": "",
    "unnest": "given",
}
SCALAR_MACROS = {
    "fdnix_words": "s",
    "fdnix_filters": "query",
    "fdnix_score": "a, b",
    "lower": "s",
    "count": "given",
    "concat": "a, b",
    "regexp_replace": "a, b, c, d",
    "current_database": "",
    "array_inner_product": "a, b",
}
TABLES = (
    "fdnix_meta",
    "packages",
    "embeddings",
    "search_entries",
    "search_postings",
    "search_vocabulary",
    "search_names",
    "search_full_names",
    "search_profiles",
    "search_model",
)
CHANGES = {
    "no vectors": "DROP TABLE embeddings",
    "no postings": "DROP TABLE search_postings CASCADE",
    "no column": "ALTER TABLE search_names RENAME name TO nom",
    "other type": "ALTER TABLE search_entries ALTER prior_one TYPE VARCHAR USING 'much'",
    "texts for lists": (
        "CREATE OR REPLACE TABLE packages AS SELECT * REPLACE ('x' AS platforms) FROM packages"
    ),
    "nothing said": "UPDATE packages SET pname = NULL, description = NULL, platforms = NULL",
    "nothing named": (
        "CREATE OR REPLACE TABLE packages AS "
        "SELECT * REPLACE (NULL::VARCHAR AS package_id) FROM packages"
    ),
    "far away": "UPDATE search_entries SET entry_id = entry_id + 1000000000",
    "many of each": (
        "INSERT INTO search_entries FROM search_entries; "
        "INSERT INTO search_entries FROM search_entries"
    ),
    "no numbers": "UPDATE search_entries SET prior_many = 'nan', prior_one = '-inf'",
    "large file info": "UPDATE fdnix_meta SET value = repeat('x', 10000000) WHERE key = 'source'",
    "no file info": "DELETE FROM fdnix_meta WHERE key NOT IN ('kind', 'schema_version')",
    "another table": "CREATE TABLE question (question INTEGER); CREATE TABLE asked (text INTEGER)",
    "a schema of temporaries": (
        "CREATE SCHEMA main_file.temp; CREATE TABLE main_file.temp.question (question INTEGER)"
    ),
    "a schema of systems": "CREATE SCHEMA system; CREATE SCHEMA memory",
    "an extension": "CREATE OR REPLACE MACRO fdnix_glue(s) AS s; INSERT INTO fdnix_meta "
    "VALUES ('embedding_extension', 'httpfs')",
    **{
        f"dimensions of {value}": (
            f"UPDATE fdnix_meta SET value = '{value}' "
            "WHERE key IN ('embedding_dimensions', 'embedding_head')"
        )
        for value in ("-1", "0", "1e9", "99999999999", "x", "100000", "7]) FROM read_text((''/x")
    },
}


class Trap:
    """A private file in a folder that must stay as it is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)

    def query(self, name: str) -> str:
        return QUERIES[name].format(secret=self.secret, folder=self.folder)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    working_folder = tmp_path / "here"
    working_folder.mkdir()
    monkeypatch.chdir(working_folder)
    trap = Trap(tmp_path / "trap")
    yield trap
    assert [file.name for file in trap.folder.iterdir()] == ["secret"]
    assert list(working_folder.iterdir()) == []


def ask(path: Path) -> list[object] | FdnixError:
    """All that an index answers, and what `fdnix info` says of it; or how it is refused."""
    stolen = [(SECRET,)]
    assert stolen
    try:
        with SearchIndex.open(path) as index, index.at_most(SECONDS):
            return [
                database_info(path),
                *(index.search(text, limit=5) for text in TEXTS),
                index.search("edtior", filters=Filters(license="mit", hide_broken=True)),
                index.get("ripgrep"),
                index.which("rg"),
                index.similar("ripgrep"),
                index.suggest("rip"),
                *index.search_and_count("editor"),
            ]
    except FdnixError as error:
        return error


TEXTS = ("terminal file manager", "ripgrap", "editor license:mit -vim", '"window manager"', "")


def assert_harmless(answer: list[object] | FdnixError) -> None:
    assert SECRET not in str(answer)
    if isinstance(answer, FdnixError):
        assert isinstance(answer, DataError) or "there is no package ripgrep" in str(answer)


@pytest.mark.parametrize(
    ("macro", "query"), [*zip([*TABLE_MACROS, *SCALAR_MACROS], cycle(QUERIES), strict=False)]
)
def test_a_macro_of_the_file_is_never_run(
    minified: Path, tmp_path: Path, trap: Trap, macro: str, query: str
) -> None:
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        connection.execute("CREATE TABLE stolen (x VARCHAR)")
        body = trap.query(query)
        signature, body = (
            (TABLE_MACROS[macro], f"TABLE {body}")
            if macro in TABLE_MACROS
            else (SCALAR_MACROS[macro], f"({body})")
        )
        connection.execute(f"CREATE OR REPLACE MACRO {macro}({signature}) AS {body}")
        connection.execute("DROP TABLE stolen")
    honest, answer = ask(minified), ask(path)
    assert isinstance(answer, list)
    assert isinstance(honest, list)
    assert [_told(part) for part in answer[1:]] == [_told(part) for part in honest[1:]]


def _told(part: object) -> object:
    return (part.hits, part.total, part.notice) if isinstance(part, SearchResults) else part


@pytest.mark.parametrize(("table", "query"), [*zip(TABLES, cycle(QUERIES), strict=False)])
def test_a_view_in_the_place_of_a_table_is_refused(
    minified: Path, tmp_path: Path, trap: Trap, table: str, query: str
) -> None:
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        rows = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
        columns = ", ".join(f'x AS "{name}"' for name, *_ in rows)
        connection.execute("CREATE TABLE stolen (x VARCHAR)")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"CREATE VIEW {table} AS SELECT {columns} FROM ({trap.query(query)})")
        connection.execute("DROP TABLE stolen")
    answer = ask(path)
    assert_harmless(answer)
    assert isinstance(answer, DataError)
    assert f"{table} is a view" in str(answer)


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_answered_or_refused(
    minified: Path, tmp_path: Path, trap: Trap, change: str
) -> None:
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        connection.execute(CHANGES[change])
    assert_harmless(ask(path))


def test_packages_without_names_are_damage_and_no_empty_answer(
    minified: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        connection.execute(CHANGES["nothing named"])
    with SearchIndex.open(path) as index, pytest.raises(DataError, match="package_id"):
        index.search("editor")


def test_a_refused_file_ends_the_command_with_4_and_a_line(
    minified: Path, tmp_path: Path, trap: Trap
) -> None:
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        connection.execute("DROP TABLE packages")
        connection.execute(f"CREATE VIEW packages AS {trap.query('file')}")
    for command in (["search", "--db", str(path), "editor"], ["info", str(path)]):
        done = subprocess.run(
            [sys.executable, "-m", "fdnix", *command], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (4, "")
        assert len(done.stderr.splitlines()) == 1
