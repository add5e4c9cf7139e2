"""The Nix language as far as a reader of names needs it: tokens, and the bindings of a set.

The grammar is that of the Nix manual ("Nix Language"). Nothing is evaluated, and nothing is
refused: of what is no Nix, the names that are there are read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Each alternative begins with another character, so that a text is read once.
_CODE: Final = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    |(?P<comment>/\*)
    |(?P<path>\.{0,2}(?:/[\w.+-]+)+)
    |(?P<name>[A-Za-z_][\w'-]*)
    |(?P<indented>'')
    |(?P<string>")
    |(?P<other>\$\{|//|.)""",
    re.VERBOSE | re.DOTALL,
)
_IN_STRING: Final = re.compile(r'[^"\\$]+|\\.|\$\{|.', re.DOTALL)
_IN_INDENTED: Final = re.compile(r"[^'$]+|''(?:['$]|\\.)|''|\$\{|.", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_INDENTED_ESCAPE: Final = re.compile(r"''(?:\\(.)|(\$)|('))", re.DOTALL)
_OPENING: Final = frozenset({"{", "(", "[", "${", "let"})
_CLOSING: Final = frozenset({"}", ")", "]", "in"})
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_SETS: Final = frozenset({"rec", "recurseIntoAttrs", "lib", "."})
_DEEPEST: Final = 200


class Token(NamedTuple):
    """A name, a string (its text, with interpolations as they stand), or what stands between."""

    kind: str
    """`name`, `string` or `other`."""
    text: str


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, without its blanks and comments."""
    found = []
    at = 0
    while match := _CODE.match(text, at):
        kind, at = str(match.lastgroup), match.end()
        if kind == "comment":
            end = text.find("*/", at)
            at = len(text) if end < 0 else end + 2
        elif kind in {"string", "indented"}:
            start = at
            at = _after_string(text, at, indented=kind == "indented")
            content = text[start : at - (1 if kind == "string" else 2)]
            found.append(Token("string", _unescaped(content, indented=kind == "indented")))
        elif kind != "blank":
            found.append(Token(kind if kind == "name" else "other", match[0]))
    return found


def _after_string(text: str, at: int, *, indented: bool) -> int:
    """Where the string ends that is open at `at`: an interpolation may hold strings of its own."""
    # What each string that is open is ended by; None for an interpolation.
    stack: list[str | None] = ["''" if indented else '"']
    while stack and at < len(text):
        if stack[-1] is None:
            match = _CODE.match(text, at)
            piece = match[0] if match else ""
            if piece == "}":
                stack.pop()
            elif piece in {"{", "${"}:
                stack.append(None)
            elif piece in {'"', "''"}:
                stack.append(piece)
        else:
            match = (_IN_STRING if stack[-1] == '"' else _IN_INDENTED).match(text, at)
            piece = match[0] if match else ""
            if piece == stack[-1]:
                stack.pop()
            elif piece == "${":
                stack.append(None)
        at += len(piece) or 1
    return at


def _unescaped(content: str, *, indented: bool) -> str:
    if indented:
        return _INDENTED_ESCAPE.sub(lambda m: m[1] or m[2] or "''", content)
    return _ESCAPE.sub(r"\1", content) if "\\" in content else content


class Binding(NamedTuple):
    """What a set gives to an attribute path: `a.b` for a set in a set, too."""

    name: str
    value: Sequence[Token]


def bindings(text: str) -> Iterator[Binding]:
    """The bindings of the sets that a Nix file evaluates to, those of sets in them included.

    What is bound by `let` is none of them.
    """
    found = tokens(text)
    at = 0
    while at < len(found):
        token = found[at]
        if token.text == "let" and token.kind == "name":
            at = _past(found, at + 1)
        elif token.text == "{" and token.kind == "other":
            end = _past(found, at + 1)
            # A set before a colon names a function's arguments.
            if end >= len(found) or found[end].text not in {":", "@"}:
                yield from _in_set(found[at + 1 : end - 1], "", 0)
            at = end
        else:
            at += 1


def _past(found: Sequence[Token], at: int) -> int:
    """The place after what closes what is open at `at`."""
    depth = 1
    while at < len(found):
        kind, text = found[at]
        at += 1
        if kind == "string":
            continue
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
            if depth == 0:
                return at
    return at


def _in_set(found: Sequence[Token], prefix: str, depth: int) -> Iterator[Binding]:
    at = 0
    while at < len(found):
        if found[at] == ("name", "inherit"):
            end = _statement_end(found, at)
            yield from _inherited(found[at + 1 : end], prefix)
            at = end + 1
            continue
        path, at = path_at(found, at)
        end = _statement_end(found, at)
        if path and at < len(found) and found[at].text == "=":
            value = found[at + 1 : end]
            yield Binding(prefix + path, value)
            if depth < _DEEPEST and (inner := _set_in(value)):
                yield from _in_set(inner, f"{prefix}{path}.", depth + 1)
        at = end + 1


def _set_in(value: Sequence[Token]) -> Sequence[Token]:
    """What is in a set of packages; what functions take as a set is none."""
    head = next((at for at, token in enumerate(value) if token.text == "{"), len(value))
    is_set = value[-1:] == [("other", "}")] and {text for _, text in value[:head]} <= _SETS
    return value[head + 1 : -1] if is_set else []


def path_at(found: Sequence[Token], at: int) -> tuple[str, int]:
    """An attribute path that begins at `at`, empty where there is none, and the place after it."""
    parts = []
    while at < len(found) and found[at].kind != "other":
        parts.append(found[at].text)
        at += 1
        if at >= len(found) or found[at].text != ".":
            break
        at += 1
    return ".".join(parts), at


def _statement_end(found: Sequence[Token], at: int) -> int:
    """The place of the semicolon that ends the statement around `at`."""
    depth = waiting = 0
    while at < len(found):
        kind, text = found[at]
        if kind == "string":
            pass
        elif text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif depth == 0 and text in {"with", "assert"}:
            waiting += 1
        elif depth == 0 and text == ";":
            if not waiting:
                return at
            waiting -= 1
        at += 1
    return at


def _inherited(found: Sequence[Token], prefix: str) -> Iterator[Binding]:
    """`inherit (a) b c` as `b = a.b` and `c = a.c`."""
    if not found or found[0].text != "(":
        return
    end = _past(found, 1)
    for token in found[end:]:
        if token.kind != "other":
            yield Binding(prefix + token.text, [*found[1 : end - 1], Token("other", "."), token])


def reference(value: Sequence[Token]) -> str | None:
    """The attribute path that an expression is, or None where it is something else."""
    path, end = path_at(value, 0)
    if end < len(value) or not path or value[0].kind != "name" or path in _CONSTANTS:
        return None
    return path


_COMMENT: Final = re.compile(r"#[^\n]*")
_ARGUMENT: Final = re.compile(r"(?:\A|,)\s*([A-Za-z_][\w'-]*)")
_LONGEST_HEAD: Final = 20_000


def arguments(text: str) -> list[str]:
    """What the function that a Nix file is takes: `{ stdenv, curl ? null }:`."""
    start = text.find("{", 0, _LONGEST_HEAD)
    if start < 0 or _COMMENT.sub("", text[:start]).strip():
        return []
    closings = (text.find(closing, start, start + _LONGEST_HEAD) for closing in ("}:", "}@", "} @"))
    end = min((found for found in closings if found > 0), default=start)
    return _ARGUMENT.findall(_COMMENT.sub("", text[start + 1 : end]))
