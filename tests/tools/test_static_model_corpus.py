"""What the static model learns from: whole phrases, distinct texts, and pairs on one package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from static_model.corpus import (
    PHRASE_MIN_COUNT,
    Package,
    Pair,
    is_usable,
    packages,
    pairs,
    phrases,
    read_summaries,
    texts,
)

from fdnix import pipeline
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path


def package(attribute: str, language: str = "", **given: object) -> Package:
    full = f"{attribute}. {given.get('description', '')}"
    return Package(
        **{  # type: ignore[arg-type]
            "attribute": attribute,
            "language": language,
            "description": "",
            "sentences": (),
            "full": full,
            "short": full,
            **given,
        }
    )


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("Terminal file manager", True),
        ("file manager", False),
        ("word " * 41, False),
        ("終端 檔案 管理 員", False),
        ("", False),
    ],
)
def test_only_phrases_and_sentences_are_learned_from(text: str, *, usable: bool) -> None:
    assert is_usable(text) is usable


def test_summaries_are_read_by_name_and_unusable_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "pypi.tsv"
    file.write_text("requests\tPython HTTP for Humans.\nempty\t\nshort\tx\n", encoding="utf-8")
    assert read_summaries(file) == {"requests": "Python HTTP for Humans."}


def test_texts_are_distinct_whatever_their_case() -> None:
    catalogue = [package("jq", description="JSON on the command line", full="jq. JSON processor")]
    found = texts(catalogue, [{"j": "json On The Command line"}])
    assert sorted(text.lower() for text in found) in (
        ["jq. json processor", "json on the command line"],
        ["j. json on the command line", "jq. json processor", "json on the command line"],
    )


def test_a_python_package_is_paired_with_its_namesake_on_pypi_only() -> None:
    catalogue = [package("ruamel-yaml", "python", description="YAML parser")]
    found = pairs(
        catalogue, {"ruamel.yaml": "Round trip YAML loader"}, [{"ruamel-yaml": "Other one"}]
    )
    assert found == [Pair("Round trip YAML loader", catalogue[0].full, namesake=True)]


def test_a_summary_that_repeats_the_description_teaches_nothing() -> None:
    catalogue = [package("jq", description="Command-line JSON processor")]
    assert not pairs(catalogue, {"jq": "command line JSON processor!"}, [])


def test_a_sentence_that_stands_on_many_packages_is_left_out() -> None:
    said = ("This package cannot be used directly",)
    assert pairs([package("a", sentences=said)], {}, [])
    assert not pairs([package(name, sentences=said) for name in "abc"], {}, [])


def test_words_that_stand_together_oftener_than_by_chance_are_phrases() -> None:
    together = ["A file manager"] * PHRASE_MIN_COUNT
    chance = [f"file{i} open source{i}" for i in range(300)] + ["open file"] * PHRASE_MIN_COUNT
    assert phrases([*together, *chance]) == ["file manager"]


def test_a_full_database_gives_one_package_for_each_distinct_text(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(60)))
    pipeline.run_metadata(settings)
    found = packages(settings.output_path)
    assert len({package.full for package in found}) == len(found) > 1
