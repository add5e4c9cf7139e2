"""How the local model reads a text: units, phrases of two words, and pieces of rare words.

DuckDB reads texts in the same way from the table of the minified database, so each rule here is
one that SQL can state.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PIECE = 28
"""The most letters and digits that a token has, `##` and phrases aside."""

_UNIT = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_MARKS_OF_UNICODE_15 = frozenset(
    "\u0cf3\u0ece\U00010efd\U00010efe\U00010eff\U00011241\U00011f00\U00011f01\U00011f03\U00011f34"
    "\U00011f35\U00011f36\U00011f37\U00011f38\U00011f39\U00011f3a\U00011f3e\U00011f3f\U00011f40"
    "\U00011f41\U00011f42\U00013440\U00013447\U00013448\U00013449\U0001344a\U0001344b\U0001344c"
    "\U0001344d\U0001344e\U0001344f\U00013450\U00013451\U00013452\U00013453\U00013454\U00013455"
    "\U0001e08f\U0001e4ec\U0001e4ed\U0001e4ee\U0001e4ef"
)
"""DuckDB knows them, and Python from 3.12 on."""


def units(text: str) -> list[str]:
    r"""The runs of ASCII letters and digits, and the ASCII punctuation characters, of a text.

    As DuckDB's `regexp_extract_all(lower(strip_accents(text)), '[a-z0-9]+|[!-/:-@\[-`{-~]')`.
    """
    return _UNIT.findall((text if text.isascii() else _strip_accents(text)).lower())


def _strip_accents(text: str) -> str:
    # DuckDB's strip_accents ends a text that is not ASCII at its first NUL.
    decomposed = unicodedata.normalize("NFD", text.partition("\0")[0])
    return "".join(
        character
        for character in decomposed
        if unicodedata.category(character)[0] != "M" and character not in _MARKS_OF_UNICODE_15
    )


def pieces(word: str) -> set[str]:
    """The tokens that a word may be cut into."""
    return {
        ("##" if start else "") + word[start:end]
        for start in range(len(word))
        for end in range(start + 1, min(len(word), start + LONGEST_PIECE) + 1)
    }


class Tokenizer:
    """Texts to the numbers of their tokens."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """Number `tokens`, among which are all single units and, after `##`, letters and digits."""
        self.numbers = {token: number for number, token in enumerate(tokens)}
        self._pieces = lru_cache(maxsize=2**16)(self._cut)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens, in their order.

        Two neighbouring words that are one token together become that token, leftmost first; a
        word that is no token becomes its longest pieces from left to right.
        """
        found: list[int] = []
        rest = iter(units(text))
        unit = next(rest, "")
        while unit:
            following = next(rest, "")
            phrase = self.numbers.get(f"{unit} {following}")
            if phrase is not None:
                found.append(phrase)
                following = next(rest, "")
            elif unit in self.numbers:
                found.append(self.numbers[unit])
            else:
                found += self._pieces(unit)
            unit = following
        return found

    def _cut(self, word: str) -> list[int]:
        found: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            longest = min(len(word), start + LONGEST_PIECE)
            end = next(
                end for end in range(longest, start, -1) if prefix + word[start:end] in self.numbers
            )
            found.append(self.numbers[prefix + word[start:end]])
            start, prefix = end, "##"
        return found
