"""Every weight and every part of the ranking puts something first that stands lower without it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fdnix import pipeline
from fdnix.database.connection import attach, connect, read_sql
from fdnix.database.file_info import read_file_info
from fdnix.search import build
from fdnix.search.build import create_search
from fdnix.search.fts import FtsOptions
from support.catalogues import entry, settings_in
from support.search import MODEL, bare_client, build_search
from support.trees import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

POPULAR = {"kelpform": 100}
"""Tuning bagpipes is popular; nothing in the sample is."""

KNOWN: dict[str, Any] = {
    "homepage": "https://known.example.org",
    "maintainers": [{"name": name} for name in ("Ann", "Bob", "Cid", "Dot", "Eve")],
}
"""What well-known packages have."""

OWN = {
    "perlPackages.rg": entry("rg", description="Reads RG files", homepage="https://rg.example.org"),
    # Twins, told apart by one thing each.
    "abelo": entry("abelo", description="Timer for sourdough baking"),
    "zorvin": entry("zorvin", description="Timer for sourdough baking", broken=True),
    "tallow": entry("tallow", description="Prints tide tables"),
    "brimel": entry("brimel", description="Prints tide tables", broken=True),
    "lusten": entry("lusten", description="Logbook for sailors"),
    "corvane": entry("corvane", description="Logbook for sailors"),
    "lusten_1": entry("lusten", description="Logbook for sailors"),
    "lusten_2": entry("lusten", "2.0", description="Logbook for sailors"),
    "dromel": entry("dromel", description="Tunes bagpipes by ear"),
    "kelpform": entry("kelpform", description="Tunes bagpipes by ear"),
    "gurnel": entry("gurnel", description="Weaves tartan patterns", **KNOWN),
    # Named like the start of another, and with a program named so.
    "gurn": entry("gurn", description="Prints labels"),
    "millet": entry("millet", description="Weighs birds", mainProgram="gurne"),
    "pellin": entry("pellin", description="Counts wild larks by colour"),
    "pellor": entry("pellor", description="Counts wild larks by colour", **KNOWN),
    "vexk": entry("vexk", description="Cards hemp tow"),
    "voxk": entry(
        "voxk",
        description="Cards hemp tow",
        **KNOWN,
        license={"fullName": "Unfree", "free": False},
        unfree=True,
    ),
    # Two whose names begin alike, the known one's longer.
    "tarmo": entry("tarmo", description="Counts herrings"),
    "tarmbrand": entry("tarmbrand", description="Counts herrings", **KNOWN),
    "perlPackages.ovum": entry("ovum", description="Pigeon library", mainProgram="store-eggs"),
    "henhouse": entry("henhouse", description="Store eggs", **KNOWN),
    "sort-blue-glass-beads": entry("sort-blue-glass-beads", description="Weighs parcels"),
    "beadworks": entry("beadworks", description="Sort blue glass beads", **KNOWN),
}
"""Packages of ours beside the sample's."""

SCORE = {
    ("one_word", "vector_similarity"): ("matlab", "octave"),
    ("one_word", "coverage"): ("colourful", "fish"),
    ("one_word", "phrase_cosine"): ("talking", "cowsay"),
    ("one_word", "name_fit"): ("vif", "vifm"),
    ("one_word", "exact_name"): ("dolphin", "kdePackages.dolphin"),
    ("one_word", "exact_program"): ("gurne", "millet"),
    ("one_word", "prefix"): ("ter", "terraform"),
    ("one_word", "prefix_popularity"): ("tarm", "tarmbrand"),
    ("one_word", "spelling"): ("pands", "python313Packages.pandas"),
    ("few_words", "vector_similarity"): ("wireguard vpn", "wireguard-tools"),
    ("few_words", "coverage"): ("wireless adapters", "linuxPackages.rtl8821cu"),
    ("few_words", "phrase_cosine"): ("htop alternative", "btop"),
    ("few_words", "name_fit"): ("store eggs", "perlPackages.ovum"),
    ("few_words", "exact_name"): ("python314 requests", "python314Packages.requests"),
    ("few_words", "exact_program"): ("store eggs", "perlPackages.ovum"),
    ("many_words", "vector_similarity"): (
        "plugins language server client",
        "vimPlugins.nvim-lspconfig",
    ),
    ("many_words", "coverage"): ("pictures such as iphone photos", "libheif"),
    ("many_words", "tfidf_cosine"): ("code data browser based", "python313Packages.jupyterlab"),
    ("many_words", "phrase_cosine"): ("server editors code knowledge", "obsidian"),
    ("many_words", "name_fit"): ("sort blue glass beads", "sort-blue-glass-beads"),
}
"""For each weight of `fdnix_weights` a query, and what only stands first with that weight."""

