"""The licence of a package as one SPDX expression, and the licences it is made of.

The expression follows SPDX 2.3, Annex D ("SPDX license expressions"): `WITH` binds tighter than
`AND`, and `AND` tighter than `OR`; parentheses stand only where that order would be read wrongly.

- A licence with an `spdxId` is that identifier. Identifiers that no SPDX reader could parse
  (`unknown`, ones with blanks inside) count as absent.
- Any other licence is `LicenseRef-` and its `shortName`, else its `fullName`, else its `url`,
  with each run of characters that Annex D forbids in an identifier replaced by a dash.
- nixpkgs' compounds keep their operator; its exceptions become `WITH`. Annex D lets `WITH` follow a
  single licence only, so an exception to a compound is written on each licence in it. An exception
  without identifier is `AdditionRef-…` (SPDX 3.0, Annex B; 2.3 has no word for it).
- A bare list is joined with `AND`. nixpkgs says only that all its members apply ("list of
  licenses", nixpkgs manual, `meta.license`): often to different files, never as a choice. SPDX's
  `AND` has the reader comply with all of them; `OR` would promise a choice nobody gave.
- In such lists an exception used to be written after its licence (`[ asl20 llvm-exception ]`), so
  one that follows a licence it can belong to is joined to that by `WITH`; any other exception
  without a licence is no valid SPDX and becomes a `LicenseRef-`.
- Older releases also write plain strings. They are read as SPDX expressions, identifiers without
  regard to case (Annex D.2), and words that are no identifier become `LicenseRef-`.
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from fdnix.nixpkgs.text import fold_line, valid_url
from fdnix.nixpkgs.values import as_flag, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class License(msgspec.Struct, frozen=True, gc=False):
    """One licence, or licence exception, as nixpkgs describes it; None where it does not say."""

    short_name: str | None = None
    full_name: str | None = None
    spdx_id: str | None = None
    url: str | None = None
    free: bool | None = None
    redistributable: bool | None = None
    deprecated: bool | None = None


class Licensing(msgspec.Struct, frozen=True, gc=False):
    """What `meta.license` says: one SPDX expression, and every licence named in it, each once."""

    expression: str | None = None
    licenses: tuple[License, ...] = ()


_Operator: TypeAlias = Literal["AND", "OR"]


class _Compound(msgspec.Struct, frozen=True):
    operator: _Operator
    parts: tuple[_Node, ...]


_Node: TypeAlias = "str | _Compound"

_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]+\+?")
_NO_IDENTIFIER = frozenset({"unknown", "none", "noassertion"})
_FORBIDDEN = re.compile(r"[^A-Za-z0-9.]+")
_EXCEPTION = re.compile(r"(?!.*-(?:with|no)-).*-exception(?:-[0-9.]+)?", re.IGNORECASE)
_TOKEN = re.compile(r"[()]|[^\s()]+")
# Longer strings are prose, and prose may nest parentheses without end.
_LONGEST_EXPRESSION = 1000

SPDX_IDS: Mapping[str, str] = {
    identifier.lower(): identifier
    for identifier in (files(__package__) / "spdx-ids.txt").read_text("utf-8").split()
}
"""The SPDX identifiers nixpkgs' own licences carry, by their lower-case form."""


def read_license(value: object) -> Licensing:
    """Return the expression and the licences of a `meta.license` value.

    Both are empty for null and for lists without members: nixpkgs names no licence there.

    Raises:
        ValueError: the value has a form that nixpkgs does not write; the message says which.
    """
    node = _node(value)
    return Licensing(
        expression=None if node is None else sys.intern(_render(node)),
        licenses=tuple(dict.fromkeys(_licenses(value))),
    )


def _node(value: object) -> _Node | None:
    match value:
        case None:
            return None
        case str():
            text = fold_line(value)
            return None if text is None else _parse(text)
        case list():
            return _join("AND", _attach_exceptions(value))
        case {"licenses": list(members), "operator": "AND" | "OR" as operator}:
            return _join(operator, (_node(member) for member in members))
        case {"license": licence, "exception": exception}:
            base = _node(licence)
            return None if base is None else _with(base, _exception_id(exception))
        case dict() if "licenses" not in value and "exception" not in value:
            licence = _license(value)
            return licence.spdx_id if licence.spdx_id and _stands_alone(licence) else _ref(licence)
    raise ValueError(f"expected a licence, a compound of licences or a list, found {value!r:.60}")


def _stands_alone(licence: License) -> bool:
    return licence.spdx_id is not None and not _EXCEPTION.fullmatch(licence.spdx_id)


def _attach_exceptions(members: list[object]) -> Iterable[_Node | None]:
    nodes: list[_Node | None] = []
    for member in members:
        exception = member.get("spdxId") if isinstance(member, dict) else None
        before = nodes[-1] if nodes else None
        if (
            isinstance(exception, str)
            and _EXCEPTION.fullmatch(exception)
            and isinstance(before, str)
            and before.startswith(_bearers(exception))
            and " WITH " not in before
        ):
            nodes[-1] = _with(before, exception)
        else:
            nodes.append(_node(member))
    return nodes


