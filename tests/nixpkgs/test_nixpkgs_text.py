from __future__ import annotations

import json
import os
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.nixpkgs.text import fold_line, fold_paragraphs, parse_drv_name, valid_url

# Surrogates included: a JSON reader may let them through.
any_text = st.text(
    st.characters() | st.sampled_from(" \t\r\n\0\x1b\x85\xa0\u2028\u200b\ud800\ufeff")
)


@given(any_text)
def test_a_line_is_clean_whatever_it_was(text: str) -> None:
    line = fold_line(text)
    if line is None:
        return
    assert line
    assert line == unicodedata.normalize("NFC", line)
    assert line.split() == line.split(" ")
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert line.encode()
    assert fold_line(line) == line


@given(any_text)
def test_a_line_keeps_every_visible_ascii_character(text: str) -> None:
    visible = [character for character in text if "!" <= character <= "~"]
    kept = [character for character in fold_line(text) or "" if "!" <= character <= "~"]
    # NFC may compose a letter with the accent after it, and takes U+1FEF for a grave accent.
    if text.isascii():
        assert kept == visible


@given(any_text)
def test_paragraphs_are_clean_lines_with_at_most_one_empty_line_between(text: str) -> None:
    paragraphs = fold_paragraphs(text)
    if paragraphs is None:
        return
    assert "\n\n\n" not in paragraphs
    assert paragraphs == paragraphs.strip()
    assert all(line == (fold_line(line) or "") for line in paragraphs.split("\n"))
    assert fold_paragraphs(paragraphs) == paragraphs


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        (" \n\t\u200b\0", None),
        ("Fast  \n\tgrep", "Fast grep"),
        ("no\xa0break", "no break"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("Cafe\u0301", "Caf\xe9"),
        ("zero\u200bwidth, soft\xadhyphen", "zerowidth, softhyphen"),
        ("\u202eevil\u202c", "evil"),
        ("half \ud83d pair", "half pair"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_a_line_by_example(text: str, line: str | None) -> None:
    assert fold_line(text) == line


def test_paragraphs_keep_the_lines_of_a_list() -> None:
    text = "Features:\r\n\r\n\r\n  - one\r\n  - two  wide\r\n\t\r\n"
    assert fold_paragraphs(text) == "Features:\n\n- one\n- two wide"


_NAMES = [
    ("nix-0.12pre12876", "nix", "0.12pre12876"),
    ("hello", "hello", ""),
    ("git-lfs-3.5.1", "git-lfs", "3.5.1"),
    ("python3.13-requests-2.32.3", "python3.13-requests", "2.32.3"),
    ("font-0-unstable-2024-01-01", "font", "0-unstable-2024-01-01"),
    ("ends-with-dash-", "ends-with-dash-", ""),
    ("a--b", "a", "-b"),
    ("a-_b", "a", "_b"),
    ("a-é", "a", "é"),
    ("a-\n", "a", "\n"),
    ("-1", "", "1"),
    ("", "", ""),
]


@pytest.mark.nix
@pytest.mark.skipif(shutil.which("nix-instantiate") is None, reason="Nix is not installed")
def test_nix_itself_splits_the_names_of_these_tests_so() -> None:
    expression = "{ names }: map builtins.parseDrvName (builtins.fromJSON names)"
    names = json.dumps([name for name, _, _ in _NAMES], ensure_ascii=False)
    finished = subprocess.run(
        [
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "--readonly-mode",
            "--argstr",
            "names",
            names,
            "-E",
            expression,
        ],
        check=True,
        capture_output=True,
        env=os.environ | {"NIX_REMOTE": "dummy://"},
    )
    assert json.loads(finished.stdout) == [
        {"name": pname, "version": version} for _, pname, version in _NAMES
    ]


@pytest.mark.parametrize(("name", "pname", "version"), _NAMES)
def test_names_are_split_as_nix_splits_them(name: str, pname: str, version: str) -> None:
    assert parse_drv_name(name) == (pname, version)


@given(st.text(st.sampled_from("ab1.-_é\n")))
def test_a_split_name_loses_nothing_and_splits_at_the_first_place(name: str) -> None:
    pname, version = parse_drv_name(name)
    assert name in {pname, f"{pname}-{version}"}
    assert parse_drv_name(pname) == (pname, "")
    assert not version[:1].isascii() or not version[:1].isalpha()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "HTTP://example.org:8080/a?b=c#d",
        "https://example.org#cli",
        "ftp://ftp.porcupine.org/pub/security/index.html",
        "gopher://bitreich.org/1/scm/sacc",
        "git+https://example.org/x.git",
        "https://en.wikipedia.org/wiki/Café_(disambiguation)",
        "http://[2001:db8::1]/",
        "ssh://git@example.org/x",
    ],
)
def test_addresses_that_can_be_followed_stay_as_they_are(url: str) -> None:
    assert valid_url(url) == url
    assert valid_url(f" {url}\n") == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "/usr/share/doc",
        "git@github.com:owner/repository.git",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://example.org/a b",
        'https://example.org/"><script>',
        "https://example.org/\x1b[31m",
        "https://example.org/\u2028x",
        "https://example.org/\u202ex",
    ],
)
def test_what_is_no_absolute_address_is_none(text: str) -> None:
    assert valid_url(text) is None
