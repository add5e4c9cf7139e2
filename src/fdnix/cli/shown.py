"""What files, catalogues and servers say, as a terminal may show it."""

from __future__ import annotations

import re

# Controls, which a terminal obeys (Unicode's category Cc), and what turns the direction of writing
# (Unicode Standard Annex 9).
_INVISIBLE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_IN_A_LINE = re.compile(f"[{_INVISIBLE}]")
_IN_A_TEXT = re.compile(rf"(?![\n\t])[{_INVISIBLE}]")
_IN_JSON = re.compile(f"(?![\x00-\x1f])[{_INVISIBLE}]")


def line(text: object) -> str:
    """`text` with its controls, line breaks among them, as escapes: ESC is `\\x1b`."""
    return _IN_A_LINE.sub(_escape, str(text))


def lines(text: object) -> str:
    """`text`, which may have line breaks and tabs, with other controls as escapes."""
    return _IN_A_TEXT.sub(_escape, str(text))


def json_text(document: str) -> str:
    """A JSON document with the controls that JSON lets stand in strings as JSON's escapes."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
