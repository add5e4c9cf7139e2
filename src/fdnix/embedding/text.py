"""The text of a package that is embedded, and the hash that stands for it.

The text holds what a searcher would describe and nothing that changes with a release, so that an
update of nixpkgs embeds only packages that are new or newly described. It is the same for the
variants of one package (`python313Packages.requests` and `python314Packages.requests`,
`postgresql_17` and `postgresql_18`), which then share a vector.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from fdnix.nixpkgs.attribute import split

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT_VERSION = 2
"""Raised by every change of `embedding_text`: a file of another version gets its texts from the
catalogue anew. Those that the change leaves as they were keep their hash, and so their vector."""

# Part of what is hashed since the first version; another one would have every text paid for again.
_HASHED_BEFORE = "1\n"

MAX_CHARACTERS = 4000
"""Of a longer text the start is embedded; the longest of nixpkgs has some 1,000."""

_LONG_DESCRIPTION_CHARACTERS = 300
_VERSION_SUFFIX = re.compile(r"(?<=[A-Za-z])[_-]?\d+(?:[_.]\d+)*$")
_WORD_BOUNDARY = re.compile(r"[^\w+#]+|_+|(?<=[a-z])(?=[A-Z])")
_DIGITS = re.compile(r"\d+")
_AROUND = "()[],;:."


def embedding_text(
    package_id: str,
    pname: str,
    version: str | None,
    main_program: str | None,
    description: str | None,
    long_description: str | None,
    kinds: Sequence[str] = (),
) -> str:
    """The text that a package's vector is computed from.

    The words of the attribute and of its set, without versions; the program where the name does
    not tell it; the description; the start of the long description, up to a word's end; and what
    kinds of thing it is.
    Where the descriptions quote the package's own version, it is left out. Of all that, no more
    than MAX_CHARACTERS.
    """
    attribute_set, attribute = split(package_id)
    # A number that is part of the name itself, as in x264, is no version.
    name = attribute if attribute == pname else _VERSION_SUFFIX.sub("", attribute)
    words = " ".join([*_words(name), *_set_words(attribute_set or "")]) or pname
    program = main_program if main_program and not _tells(name, main_program) else ""
    about = _without(version, description or "")
    start = _start(_without(version, long_description or ""), _LONG_DESCRIPTION_CHARACTERS)
    text = ". ".join(part.rstrip(".") for part in (words, program, about, start, *kinds) if part)
    return _start(text, MAX_CHARACTERS)


def content_hash(text: str) -> str:
    """The BLAKE2b-128 that stands for an embedding text, as 32 hexadecimal digits."""
    return blake2b(f"{_HASHED_BEFORE}{text}".encode(), digest_size=16).hexdigest()


def _words(name: str) -> list[str]:
    return [word for word in _WORD_BOUNDARY.split(name) if word]


@lru_cache(maxsize=4096)
def _set_words(attribute_set: str) -> list[str]:
    return _words(_DIGITS.sub(" ", attribute_set))


def _tells(name: str, program: str) -> bool:
    return program in name or _letters(program) in _letters(name)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _without(version: str | None, text: str) -> str:
    """`text` folded, without the words that are the version; versions without a dot stay."""
    words = text.split()
    if version and "." in version and version in text:
        words = [word for word in words if word.strip(_AROUND).removeprefix("v") != version]
    return " ".join(words)


def _start(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head, _, _ = text[: limit + 1].rpartition(" ")
    return head or text[:limit]
