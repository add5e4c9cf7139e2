"""Text as nixpkgs wrote it, made fit to be shown, compared and searched.

What is kept and what goes:

- NFC (Unicode Standard Annex 15), so that equal text is equal bytes.
- Every run of white space, line breaks and no-break spaces included, is one blank.
- Gone are control characters (category Cc), surrogates (Cs), which are no text, and the invisible
  formatting characters that split words or turn text around on a screen: the soft hyphen, the
  zero-width space, the word joiner, the byte order mark and the bidirectional marks, embeddings,
  overrides and isolates (Unicode Technical Report 36, section 2.5). The zero-width joiner and
  non-joiner stay, since emoji and several scripts are spelt with them.
"""

from __future__ import annotations

import json
import re
import unicodedata

_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff"
    "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
# An address that can be followed: a scheme a reader's client knows, a host, and no blank or
# character that RFC 3986 (section 2) and RFC 3987 exclude.
_URL = re.compile(
    r"(?i:https?|ftps?|gopher|gemini|git|svn|rsync|ssh)(?:\+[a-z]+)?://"
    r"(?:[^\s/?#@<>\"\\^`{|}]*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:<>\"\\^`{|}\[\]]+)(?::\d{1,5})?"
    r"(?:[/?#][^\s<>\"\\^`{|}]*)?"
)


def fold_line(text: str) -> str | None:
    """Return the text as one clean line, or None if nothing visible is in it."""
    if (
        text.isascii()
        and text.isprintable()
        and "  " not in text
        and not text.startswith(" ")
        and not text.endswith(" ")
    ):
        return text or None
    visible = _UNWANTED.sub("", text)
    return unicodedata.normalize("NFC", " ".join(visible.split())) or None


def fold_paragraphs(text: str) -> str | None:
    """Return the text with clean lines and at most one empty line in a row, or None if it is blank.

    Line breaks are kept because nixpkgs writes long descriptions in CommonMark, where they tell a
    list from a paragraph; indentation is not.
    """
    lines = [fold_line(line) or "" for line in text.splitlines()]
    kept = [line for index, line in enumerate(lines) if line or (index and lines[index - 1])]
    return "\n".join(kept).strip("\n") or None


def valid_url(text: str) -> str | None:
    """Return the address without blanks around it, or None if it is no absolute URL with a host."""
    address = text.strip()
    return address if address.isprintable() and _URL.fullmatch(address) else None


def valid_urls(text: str) -> list[str]:
    """Return the addresses in a text that is nothing else, blanks, commas or semicolons between."""
    whole = valid_url(text)
    if whole is not None and "," not in whole and ";" not in whole:
        return [whole]
    found = [valid_url(part.strip("<>")) for part in _BETWEEN_URLS.split(text.strip())]
    return [address for address in found if address] if all(found) else []


# A comma or semicolon may be part of an address; what follows tells.
_BETWEEN_URLS = re.compile(r"\s*[,;]\s*(?=<?[A-Za-z+]+://)|\s+")


def parse_drv_name(name: str) -> tuple[str, str]:
    """Return (pname, version) of a derivation name; the version may be empty.

    Nix's own rule (`DrvName::DrvName` in src/libstore/names.cc, which `builtins.parseDrvName` and
    `nix-env` use): the version is what follows the first dash that is itself followed by a
    character that is no letter. Nix compares bytes in the C locale, so only ASCII letters count.
    """
    match = _DASH_BEFORE_VERSION.search(name)
    return (name[: match.start()], name[match.end() :]) if match else (name, "")


_DASH_BEFORE_VERSION = re.compile(r"-(?=[^A-Za-z])", re.DOTALL)


def nix_string(text: str) -> str:
    """`text` as a string of the Nix language, in quotation marks."""
    # A JSON string is a Nix string but for interpolation and \u escapes.
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")
