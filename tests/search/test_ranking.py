"""What a person types, and what stands first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fdnix.search import SearchIndex


def found(index: SearchIndex, text: str, limit: int = 10) -> list[str]:
    return [hit.package_id for hit in index.search(text, limit=limit).hits]


@pytest.mark.parametrize(
    "name", ["ripgrep", "git", "jq", "less", "age", "R", "mc", "openssl", "docker-compose", "yq-go"]
)
def test_a_whole_name_stands_first(index: SearchIndex, name: str) -> None:
    assert found(index, name)[0] == name


def test_case_and_punctuation_of_a_name_do_not_matter(index: SearchIndex) -> None:
    assert found(index, "Docker Compose")[0] == "docker-compose"
    assert found(index, "RIPGREP")[0] == "ripgrep"


@pytest.mark.parametrize(
    ("start", "name"),
    [
        ("postgres", "postgresql"),
        ("firef", "firefox"),
        ("wiresh", "wireshark"),
        ("inksc", "inkscape"),
    ],
)
def test_the_start_of_a_name_is_enough(index: SearchIndex, start: str, name: str) -> None:
    assert found(index, start)[0] == name


@pytest.mark.parametrize(
    ("misspelt", "name"),
    [
        ("ripgrap", "ripgrep"),
        ("fierfox", "firefox"),
        ("keepasxc", "keepassxc"),
        ("tnux", "tmux"),
        ("xnkscape", "inkscape"),
        ("alacrity", "alacritty"),
    ],
)
def test_one_or_two_slips_are_forgiven(index: SearchIndex, misspelt: str, name: str) -> None:
    assert found(index, misspelt)[0] == name


def test_what_is_named_after_a_misspelt_name_follows_it(index: SearchIndex) -> None:
    assert found(index, "dockre")[:2] == ["docker", "docker-compose"]


def test_the_start_of_a_name_is_not_taken_for_a_shorter_one(index: SearchIndex) -> None:
    assert found(index, "gnumer")[0] == "gnumeric"


def test_the_last_word_need_not_be_typed_to_its_end(index: SearchIndex) -> None:
    whole, begun = found(index, "terminal emulator"), found(index, "terminal emulat")
    assert len(set(whole[:5]) & set(begun[:5])) >= 3


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("terminal file manager written in rust", "yazi"),
        ("plot graphs from data", "gnuplot"),
        ("search text in files recursively", "ripgrep"),
        ("relational database server", "postgresql"),
        ("video editor kde", "kdePackages.kdenlive"),
    ],
)
def test_what_a_thing_does_finds_it(index: SearchIndex, text: str, package: str) -> None:
    assert package in found(index, text, limit=5)


def test_a_program_finds_its_package(index: SearchIndex) -> None:
    assert found(index, "rg")[0] == "ripgrep"
    assert found(index, "nvim")[0] == "neovim"


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("python requests", "python313Packages.requests"),
        ("emacs magit", "emacsPackages.magit"),
        ("perl moose", "perlPackages.Moose"),
        ("vim fugitive", "vimPlugins.vim-fugitive"),
        ("magit", "emacsPackages.magit"),
    ],
)
def test_a_language_and_a_name_find_the_language_package(
    index: SearchIndex, text: str, package: str
) -> None:
    assert found(index, text)[0] == package


def test_versions_of_one_package_are_one_entry(index: SearchIndex) -> None:
    hits = index.search("postgresql", limit=50).hits
    assert hits[0].variants[0] == "postgresql"
    assert set(hits[0].variants) == {
        "postgresql",
        "postgresql_16",
        "postgresql_17",
        "postgresql_18",
    }
    elsewhere = [variant for hit in hits[1:] for variant in hit.variants]
    assert not set(elsewhere) & set(hits[0].variants)


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("postgresql 17", "postgresql_17"),
        ("postgresql_16", "postgresql_16"),
        ("python314 requests", "python314Packages.requests"),
        ("python314Packages.requests", "python314Packages.requests"),
        ("requests python 3.14", "python314Packages.requests"),
        ("python313Packages.numpy", "python313Packages.numpy"),
    ],
)
def test_a_query_that_names_a_variant_gets_it(index: SearchIndex, text: str, variant: str) -> None:
    assert found(index, text)[0] == variant


def test_the_pages_of_a_search_follow_one_another(index: SearchIndex) -> None:
    whole = index.search("editor", limit=20)
    pages = [
        hit.package_id
        for offset in range(0, 20, 5)
        for hit in index.search("editor", limit=5, offset=offset).hits
    ]
    assert pages == [hit.package_id for hit in whole.hits]
    assert whole.total > 20


def test_a_hit_says_why_it_was_found(index: SearchIndex) -> None:
    assert index.search("ripgrep").hits[0].why == "exact name"
    assert index.search("ripgrap").hits[0].why == "name is spelt like the query"
    assert index.search("inksc").hits[0].why == "name starts with the query"
    hit = index.search("relational database").hits[0]
    assert 0 < hit.parts.coverage <= 1
    assert hit.score == max(h.score for h in index.search("relational database").hits)
