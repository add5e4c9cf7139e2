"""What a query may say besides words: every filter is obeyed or named, nothing is ignored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from fdnix.errors import SettingsError
from fdnix.search import Filters, SearchIndex
from fdnix.search.filters import FILTERS, Filter
from support.catalogues import entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIT = {"shortName": "mit", "spdxId": "MIT", "fullName": "MIT", "free": True}
GPL3 = {"shortName": "gpl3Only", "spdxId": "GPL-3.0-only", "fullName": "GPL", "free": True}
AGPL3 = {"shortName": "agpl3Only", "spdxId": "AGPL-3.0-only", "fullName": "AGPL", "free": True}
UNFREE = {"shortName": "unfree", "fullName": "Unfree", "free": False}
ADA = {"name": "Ada Example", "github": "ada-x"}
LINUX = ["x86_64-linux", "aarch64-linux"]

CATALOGUE = {
    "penna": entry("penna", description="Text editor with panes", license=MIT, maintainers=[ADA]),
    "libpenna": entry("libpenna", description="Text library", license=[GPL3, MIT]),
    "quill": entry("quill", description="Editor of feathers", license=AGPL3, platforms=LINUX),
    "stylus": entry("stylus", description="Editor in a browser", license=UNFREE, unfree=True),
    "nib": entry("nib", description="Editor of one line", license=GPL3, broken=True),
    "serpentPackages.penna": entry(
        "penna", description="Bindings to an editor", license=MIT, platforms=["aarch64-darwin"]
    ),
    "serpent39": entry("serpent", "3.9.20", description="A language"),
    "serpent311": entry("serpent", "3.11.15", description="A language"),
    "serpent3": entry("serpent", "3.13.2", description="A language"),
    "serpent313": entry("serpent", "3.13.2", description="A language"),
    "serpent314": entry("serpent", "3.14.4", description="A language"),
    "serpent315": entry("serpent", "3.15.0b3", description="A language"),
    "newt_2": entry("newt", "2.9", description="An animal"),
    "newt_10": entry("newt", "10.1", description="An animal"),
    "x264": entry("x264", description="Library for video"),
    "zipper": entry("zipper", description="Files in an archive"),
    "slovar": entry("slovar", description="Словарь и переводчик"),
    "jisho": entry("jisho", description="漢字辞典"),
    "tarte": entry("tarte", description="Pâtisserie générale"),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pens")
    settings = settings_in(folder, write_catalogue(folder / "packages.json", CATALOGUE))
    pipeline.run(settings)
    return settings.output_minified_path


@pytest.fixture(scope="module")
def pens(file: Path) -> Iterator[SearchIndex]:
    with SearchIndex.open(file) as index:
        yield index


def found(index: SearchIndex, text: str) -> set[str]:
    return {hit.package_id for hit in index.search(text, limit=100).hits}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("editor license:mit", {"penna", "serpentPackages.penna"}),
        ("license:gpl", {"libpenna", "nib"}),
        ("license:gpl-3.0", {"libpenna", "nib"}),
        ("license:gpl3Only", {"libpenna", "nib"}),
        ("license:agpl", {"quill"}),
        ('license:"gpl-3.0-only and mit"', {"libpenna"}),
        ("editor -license:mit", {"quill", "stylus", "nib"}),
        ('maintainer:"Ada Example"', {"penna"}),
        ("maintainer:ada-x", {"penna"}),
        ("is:unfree", {"stylus"}),
        ("-is:free", {"stylus"}),
        ("is:broken", {"nib"}),
        ("-is:working", {"nib"}),
        ("editor is:top-level -is:unfree is:working", {"penna", "quill"}),
        ("set:serpentPackages", {"serpentPackages.penna"}),
        ("editor -set:serpentPackages -is:broken -is:unfree", {"penna", "quill"}),
        ("editor platform:darwin license:mit", {"penna", "serpentPackages.penna"}),
        ("editor -platform:darwin", {"quill"}),
        ('"text editor"', {"penna"}),
        ('editor -"text editor" license:mit', {"serpentPackages.penna"}),
        ("editor license:mit -serpent", {"penna"}),
        ("editor -with-panes license:mit", {"serpentPackages.penna"}),
        ("editor -text-editor license:mit", {"serpentPackages.penna"}),
        ("editor\vlicense:mit\u00a0-serpent", {"penna"}),
        ("editor license:mit " + "-serpent " * 50, {"penna"}),
    ],
)
def test_a_filter_lets_through_what_it_says_and_nothing_else(
    pens: SearchIndex, query: str, expected: set[str]
) -> None:
    assert {name for name in found(pens, query) if not name.startswith("newt")} == expected


@pytest.mark.parametrize("row", [row for row in FILTERS if row.is_flag], ids=lambda row: row.key)
def test_a_flag_and_its_opposite_share_all_packages_among_them(
    pens: SearchIndex, row: Filter
) -> None:
    with_it = {v for h in pens.search(f"is:{row.key}", limit=100).hits for v in h.variants}
    without = {v for h in pens.search(f"-is:{row.key}", limit=100).hits for v in h.variants}
    flag: dict[str, Any] = {row.field: True}
    as_field = pens.search("", limit=100, filters=replace(Filters(), **flag)).hits
    assert with_it | without == set(CATALOGUE)
    assert not with_it & without
    assert {v for h in as_field for v in h.variants} == with_it


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("is:fre editor", "there is no filter is:fre; there is is:free"),
        ("editor -is:wroking", "there is no filter is:wroking; there is is:working"),
        ("lisence:mit editor", "there is no filter lisence:; there is license:"),
        ("st:serpentPackages editor", "there is no filter st:; there is set:"),
        ("editor -et:serpentPackages", "there is no filter et:; there is set:"),
        ("si:free editor", "there is no filter si:; there is is:"),
        ("editor set:", "set: says no value"),
        ("license:mti", "nothing has license:mti; there is license:MIT"),
        ('maintainer:"ada exampel"', "maintainer:ada exampel; there is maintainer:Ada Example"),
        (f"maintainer:{'ada' * 60}", f"maintainer:{'ada' * 60}; there is maintainer:"),
        ("set:serpentPackage2", "nothing has set:serpentpackage2; there is set:serpentPackages"),
        (
            "editor -license:miu -license:mit -license:mtt",
            "license:miu; there is license:MIT; nothing has license:mtt; there is license:MIT",
        ),
    ],
)
def test_what_is_no_filter_or_has_no_match_is_named(
    pens: SearchIndex, query: str, said: str
) -> None:
    assert said in (pens.search(query).notice or "")


@pytest.mark.parametrize(
    "query",
    ["c:penna", "id:penna", "ip:penna", "std::penna", "http://penna", "https://penna.example.org"],
)
def test_words_around_a_colon_that_are_no_filter_are_looked_for_without_a_word(
    pens: SearchIndex, query: str
) -> None:
    results = pens.search(query)
    assert "penna" in {hit.package_id for hit in results.hits}
    assert results.notice is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("editor " + " ".join(f"-w{n}" for n in range(13)), "only the first 12 of 13 filters"),
        (" ".join(f'"w{n}"' for n in range(40)), "only the first 12 of 40 filters"),
        ("license:mit " * 20, None),
        (" ".join(f"w{n}" for n in range(70)), "only 64 of the words"),
        ("x" * 1001, "only the first 1,000 characters"),
        ("x" * 1000, None),
    ],
)
def test_what_is_passed_over_of_a_long_query_is_said_in_every_way_to_search(
    pens: SearchIndex, file: Path, query: str, said: str | None
) -> None:
    with connect(file, read_only=True) as client:
        row = client.execute("SELECT fdnix_complaints(?)", [query]).fetchone()
    assert row is not None
    for notice in (pens.search(query).notice or "", "; ".join(row[0])):
        assert said in notice if said else "only" not in notice


def test_only_the_first_conditions_of_a_query_narrow_it(pens: SearchIndex) -> None:
    many = " ".join(f"-w{n}" for n in range(12))
    assert "stylus" in found(pens, f"editor {many} -browser")
    assert "stylus" not in found(pens, f"editor -browser {many}")


def test_an_offset_past_all_numbers_finds_nothing(pens: SearchIndex) -> None:
    results = pens.search("editor", offset=10**30)
    assert (results.hits, results.total) == ([], pens.search("editor").total)


@pytest.mark.parametrize("words", ["std::stylus", "https://stylus.org/x", "12:stylus", "a:stylus"])
def test_a_colon_alone_makes_no_filter(pens: SearchIndex, words: str) -> None:
    results = pens.search(words)
    assert results.notice is None
    assert results.hits[0].package_id == "stylus"


@pytest.mark.parametrize("query", ["qqqqqqqqqqqq", "***", "日本語", "…"])
def test_words_that_nobody_uses_find_nothing(pens: SearchIndex, query: str) -> None:
    results = pens.search(query)
    assert (results.hits, results.total) == ([], 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("словарь", "slovar"),
        ("ПЕРЕВОДЧИК", "slovar"),
        ("辞典", "jisho"),
        ("漢字 辞典", "jisho"),
        ("patisserie", "tarte"),
        ("GÉNÉRALE", "tarte"),
        ("ｐｅｎｎａ", "penna"),  # noqa: RUF001 (of full width)
        ("Ｘ２６４", "x264"),  # noqa: RUF001 (of full width)
    ],
)
def test_words_of_any_script_are_found(pens: SearchIndex, query: str, expected: str) -> None:
    assert pens.search(query).hits[0].package_id == expected


@pytest.mark.parametrize(("query", "expected"), [("辞 典", {"jisho"}), ("漢 -辞", set())])
def test_a_character_of_chinese_is_a_word(
    pens: SearchIndex, query: str, expected: set[str]
) -> None:
    assert found(pens, query) == expected


@pytest.mark.parametrize(
    "pasted", ["nixpkgs#penna", "pkgs.penna", "nix shell nixpkgs#penna", "nix run nixpkgs#penna"]
)
def test_what_is_pasted_from_a_command_or_a_configuration_names_the_package(
    pens: SearchIndex, pasted: str
) -> None:
    first = pens.search(pasted).hits[0]
    assert (first.package_id, first.why) == ("penna", "exact name")


def test_variants_come_newest_first_and_unreleased_ones_after_them(pens: SearchIndex) -> None:
    assert pens.search("newt").hits[0].variants == ["newt_10", "newt_2"]
    assert pens.search("serpent").hits[0].variants == [
        "serpent3",  # the one nixpkgs calls so
        "serpent314",
        "serpent313",
        "serpent311",
        "serpent39",
        "serpent315",
    ]


def test_the_total_is_known_past_the_end(pens: SearchIndex) -> None:
    all_of_them = pens.search("editor").total
    assert all_of_them > 2
    assert pens.search("editor", offset=500).total == all_of_them
    nothing = pens.search("editor", limit=0)
    assert (nothing.hits, nothing.total) == ([], all_of_them)


def test_a_limit_that_cannot_be_kept_is_refused(pens: SearchIndex) -> None:
    with pytest.raises(SettingsError, match="1000"):
        pens.search("editor", limit=5000)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("x264", ["x264"]),
        ("7zip", []),
        ("словарь", ["slovar"]),
        ("newt", ["newt_10", "newt_2"]),
        (
            "serpent",
            ["serpent3", "serpent311", "serpent313", "serpent314", "serpent315", "serpent39"],
        ),
    ],
)
def test_the_full_text_index_knows_digits(file: Path, words: str, expected: list[str]) -> None:
    with connect(file, read_only=True, extensions=("fts",)) as connection:
        connection.execute("USE main_file")
        rows = connection.execute("SELECT package_id FROM packages_fts_idx(?)", [words]).fetchall()
    assert sorted(name for (name,) in rows) == expected
