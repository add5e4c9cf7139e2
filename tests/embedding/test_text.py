"""The embedded text: what a searcher would describe, and nothing that changes with a release."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.embedding.text import content_hash, embedding_text

NAMES = st.from_regex(r"[a-z]{2,10}(-[a-z]{2,8})?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3}){1,3}", fullmatch=True)
PROSE = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=400)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("ripgrep", "ripgrep", "14.1.1", "rg", "Fast search tool", "Like grep."),
            "ripgrep. rg. Fast search tool. Like grep",
        ),
        (
            ("python313Packages.requests", "requests", "2.32", None, "HTTP library", None),
            "requests python Packages. HTTP library",
        ),
        (
            ("postgresql_17", "postgresql", "17.2", "psql", "Database", None),
            "postgresql. psql. Database",
        ),
        (("x264", "x264", "3095", "x264", "H.264 encoder", None), "x264. H.264 encoder"),
        (("bare", "bare", None, None, None, None), "bare"),
    ],
)
def test_examples(
    arguments: tuple[str, str, str | None, str | None, str | None, str | None], text: str
) -> None:
    assert embedding_text(*arguments) == text


@given(NAMES, VERSIONS, VERSIONS, PROSE, PROSE)
def test_a_version_bump_never_changes_the_text(
    name: str, old: str, new: str, description: str, long_description: str
) -> None:
    """Whatever the descriptions say, as long as they do not quote either version."""
    if old in description + long_description or new in description + long_description:
        return
    texts = {
        embedding_text(name, name, version, None, description, long_description)
        for version in (old, new, None)
    }
    assert len(texts) == 1


@given(NAMES, VERSIONS, VERSIONS)
def test_a_description_that_quotes_its_version_does_not_change_with_it(
    name: str, old: str, new: str
) -> None:
    def text(version: str) -> str:
        return embedding_text(name, name, version, None, f"Tool, release {version} of it", None)

    assert text(old) == text(new)
    assert not re.search(r"\d", text(old))


@given(NAMES, VERSIONS, PROSE, st.integers(7, 40), st.integers(7, 40))
def test_the_variants_of_a_package_share_its_text(
    name: str, version: str, description: str, one: int, other: int
) -> None:
    for form in ("python3{}Packages.{}", "linuxPackages_6_{}.{}", "php{}Extensions.{}"):
        assert embedding_text(
            form.format(one, name), name, version, None, description, None
        ) == embedding_text(form.format(other, name), name, version, None, description, None)
    assert embedding_text(
        f"{name}_{one}", name, version, None, description, None
    ) == embedding_text(f"{name}_{other}", name, version, None, description, None)


@given(NAMES, PROSE, PROSE)
def test_the_text_is_one_line_of_bounded_length_that_starts_with_the_name(
    name: str, description: str, long_description: str
) -> None:
    text = embedding_text(name, name, "1.0", None, description, long_description)
    assert text
    assert text.split(". ")[0].split()[0] == name.split("-", maxsplit=1)[0]
    assert len(text) <= len(name) + len(description) + 300 + len(". . ")


def test_a_long_description_ends_with_a_whole_word() -> None:
    text = embedding_text("a", "a", None, None, None, "wordy " * 100)
    assert text == "a. " + "wordy " * 49 + "wordy"
    assert embedding_text("a", "a", None, None, None, "x" * 1000) == "a. " + "x" * 300


def test_different_packages_have_different_texts_and_hashes() -> None:
    texts = [
        embedding_text("vim", "vim", None, None, "An editor", None),
        embedding_text("nano", "nano", None, None, "An editor", None),
        embedding_text("vim", "vim", None, "vi", "An editor, too", None),
    ]
    assert len({content_hash(text) for text in texts}) == 3


@given(PROSE)
def test_the_content_hash_is_32_hexadecimal_digits_of_the_text_alone(text: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", content_hash(text))
    assert content_hash(text) == content_hash(text)
    assert content_hash(text) != content_hash(text + "x")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=12), st.text(max_size=50))
def test_no_name_however_odd_is_an_error(
    package_id: str, pname: str, version: str, description: str
) -> None:
    assert isinstance(embedding_text(package_id, pname, version, pname, description, None), str)
