from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.nixpkgs.license import License, read_license

_MIT = {
    "deprecated": False,
    "free": True,
    "fullName": "MIT License",
    "licenseType": "simple",
    "redistributable": True,
    "shortName": "mit",
    "spdxId": "MIT",
    "url": "https://spdx.org/licenses/MIT.html",
}
_UNFREE = {"shortName": "unfree", "fullName": "Unfree", "free": False}


def _spdx(spdx_id: str) -> dict[str, Any]:
    return {"licenseType": "simple", "spdxId": spdx_id}


def _compound(operator: str, *members: object) -> dict[str, Any]:
    return {"licenseType": "compound", "operator": operator, "licenses": list(members)}


def _exception(licence: object, exception: object) -> dict[str, Any]:
    return {
        "licenseType": "exception",
        "operator": "WITH",
        "license": licence,
        "exception": exception,
    }


def _expression(value: object) -> str | None:
    return read_license(value).expression


def test_one_licence_keeps_all_that_nixpkgs_says_of_it() -> None:
    licensing = read_license(_MIT)
    assert licensing.expression == "MIT"
    assert licensing.licenses == (
        License(
            short_name="mit",
            full_name="MIT License",
            spdx_id="MIT",
            url="https://spdx.org/licenses/MIT.html",
            free=True,
            redistributable=True,
            deprecated=False,
        ),
    )


def test_what_nixpkgs_does_not_say_is_none() -> None:
    (licence,) = read_license({"fullName": "MIT/X11"}).licenses
    assert licence == License(full_name="MIT/X11")


@pytest.mark.parametrize("value", [None, [], "", " ", [[]], _compound("AND")])
def test_no_licence_is_none(value: object) -> None:
    assert read_license(value).expression is None
    assert read_license(value).licenses == ()


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ([_MIT, _spdx("ISC")], "MIT AND ISC"),
        ([_MIT, _MIT], "MIT"),
        ([_MIT, [_spdx("ISC")]], "MIT AND ISC"),
        (_compound("OR", _MIT, _spdx("Unlicense")), "MIT OR Unlicense"),
        (_compound("AND", _MIT, _compound("AND", _spdx("ISC"), _MIT)), "MIT AND ISC"),
        (
            [_spdx("ISC"), _compound("OR", _MIT, _spdx("Zlib"))],
            "ISC AND (MIT OR Zlib)",
        ),
        (
            _compound("OR", _MIT, _compound("AND", _spdx("ISC"), _spdx("Zlib"))),
            "MIT OR ISC AND Zlib",
        ),
        (
            _exception(_spdx("Apache-2.0"), _spdx("LLVM-exception")),
            "Apache-2.0 WITH LLVM-exception",
        ),
        (
            _compound(
                "AND", _spdx("NCSA"), _exception(_spdx("Apache-2.0"), _spdx("LLVM-exception"))
            ),
            "NCSA AND Apache-2.0 WITH LLVM-exception",
        ),
        (
            _exception(
                _compound("OR", _spdx("GPL-2.0-only"), _spdx("GPL-3.0-only")),
                _spdx("Classpath-exception-2.0"),
            ),
            (
                "GPL-2.0-only WITH Classpath-exception-2.0"
                " OR GPL-3.0-only WITH Classpath-exception-2.0"
            ),
        ),
        (
            _exception(_spdx("GPL-2.0-only"), {"shortName": "my own"}),
            "GPL-2.0-only WITH AdditionRef-my-own",
        ),
    ],
)
def test_lists_compounds_and_exceptions(value: object, expression: str) -> None:
    assert _expression(value) == expression


