"""The text of a package that is embedded, and the hash that stands for it.

The text holds what a searcher would describe and nothing that changes with a release, so that an
update of nixpkgs embeds only packages that are new or newly described.
"""

from __future__ import annotations

import re
from hashlib import blake2b

TEXT_VERSION = 1
"""Raised by every change of `embedding_text`; it is part of the content hash."""

_LONG_DESCRIPTION_CHARACTERS = 300
_SEPARATORS = re.compile(r"[^\w+#]+|_+")


def embedding_text(
    pname: str, main_program: str | None, description: str | None, long_description: str | None
) -> str:
    """The text that a package's vector is computed from.

    The words of the pname, the program where its name differs, the description, and the start of
    the long description up to a word's end.
    """
    name = " ".join(_SEPARATORS.split(pname)).strip() or pname
    program = main_program if main_program and main_program != pname else None
    start = _start(long_description or "", _LONG_DESCRIPTION_CHARACTERS)
    return ". ".join(part.rstrip(".") for part in (name, program, description, start) if part)


def content_hash(text: str) -> str:
    """The BLAKE2b-128 of an embedding text and the text's version, as 32 hexadecimal digits."""
    return blake2b(f"{TEXT_VERSION}\n{text}".encode(), digest_size=16).hexdigest()


def _start(text: str, limit: int) -> str:
    folded = " ".join(text.split())
    if len(folded) <= limit:
        return folded
    head, _, _ = folded[: limit + 1].rpartition(" ")
    return head or folded[:limit]