PRIOR = {
    ("one_word", "popularity"): ("zip", "unzip"),
    ("one_word", "bad"): ("tide", "tallow"),
    ("few_words", "popularity"): ("disk usage", "ncdu"),
    ("few_words", "names"): ("sailors logbook", "lusten"),
    ("few_words", "bad"): ("tide tables", "tallow"),
    ("few_words", "unfree"): ("hemp tow", "vexk"),
    ("many_words", "popularity"): ("text mode file manager", "mc"),
    ("many_words", "names"): ("a logbook for sailors at sea ports", "lusten"),
    ("many_words", "bad"): ("prints all tide tables daily", "tallow"),
}
"""The same for each weight of `fdnix_prior_weights`."""

PARTS = {
    "corrections of words": (
        """
        CREATE OR REPLACE MACRO fdnix_corrections(unknown_words, last_word) AS TABLE
        SELECT [] AS more_terms, [] AS more_idfs
        """,
        ("pdf conerter", "ghostscript"),
    ),
    "misspelt names": (
        """
        CREATE OR REPLACE MACRO fdnix_match_misspelt(query_name, edits_allowed) AS TABLE
        SELECT [] AS more_names
        """,
        ("libreofice", "libreoffice"),
    ),
    "names with their set or version": (
        "DELETE FROM search_full_names",
        ("python313 requests", "python313Packages.requests"),
    ),
    "vectors": (
        "CREATE OR REPLACE MACRO fdnix_embed(query) AS TABLE SELECT NULL::FLOAT[] AS vector",
        ("drawing program", "inkscape"),
    ),
}
"""What takes a part of the ranking out, and a query that needs it."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full database of the sample and of packages of ours."""
    directory = tmp_path_factory.mktemp("weights")
    sample = json.loads((resources.files("fdnix.nixpkgs") / "sample.json").read_text("utf-8"))
    source = directory / "in.json"
    source.write_text(json.dumps(sample | OWN), encoding="utf-8")
    settings = settings_in(directory, source)
    for mode in ("metadata", "embedding"):
        pipeline.run(settings.replace(processing_mode=mode))
    return settings.output_path


@pytest.fixture(scope="module")
def popularity(full: Path) -> Path:
    path = full.with_name("popularity.json")
    path.write_text(json.dumps(POPULAR))
    return path