@pytest.mark.parametrize(
    ("members", "expression"),
    [
        (["GPL-2.0-only", "Classpath-exception-2.0"], "GPL-2.0-only WITH Classpath-exception-2.0"),
        (
            ["NCSA", "Apache-2.0", "LLVM-exception", "MIT"],
            "NCSA AND Apache-2.0 WITH LLVM-exception AND MIT",
        ),
        # Not Apple's licence: LLVM's exception amends Apache's alone.
        (["APSL-2.0", "LLVM-exception"], "APSL-2.0 AND LicenseRef-LLVM-exception"),
        (["LLVM-exception"], "LicenseRef-LLVM-exception"),
        (["MPL-2.0-no-copyleft-exception"], "MPL-2.0-no-copyleft-exception"),
        (["GPL-2.0-with-classpath-exception"], "GPL-2.0-with-classpath-exception"),
    ],
)
def test_an_exception_in_a_list_belongs_to_the_licence_before_it(
    members: list[str], expression: str
) -> None:
    assert _expression([_spdx(member) for member in members]) == expression


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ({"spdxId": " GPL-2.0-with-font-exception"}, "GPL-2.0-with-font-exception"),
        ({"spdxId": "unknown", "shortName": "msvc"}, "LicenseRef-msvc"),
        ({"spdxId": "two words", "fullName": "Two Words"}, "LicenseRef-Two-Words"),
        (_UNFREE, "LicenseRef-unfree"),
        ({"fullName": "Our own"}, "LicenseRef-Our-own"),
        ({"shortName": "mit", "fullName": "MIT"}, "LicenseRef-mit"),
        ({"url": "https://example.org/l/~x.html"}, "LicenseRef-example.org-l-x.html"),
        ({"spdxId": "LicenseRef-Own"}, "LicenseRef-Own"),
        # Newer than the list of identifiers that strings are read with.
        ({"spdxId": "BOLA-1.1"}, "BOLA-1.1"),
        ({"fullName": "許諾"}, "LicenseRef-unnamed"),
    ],
)
def test_licences_that_spdx_does_not_list(value: object, expression: str) -> None:
    assert _expression(value) == expression


@pytest.mark.parametrize(
    "value",
    [
        {"fullName": "MIT/X11"},
        {"fullName": "MIT/X license"},
        {"fullName": "mit"},
        {"fullname": "MIT"},
        "MIT/X11",
    ],
)
def test_a_full_name_that_says_which_licence_of_spdx_it_is_is_that(value: object) -> None:
    assert _expression(value) == "MIT"


def test_the_older_spelling_of_full_names_is_read() -> None:
    assert read_license({"fullname": "Our own"}).licenses == (License(full_name="Our own"),)


def _plus(licence: object) -> dict[str, Any]:
    return {"licenseType": "plus", "operator": "+", "license": licence}


@pytest.mark.parametrize(
    ("licence", "expression"),
    [
        (_spdx("EUPL-1.1"), "EUPL-1.1+"),
        (_spdx("GPL-2.0-only"), "GPL-2.0-or-later"),
        (_spdx("GPL-2.0-or-later"), "GPL-2.0-or-later"),
        (_spdx("GPL-2.0+"), "GPL-2.0+"),
        ({"shortName": "own"}, "LicenseRef-own-or-later"),
        (_compound("OR", _spdx("EUPL-1.1"), _spdx("OSL-2.1")), "EUPL-1.1+ OR OSL-2.1+"),
        (
            _exception(_spdx("Apache-2.0"), _spdx("LLVM-exception")),
            "Apache-2.0+ WITH LLVM-exception",
        ),
        ([], None),
    ],
)
def test_plus_is_any_later_version(licence: object, expression: str | None) -> None:
    assert _expression(_plus(licence)) == expression
    assert read_license(_plus(licence)).licenses == read_license(licence).licenses


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("lgpl-3.0-or-later", "LGPL-3.0-or-later"),
        ("mit or (Apache-2.0 and ISC)", "MIT OR (Apache-2.0 AND ISC)"),
        ("LicenseRef-Own", "LicenseRef-Own"),
        ("GPL-2.0+", "GPL-2.0+"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("free", "LicenseRef-free"),
        ("GPLv2 (see COPYING)", "LicenseRef-GPLv2-see-COPYING"),
        ("MIT AND", "LicenseRef-MIT-AND"),
        ("GPL-2.0-only AND own", "LicenseRef-GPL-2.0-only-AND-own"),
        ("(" * 100 + "MIT" + ")" * 100, "(" * 100 + "MIT" + ")" * 100),
        ("(" * 100_000, "LicenseRef-unnamed"),
    ],
)
def test_plain_strings_of_older_releases(text: str, expression: str) -> None:
    assert _expression(text) == expression


