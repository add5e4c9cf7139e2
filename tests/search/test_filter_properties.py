"""Whatever a filter is spelt like, each hit obeys it, or the notice names it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdnix import pipeline
from fdnix.errors import SettingsError
from fdnix.search import Filters, SearchIndex
from fdnix.search.filters import FILTERS, Filter
from support.catalogues import entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

MIT = {"shortName": "mit", "spdxId": "MIT", "fullName": "MIT", "free": True}
GPL3 = {"shortName": "gpl3Only", "spdxId": "GPL-3.0-only", "fullName": "GPL", "free": True}
UNFREE = {"shortName": "unfree", "fullName": "Unfree", "free": False}
ADA = {"name": "Ada Example", "github": "ada-x"}
LINUX = ["x86_64-linux", "aarch64-linux"]
DARWIN = ["aarch64-darwin"]

CATALOGUE = {
    "penna": entry("penna", description="Text editor", license=MIT, maintainers=[ADA]),
    "libpenna": entry("libpenna", description="Text library", license=[GPL3, MIT]),
    "quill": entry("quill", description="Editor of feathers", license=GPL3, platforms=LINUX),
    "stylus": entry("stylus", description="Editor", license=UNFREE, unfree=True, available=False),
    "nib": entry("nib", description="Editor of one line", broken=True, available=False),
    "ink": entry("ink", description="Editor of stains", insecure=True, available=False),
    "serpent3Packages.penna": entry("penna", description="Bound editor", platforms=DARWIN),
    "serpentPackages.nib": entry("nib2", description="Bound library", maintainers=[ADA]),
}
EVERY = set(CATALOGUE)
IN_SETS = {"serpent3Packages.penna", "serpentPackages.nib"}
HELD = {
    "platform": {
        "aarch64-darwin": EVERY - {"quill"},
        "darwin": EVERY - {"quill"},
        "x86_64-linux": EVERY - {"serpent3Packages.penna"},
    },
    "set": {"serpent3Packages": {"serpent3Packages.penna"}, "serpentPackages": IN_SETS},
    "license": {
        "MIT": {"penna", "libpenna"},
        "gpl": {"libpenna", "quill"},
        "gpl3Only": {"libpenna", "quill"},
        "GPL-3.0-only AND MIT": {"libpenna"},
        "unfree": {"stylus"},
    },
    "maintainer": {
        "ada-x": {"penna", "serpentPackages.nib"},
        "Ada Example": {"penna", "serpentPackages.nib"},
    },
    "free": EVERY - {"stylus"},
    "unfree": {"stylus"},
    "working": EVERY - {"nib"},
    "broken": {"nib"},
    "secure": EVERY - {"ink"},
    "insecure": {"ink"},
    "available": EVERY - {"stylus", "nib", "ink"},
    "unavailable": {"stylus", "nib", "ink"},
    "top-level": EVERY - IN_SETS,
}
"""The packages that have each value of a filter, and each flag and opposite."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYS = [row.key for row in FILTERS if not row.is_flag] + ["is"]
FLAGS = [name for row in FILTERS if row.is_flag for name in (row.key, row.opposite) if name]


@pytest.fixture(scope="module")
def pens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    folder = tmp_path_factory.mktemp("pens")
    made = settings_in(folder, write_catalogue(folder / "packages.json", CATALOGUE))
    pipeline.run(made)
    with SearchIndex.open(made.output_minified_path) as index:
        yield index


@dataclass(frozen=True)
class Asked:
    """A filter as somebody spells it, and the packages that have what it asks."""

    key: str
    value: str
    held: set[str]


def asked(row: Filter) -> list[Asked]:
    held: Any = HELD[row.key]
    if not row.is_flag:
        return [Asked(row.key, value, passing) for value, passing in held.items()]
    return [Asked("is", name, HELD[name]) for name in (row.key, row.opposite) if name]  # type: ignore[arg-type]


ASKED = [one for row in FILTERS for one in asked(row)]


def shown(index: SearchIndex, text: str, filters: Filters | None = None) -> set[str]:
    hits = index.search(text, limit=100, filters=filters).hits
    return {variant for hit in hits for variant in hit.variants}


