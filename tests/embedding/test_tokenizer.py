"""How texts become tokens: as DuckDB reads them, phrases first, rare words in pieces."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.embedding.tokenizer import Tokenizer, units

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHABET = string.ascii_lowercase + string.digits
UNITS_IN_SQL = r"""
    SELECT regexp_extract_all(lower(strip_accents(text)), '[a-z0-9]+|[!-/:-@\[-`{-~]')
    FROM texts ORDER BY number
"""
COMBINING = "\u0300\u0301\u0308\u0327\u0338\u0345\u20dd\u3099"
COMPOSED = "éÅİıßſ\u212a\u037e\u1fef\u226e한"
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(f"{string.printable}\0{COMBINING}{COMPOSED}"),
)


def units_by_duckdb(texts: Sequence[str]) -> list[list[str]]:
    table = pa.table({"number": range(len(texts)), "text": texts})
    with duckdb.connect() as connection:
        connection.register("texts", table)
        return [found for (found,) in connection.execute(UNITS_IN_SQL).fetchall()]


def tokens_of(text: str, *known: str) -> list[str]:
    tokens = [*ALPHABET, *(f"##{c}" for c in ALPHABET), *string.punctuation, *known]
    return [tokens[number] for number in Tokenizer(tokens).encode(text)]


def test_every_character_separates_or_joins_as_in_duckdb() -> None:
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = [
        " ".join(f"{before}{c}b {c}" for c in characters[start : start + 128])
        for start in range(0, len(characters), 128)
        for before in "aé"
    ]
    for text, expected in zip(texts, units_by_duckdb(texts), strict=True):
        assert units(text) == expected


@given(st.lists(st.text(CHARACTERS), min_size=1, max_size=50))
def test_units_are_those_of_duckdb(texts: list[str]) -> None:
    assert [units(text) for text in texts] == units_by_duckdb(texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("HTTP/2 für Rust", ["http", "/", "2", "fur", "rust"]),
        ("cafe\u0301s", ["cafes"]),
        ("c++ -- 日本語", ["c", "+", "+", "-", "-"]),
        ("snake_case", ["snake", "_", "case"]),
    ],
)
def test_units_are_ascii_words_and_single_punctuation_characters(
    text: str, expected: list[str]
) -> None:
    assert units(text) == expected


def test_two_neighbouring_words_that_are_one_token_become_it() -> None:
    known = ["file", "manager", "file manager"]
    assert tokens_of("A file  Manager", *known) == ["a", "file manager"]
    assert tokens_of("file, manager", *known) == ["file", ",", "manager"]
    assert tokens_of("manager file", *known) == ["manager", "file"]


def test_phrases_are_taken_leftmost_first_and_never_overlap() -> None:
    assert tokens_of("a b c", "a b", "b c") == ["a b", "c"]
    assert tokens_of("x a b a b", "a b", "b a") == ["x", "a b", "a b"]


def test_a_word_of_a_phrase_need_not_be_a_token() -> None:
    assert tokens_of("nix shell", "nix shell") == ["nix shell"]
    assert tokens_of("shell", "nix shell", "sh") == ["sh", "##e", "##l", "##l"]


def test_an_unknown_word_becomes_its_longest_pieces_from_left_to_right() -> None:
    known = ["post", "postgre", "##sql", "##ql"]
    assert tokens_of("postgresql", *known) == ["postgre", "##sql"]
    assert tokens_of("postsqlx", *known) == ["post", "##sql", "##x"]
    assert tokens_of("qz", *known) == ["q", "##z"]


def test_a_piece_inside_a_word_is_no_word_of_its_own() -> None:
    assert tokens_of("##ql ql", "##ql") == ["#", "#", "q", "##l", "q", "##l"]