def test_an_expression_among_others_keeps_its_meaning() -> None:
    assert _expression(["MIT OR ISC", _spdx("Zlib")]) == "(MIT OR ISC) AND Zlib"
    assert (
        _expression(_exception("MIT OR ISC", _spdx("LLVM-exception")))
        == "LicenseRef-MIT-OR-ISC-WITH-LLVM-exception"
    )


def test_a_plain_string_is_kept_among_the_licences() -> None:
    assert read_license("mit").licenses == (License(spdx_id="MIT"),)
    assert read_license("perl5").licenses == (License(short_name="perl5"),)


@pytest.mark.parametrize(
    "value",
    [
        5,
        True,
        [None, 5],
        {"spdxId": 5},
        {"free": "perhaps"},
        {"operator": "XOR", "licenses": []},
        {"licenses": "MIT", "operator": "AND"},
        {"license": _MIT, "exception": 5},
        {"license": _MIT, "operator": "-"},
        {"license": _MIT, "exception": "Classpath-exception-2.0"},
    ],
)
def test_other_forms_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_license(value)


_SPDX_IDS = (
    "MIT",
    "Apache-2.0",
    "GPL-2.0-only",
    "GPL-2.0+",
    "GPL-2.0-with-classpath-exception",
    "MPL-2.0-no-copyleft-exception",
    "LLVM-exception",
    "Classpath-exception-2.0",
    "BOLA-1.1",
    " MIT",
    "unknown",
)
_texts = st.text(max_size=12) | st.sampled_from(["MIT OR ISC", "GPL-2.0-only AND (ISC OR MIT)"])
_simple = st.fixed_dictionaries(
    {},
    optional={
        "spdxId": st.sampled_from(_SPDX_IDS),
        "shortName": _texts,
        "fullName": _texts,
        "url": _texts,
        "free": st.booleans(),
    },
)
_values = st.recursive(
    _simple | _texts | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(
            lambda operator, members: _compound(operator, *members),
            st.sampled_from(["AND", "OR"]),
            st.lists(inner, max_size=4),
        )
        | st.builds(_exception, inner, _simple)
        | st.builds(_plus, inner)
    ),
    max_leaves=12,
)

# SPDX 2.3, Annex D.1, with AdditionRef- of SPDX 3.0 as one more exception.
_SIMPLE = r"[A-Za-z0-9.-]+\+?"
_TERM = re.compile(rf"{_SIMPLE}(?: WITH [A-Za-z0-9.-]+)?")


def _is_expression(text: str) -> bool:
    """Reduce terms and parentheses to one term, as the grammar's productions do backwards."""
    if any(word in {"", "(", ")"} for word in text.split(" ")):
        return False
    reduced = _TERM.sub(lambda term: term[0] if term[0] in {"AND", "OR"} else "x", text)
    previous = ""
    while previous != reduced:
        previous = reduced
        reduced = re.sub(r"x (?:AND|OR) x(?! WITH)", "x", reduced)
        reduced = reduced.replace("(x)", "x")
    return reduced == "x"


@given(_values)
def test_every_expression_follows_the_grammar_of_spdx(value: object) -> None:
    expression = _expression(value)
    if expression is not None:
        assert _is_expression(expression), expression


@given(st.text())
def test_any_string_has_an_expression_or_is_blank(text: str) -> None:
    expression = _expression(text)
    assert expression is None or _is_expression(expression)