def spelt(key: str, value: str, *, negated: bool, quoted: bool) -> str:
    inside = f'"{value}"' if quoted or " " in value or not value else value
    return f"{'-' if negated else ''}{key}:{inside}"


@st.composite
def slip(draw: st.DrawFn, text: str) -> str:
    """`text` with a letter too many, too few, another, or two that changed places."""
    letters = [at for at, letter in enumerate(text) if letter.isalpha()]
    at = draw(st.sampled_from(letters))
    letter = draw(st.sampled_from(LETTERS))
    after = text[at + 1 :]
    return draw(
        st.sampled_from(
            [
                text[:at] + letter + text[at:],
                text[:at] + letter + after,
                text[:at] + after,
                text[:at] + after[:1] + text[at] + after[1:],
            ]
        )
    )


case = st.sampled_from([str, str.lower, str.upper, str.title])
words = st.sampled_from(["", "editor", "text library"])
examples = settings(max_examples=25, deadline=None, derandomize=True)


@examples
@given(words, st.sampled_from(ASKED), case, case, st.booleans(), st.booleans())
def test_what_a_filter_asks_is_obeyed_however_it_is_written(
    pens: SearchIndex, text: str, one: Asked, key: Any, value: Any, negated: bool, quoted: bool
) -> None:
    piece = spelt(key(one.key), value(one.value), negated=negated, quoted=quoted)
    passing = EVERY - one.held if negated else one.held
    assert shown(pens, f"{text} {piece}") == passing & shown(pens, text) if text else passing
    assert pens.search(f"{text} {piece}").notice is None


@examples
@given(words, st.sampled_from(ASKED), st.booleans(), st.booleans(), st.data())
def test_a_misspelt_key_is_named(
    pens: SearchIndex, text: str, one: Asked, negated: bool, quoted: bool, data: st.DataObject
) -> None:
    key = data.draw(slip(one.key).filter(lambda key: key not in KEYS))
    piece = spelt(key, one.value, negated=negated, quoted=quoted)
    assert f"there is no filter {key}:" in (pens.search(f"{text} {piece}").notice or "")


@examples
@given(words, st.sampled_from(ASKED), st.booleans(), st.booleans(), st.data())
def test_a_misspelt_value_is_named(
    pens: SearchIndex, text: str, one: Asked, negated: bool, quoted: bool, data: st.DataObject
) -> None:
    wrong = f"{data.draw(slip(one.value))}q"
    piece = spelt(one.key, wrong, negated=negated, quoted=quoted)
    results = pens.search(f"{text} {piece}")
    said = "there is no filter is:" if one.key == "is" else f"nothing has {one.key}:"
    assert f"{said}{wrong.lower()}" in (results.notice or "")
    if not negated and one.key != "is":
        assert results.hits == []


@examples
@given(words, st.sampled_from(KEYS), st.sampled_from(["", " ", "  "]), st.booleans())
def test_a_filter_without_a_value_is_named(
    pens: SearchIndex, text: str, key: str, value: str, negated: bool
) -> None:
    piece = spelt(key, value, negated=negated, quoted=True)
    for written in (piece, piece.rstrip('" ')):
        assert f"{key}:" in (pens.search(f"{text} {written}").notice or "")


@examples
@given(words, st.sampled_from([row for row in FILTERS if not row.is_flag]), case, st.data())
def test_an_argument_is_obeyed_refused_or_named(
    pens: SearchIndex, text: str, row: Filter, written: Any, data: st.DataObject
) -> None:
    def filters(value: str) -> Filters:
        field: Any = {row.field: value}
        return replace(Filters(), **field)

    value, held = data.draw(st.sampled_from(sorted(HELD[row.key].items())))  # type: ignore[attr-defined]
    base = shown(pens, text) if text else EVERY
    assert shown(pens, text, filters(f" {written(value)}")) == held & base
    wrong = f"{data.draw(slip(value))}q"
    named = pens.search(text, filters=filters(wrong))
    assert f"nothing has {row.key}:{wrong.lower()}" in (named.notice or "")
    with pytest.raises(SettingsError, match=f"{row.option}: the value is blank"):
        pens.search(text, filters=filters(" "))