@pytest.fixture(scope="module")
def client(full: Path, popularity: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writer on a minified database of them; what a test changes it rolls back."""
    path = full.with_name("fdnix.duckdb")
    build_search(full, path, popularity=popularity)
    with connect(path) as connection:
        yield connection


@contextmanager
def rolled_back(client: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A while whose changes to the file are taken back."""
    client.execute("BEGIN")
    try:
        yield
    finally:
        client.execute("ROLLBACK")


def first(client: duckdb.DuckDBPyConnection, query: str) -> str | None:
    row = client.execute(
        "SELECT package_id FROM fdnix_search(?, max_hits := 1)", [query]
    ).fetchone()
    return str(row[0]) if row else None


def weights(client: duckdb.DuckDBPyConnection, macro: str) -> dict[str, dict[str, float]]:
    """The weights that a macro gives, by the shape of the query and by name."""
    row = client.execute(f"SELECT {macro}()").fetchone()
    assert row is not None
    shapes: dict[str, dict[str, Any]] = row[0]
    return {
        shape: {name: float(weight) for name, weight in of_shape.items()}
        for shape, of_shape in shapes.items()
    }


def without(client: duckdb.DuckDBPyConnection, macro: str, shape: str, name: str) -> str:
    """The statement that sets one weight of a macro to zero."""
    changed = weights(client, macro)
    changed[shape][name] = 0.0
    return f"CREATE OR REPLACE MACRO {macro}() AS {changed!r}"


@pytest.mark.parametrize(
    ("macro", "table"), [("fdnix_weights", SCORE), ("fdnix_prior_weights", PRIOR)]
)
def test_every_weight_that_is_not_zero_has_a_query(
    client: duckdb.DuckDBPyConnection, macro: str, table: dict[tuple[str, str], tuple[str, str]]
) -> None:
    assert set(table) == {
        (shape, name)
        for shape, of_shape in weights(client, macro).items()
        for name, weight in of_shape.items()
        if weight
    }


@pytest.mark.parametrize(("shape", "name"), SCORE)
def test_what_a_weight_of_the_score_puts_first(
    client: duckdb.DuckDBPyConnection, shape: str, name: str
) -> None:
    query, expected = SCORE[shape, name]
    assert first(client, query) == expected
    with rolled_back(client):
        client.execute(without(client, "fdnix_weights", shape, name))
        assert first(client, query) != expected


@pytest.mark.parametrize(("shape", "name"), PRIOR)
def test_what_a_weight_of_the_prior_puts_first(
    client: duckdb.DuckDBPyConnection,
    full: Path,
    popularity: Path,
    shape: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query, expected = PRIOR[shape, name]
    assert first(client, query) == expected
    change = without(client, "fdnix_prior_weights", shape, name)

    def changed(package: str, sql: str) -> str:
        text = read_sql(package, sql)
        return f"{text};\n{change};" if sql == "weights" else text

    monkeypatch.setattr(build, "read_sql", changed)
    build_search(full, tmp_path / "fdnix.duckdb", popularity=popularity)
    with bare_client(tmp_path / "fdnix.duckdb") as rebuilt:
        assert first(rebuilt, query) != expected


@pytest.mark.parametrize("part", PARTS)
def test_what_a_part_of_the_ranking_puts_first(
    client: duckdb.DuckDBPyConnection, part: str
) -> None:
    change, (query, expected) = PARTS[part]
    assert first(client, query) == expected
    with rolled_back(client):
        client.execute(change)
        assert first(client, query) != expected


def test_every_sign_of_popularity_is_read_off_some_package(tmp_path: Path) -> None:
    tree = {
        "pkgs/top-level/all-packages.nix": "{ }",
        "nixos/modules/services/web-servers/nginx.nix": "{ pkgs, ... }: { a = pkgs.nginx; }",
        "nixos/tests/nginx.nix": "{ pkgs, ... }: { b = pkgs.nginx; }",
        "nixos/doc/manual/release-notes/rl-2605.section.md": "`nginx` is newer. `pkgs.nginx` too.",
    }
    outside = tmp_path / "outside.json"
    outside.write_text('{"git": 7}', encoding="utf-8")
    settings = settings_in(
        tmp_path, nixpkgs_tree=str(write_tree(tmp_path / "tree", tree)), processing_mode="metadata"
    )
    pipeline.run(settings)
    with connect(tmp_path / "signs.duckdb") as connection:
        attach(connection, settings.output_path, "source")
        source = read_file_info(connection, settings.output_path, database="source")
        create_search(
            connection,
            source,
            model=MODEL,
            fts=FtsOptions("packages_fts_idx", "english", "english"),
            popularity=outside,
        )
        signs = connection.execute("SELECT * EXCLUDE (entry_id) FROM popularity_signals")
        names = [column[0] for column in signs.description or ()]
        columns = np.array(signs.fetchall(), dtype=float)
        [weighed] = connection.execute("SELECT fdnix_popularity_weights()").fetchall()
    assert [
        name for name, varies in zip(names, np.ptp(columns, axis=0), strict=True) if not varies
    ] == []
    assert set(weighed[0]) == {"constant", *names}


def test_what_is_told_of_popularity_is_between_none_and_all(
    client: duckdb.DuckDBPyConnection,
) -> None:
    known, obscure, least, most = client.execute(
        """
        SELECT
            any_value(popularity) FILTER (package_id = 'git'),
            any_value(popularity) FILTER (package_id = 'perlPackages.ovum'),
            min(popularity),
            max(popularity)
        FROM packages
        """
    ).fetchall()[0]
    assert 0 <= least <= obscure < known <= most <= 1