def _bearers(exception: str) -> tuple[str, ...]:
    """Return how licences start that an exception in a list can belong to.

    Every exception nixpkgs knows amends a GNU licence, but for LLVM's, which amends Apache's.
    """
    return ("Apache-",) if exception == "LLVM-exception" else ("GPL-", "LGPL-", "AGPL-")


def _join(operator: _Operator, nodes: Iterable[_Node | None]) -> _Node | None:
    parts: list[_Node] = []
    for node in nodes:
        if isinstance(node, _Compound) and node.operator == operator:
            parts.extend(node.parts)
        elif node is not None:
            parts.append(node)
    distinct = tuple(dict.fromkeys(parts))
    if len(distinct) > 1:
        return _Compound(operator, distinct)
    return distinct[0] if distinct else None


def _with(node: _Node, exception: str) -> _Node:
    if isinstance(node, _Compound):
        return _Compound(node.operator, tuple(_with(part, exception) for part in node.parts))
    if " WITH " in node:
        return f"LicenseRef-{_slug(f'{node} WITH {exception}'.removeprefix('LicenseRef-'))}"
    return f"{node} WITH {exception}"


def _render(node: _Node) -> str:
    if isinstance(node, str):
        return node
    return f" {node.operator} ".join(
        f"({_render(part)})"
        if node.operator == "AND" and isinstance(part, _Compound)
        else _render(part)
        for part in node.parts
    )


def _licenses(value: object) -> Iterable[License]:
    match value:
        case str():
            text = fold_line(value)
            if text is not None:
                spdx_id = SPDX_IDS.get(text.lower())
                yield License(spdx_id=spdx_id) if spdx_id else License(short_name=text)
        case list():
            for member in value:
                yield from _licenses(member)
        case {"licenses": list(members)}:
            yield from _licenses(members)
        case {"license": licence, "exception": exception}:
            yield from _licenses([licence, exception])
        case dict():
            yield _license(value)


def _license(value: Mapping[str, object]) -> License:
    spdx_id = text_of(value, "spdxId")
    if spdx_id is not None and (
        not _IDENTIFIER.fullmatch(spdx_id) or spdx_id.lower() in _NO_IDENTIFIER
    ):
        spdx_id = None
    url = text_of(value, "url")
    return License(
        short_name=text_of(value, "shortName"),
        full_name=text_of(value, "fullName"),
        spdx_id=spdx_id,
        url=url and valid_url(url),
        free=as_flag(value.get("free")),
        redistributable=as_flag(value.get("redistributable")),
        deprecated=as_flag(value.get("deprecated")),
    )


def _ref(licence: License) -> str:
    name = licence.spdx_id or licence.short_name or licence.full_name or licence.url or ""
    return f"LicenseRef-{_slug(name)}"


def _exception_id(value: object) -> str:
    if isinstance(value, str):
        exception = License(spdx_id=SPDX_IDS.get(value.lower()), short_name=value)
    elif isinstance(value, dict):
        exception = _license(value)
    else:
        raise ValueError(f"expected a licence exception, found {value!r:.60}")  # noqa: TRY004
    return exception.spdx_id or _ref(exception).replace("LicenseRef-", "AdditionRef-", 1)


def _slug(name: str) -> str:
    bare = re.sub(r"^[a-z+]+://", "", name)
    return _FORBIDDEN.sub("-", bare).strip("-") or "unnamed"


def _parse(text: str) -> _Node:
    if len(text) <= _LONGEST_EXPRESSION:
        tokens = _TOKEN.findall(text)[::-1]
        try:
            node = _parse_operands(tokens, "OR")
        except (IndexError, ValueError, RecursionError):
            pass
        else:
            if not tokens:
                return node
    return _operand(_slug(text[:_LONGEST_EXPRESSION]))


def _parse_operands(tokens: list[str], operator: _Operator) -> _Node:
    """Take from the end of `tokens` what one operator joins; `AND` binds tighter than `OR`."""
    parts: list[_Node] = []
    while True:
        parts.append(_parse_operands(tokens, "AND") if operator == "OR" else _parse_operand(tokens))
        if not tokens or tokens[-1] != operator:
            node = _join(operator, parts)
            if node is None:
                raise ValueError(tokens)
            return node
        tokens.pop()


def _parse_operand(tokens: list[str]) -> _Node:
    token = tokens.pop()
    if token == "(":  # noqa: S105  a parenthesis, no password
        node = _parse_operands(tokens, "OR")
        if tokens.pop() != ")":
            raise ValueError(tokens)
        return node
    if token in {")", "AND", "OR", "WITH"}:
        raise ValueError(token)
    licence = _operand(token)
    if tokens and tokens[-1] == "WITH":
        tokens.pop()
        exception = tokens.pop()
        if not _IDENTIFIER.fullmatch(exception):
            raise ValueError(exception)
        known = SPDX_IDS.get(exception.lower())
        prefix = "" if known or exception.startswith("AdditionRef-") else "AdditionRef-"
        return f"{licence} WITH {prefix}{known or _slug(exception)}"
    return licence


def _operand(word: str) -> str:
    known = SPDX_IDS.get(word.removesuffix("+").lower())
    if known and not _EXCEPTION.fullmatch(known):
        return known + ("+" if word.endswith("+") else "")
    return f"LicenseRef-{_slug(word.removeprefix('LicenseRef-'))}"
