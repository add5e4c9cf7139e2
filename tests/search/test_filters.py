"""Filters, as arguments and in the query: nothing outside them, and nothing inside them missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.search import Filters
from fdnix.search.macros import create_own_macros

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.search import SearchIndex

EVERY = 1000


def ids(minified: Path, condition: str) -> set[str]:
    with connect(minified, read_only=True) as connection:
        rows = connection.execute(f"SELECT package_id FROM packages WHERE {condition}").fetchall()
    return {row[0] for row in rows}


FILTERS = [
    ("license:gpl", Filters(license="gpl"), "regexp_matches(license, '(^|[^A-Za-z])GPL-')"),
    ("set:python314Packages", Filters(attribute_set="python314Packages"),
     "attribute_set = 'python314Packages'"),
    ("platform:aarch64-darwin", Filters(platform="aarch64-darwin"),
     "list_contains(platforms, 'aarch64-darwin')"),
    ("is:free", Filters(free_only=True), "NOT unfree"),
    ("is:working", Filters(hide_broken=True), "NOT broken"),
    ("is:secure", Filters(hide_insecure=True), "NOT insecure"),
    ("is:available", Filters(hide_unavailable=True), "available"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "filters", "condition"), FILTERS)
def test_a_filter_alone_lists_exactly_what_passes_it(
    index: SearchIndex, minified: Path, words: str, filters: Filters, condition: str
) -> None:
    wanted = ids(minified, condition)
    assert wanted
    for results in (
        index.search(words, limit=EVERY),
        index.search("", limit=EVERY, filters=filters),
    ):
        shown = [variant for hit in results.hits for variant in hit.variants]
        assert sorted(shown) == sorted(wanted)
        assert results.total == len(results.hits)


@pytest.mark.parametrize(("words", "filters", "condition"), FILTERS)
def test_a_filtered_search_shows_nothing_else(
    index: SearchIndex, minified: Path, words: str, filters: Filters, condition: str
) -> None:
    wanted = ids(minified, condition)
    free = {hit.package_id for hit in index.search("library", limit=EVERY).hits}
    in_text = index.search(f"library {words}", limit=EVERY)
    as_argument = index.search("library", limit=EVERY, filters=filters)
    assert [h.package_id for h in in_text.hits] == [h.package_id for h in as_argument.hits]
    shown = {variant for hit in in_text.hits for variant in hit.variants}
    assert shown <= wanted
    assert shown >= free & wanted


def test_the_best_variant_that_passes_is_shown(index: SearchIndex) -> None:
    hit = index.search("requests set:python314Packages").hits[0]
    assert hit.package_id == "python314Packages.requests"
    assert hit.variants == ["python314Packages.requests"]


def test_a_maintainer_is_found_by_account_and_by_part_of_the_name(
    index: SearchIndex, minified: Path
) -> None:
    with connect(minified, read_only=True) as connection:
        row = connection.execute(
            "SELECT regexp_extract(maintainers, '@([\\w-]+)', 1), package_id FROM packages "
            "WHERE maintainers LIKE '%@%' ORDER BY package_id LIMIT 1"
        ).fetchone()
    assert row is not None
    account, package_id = row
    hits = index.search(f"maintainer:{account}", limit=EVERY).hits
    assert package_id in {variant for hit in hits for variant in hit.variants}
    assert all(account in (hit.maintainers or "") for hit in hits)


def test_a_quoted_phrase_must_occur_as_it_stands(index: SearchIndex) -> None:
    loose = index.search("file manager", limit=EVERY)
    strict = index.search('"file manager"', limit=EVERY)
    assert 0 < strict.total < loose.total
    assert all("file manager" in (hit.description or "").lower() for hit in strict.hits[:3])


def test_an_excluded_word_must_not_occur(index: SearchIndex) -> None:
    kept = index.search("editor -vim", limit=EVERY)
    assert kept.hits
    assert not any("vim" in (hit.description or "").lower().split() for hit in kept.hits)
    assert "neovim" in [hit.package_id for hit in index.search("editor vim", limit=EVERY).hits]


@pytest.mark.parametrize("word", ["a", "of"])
def test_an_excluded_word_of_one_or_two_letters_may_stand_within_others(
    index: SearchIndex, word: str
) -> None:
    asked = index.search("editor", limit=EVERY)
    kept = index.search(f"editor -{word}", limit=EVERY)
    texts = [(hit.description or "").lower() for hit in kept.hits]
    assert 0 < kept.total < asked.total
    assert not any(word in re.findall("[a-z0-9]+", text) for text in texts)
    assert any(word in text for text in texts)


@pytest.mark.parametrize(
    ("excluded", "kept", "left"),
    [
        (
            "-x -gl -é -7",
            ["GLib", "php70", "linux"],
            ["libX11", "openGL", "xGLy", "caf_é", "php7x"],
        ),
        (
            "-package -c++ -x264",
            ["fooPackages.bar", "sub_packages", "repackaged", "c", "x26"],
            ["fooPackageBar", "PACKAGE", "package2", "a-package", "é-Package", "c++x", "x264"],
        ),
    ],
)
def test_an_excluded_word_may_be_part_of_a_name(
    minified: Path, excluded: str, kept: list[str], left: list[str]
) -> None:
    with connect(minified, read_only=True, extensions=()) as connection:
        create_own_macros(connection, read_file_info(connection, minified, kind="minified"))
        rows = connection.execute(
            "SELECT path FROM (SELECT unnest(?) AS path) "
            "WHERE fdnix_exclusions_pass(fdnix_filters(?, NULL, NULL, NULL, NULL, false, "
            "false, false, false, false), path, path)",
            [[*kept, *left], excluded],
        ).fetchall()
    assert [path for (path,) in rows] == kept


@pytest.mark.parametrize(
    "excluded",
    [
        "-python",
        "-packages",
        "-python314",
        "-python314packages -file",
        "-python314Packages.requests",
        "-python314packages-re -314 -a",
        "-a -e -is -c++ -2 -x",
        "-command-line -of-the",
        "-library -tool -for -package",
    ],
)
def test_what_is_excluded_is_looked_for_in_the_words_of_paths_and_descriptions(
    index: SearchIndex, minified: Path, excluded: str
) -> None:
    with connect(minified, read_only=True, extensions=()) as connection:
        create_own_macros(connection, read_file_info(connection, minified, kind="minified"))
        rows = connection.execute(
            """
            WITH
            pieces AS (SELECT fdnix_excluded(fdnix_pieces(?)) AS excluded),
            texts AS (
                SELECT
                    package_id,
                    fdnix_spaced(fdnix_words(
                        concat_ws(' ', package_id, description, long_description))) AS words,
                    fdnix_spaced(fdnix_name_parts(package_id)) AS parts
                FROM packages
            )
            SELECT package_id FROM texts CROSS JOIN pieces
            WHERE NOT list_bool_or(list_transform(excluded, lambda run:
                contains(words, fdnix_spaced(run))
                OR (len(run) = 1 AND contains(parts, fdnix_spaced(run)))))
            """,
            [excluded],
        ).fetchall()
    hits = index.search(excluded, limit=EVERY).hits
    found = {variant for hit in hits for variant in hit.variants}
    assert found == {package_id for (package_id,) in rows}
    assert found < ids(minified, "true")


@pytest.mark.parametrize(
    "text",
    [
        "A tool, for C++/c# (and more): it's  a 'Tool' -- v2.0",
        " c++x c+++ a+b #foo c## ++ x\ty\nz ",
        "Ünïcode wörds — of “every” kind, 日本語 too; c++",
        "plain words only",
        "--",
        "",
    ],
)
def test_a_text_is_cut_alike_in_the_short_way_and_the_long(minified: Path, text: str) -> None:
    with connect(minified, read_only=True, extensions=()) as connection:
        create_own_macros(connection, read_file_info(connection, minified, kind="minified"))
        short, long = connection.execute(
            "SELECT fdnix_spaced_words(text), fdnix_spaced(fdnix_words(text)) "
            "FROM (SELECT ? AS text)",
            [text],
        ).fetchall()[0]
    assert short.strip() == long.strip()
    assert (short[0], short[-1]) == (" ", " ")


def test_filters_that_exclude_everything_find_nothing(index: SearchIndex) -> None:
    results = index.search("ripgrep set:noSuchSet")
    assert (results.hits, results.total) == ([], 0)
