"""The licence of a package as one SPDX expression, and the licences it is made of.

The expression follows SPDX 2.3, Annex D ("SPDX license expressions"): `WITH` binds tighter than
`AND`, and `AND` tighter than `OR`; parentheses stand only where that order would be read wrongly.

- A licence with an `spdxId` is that identifier. Identifiers that no SPDX reader could parse
  (`unknown`, ones with blanks inside) count as absent.
- A licence with nothing but a `fullName` (`fullname` in older releases) that is an SPDX expression,
  or one of the names that Lua's and others' packages use for one, is that.
- Any other licence is `LicenseRef-` and its `shortName`, else its `fullName`, else its `url`,
  with each run of characters that Annex D forbids in an identifier replaced by a dash.
- `PLUS` of `lib.licenses` is the `+` of Annex D, which stands behind a licence of SPDX's list only:
  `GPL-2.0-only` becomes `GPL-2.0-or-later`, as SPDX has it since 3.0, and `LicenseRef-x`
  `LicenseRef-x-or-later`.
- nixpkgs' compounds keep their operator; its exceptions become `WITH`. Annex D lets `WITH` follow a
  single licence only, so an exception to a compound is written on each licence in it. An exception
  without identifier is `AdditionRef-…` (SPDX 3.0, Annex B; 2.3 has no word for it).
- A bare list is joined with `AND`. nixpkgs says only that all its members apply ("list of
  licenses", nixpkgs manual, `meta.license`): often to different files, never as a choice. SPDX's
  `AND` has the reader comply with all of them; `OR` would promise a choice nobody gave.
- In such lists an exception used to be written after its licence (`[ asl20 llvm-exception ]`), so
  one that follows a licence it can belong to is joined to that by `WITH`; any other exception
  without a licence is no valid SPDX and becomes a `LicenseRef-`.
- Older releases also write plain strings. One that is an SPDX expression, without regard to case
  (Annex D.2), is that; any other becomes one `LicenseRef-`.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

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
# Longer strings are prose, and prose may nest parentheses without end.
_LONGEST_EXPRESSION = 1000


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
        case None | str():
            return (text := fold_line(value or "")) and _from_text(text)
        case list():
            return _join("AND", _attach_exceptions(value))
        case {"licenses": list(members), "operator": "AND" | "OR" as operator}:
            return _join(operator, (_node(member) for member in members))
        case {"license": licence, "exception": exception}:
            return (base := _node(licence)) and _with(base, _exception_id(exception))
        case {"license": licence, "operator": "+"}:
            return (base := _node(licence)) and _or_later(base)
        case dict() if not {"licenses", "license", "exception"} & value.keys():
            return _from_licence(_license(value))
    raise ValueError(f"expected a licence, a compound of licences or a list, found {value!r:.60}")


def _from_licence(licence: License) -> _Node:
    if licence.spdx_id and not _EXCEPTION.fullmatch(licence.spdx_id):
        return licence.spdx_id
    if licence.full_name and not (licence.spdx_id or licence.short_name):
        return _from_text(licence.full_name)
    return _ref(licence)


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
            and " " not in before
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
    if " " in node:
        return f"LicenseRef-{_slug(f'{node} WITH {exception}'.removeprefix('LicenseRef-'))}"
    return f"{node} WITH {exception}"


def _or_later(node: _Node) -> _Node:
    if isinstance(node, _Compound):
        return _Compound(node.operator, tuple(map(_or_later, node.parts)))
    licence, *exception = node.split(" WITH ")
    if " " in licence:
        return f"LicenseRef-{_slug(node)}-or-later"
    if licence.startswith("LicenseRef-") or licence.endswith("-only"):
        licence = f"{licence.removesuffix('-only')}-or-later"
    elif not licence.endswith(("+", "-or-later")):
        licence += "+"
    return " WITH ".join([licence, *exception])


def _render(node: _Node) -> str:
    if isinstance(node, str):
        return node
    return f" {node.operator} ".join(
        f"({text})" if node.operator == "AND" and " OR " in text else text
        for text in map(_render, node.parts)
    )


def _licenses(value: object) -> Iterable[License]:
    match value:
        case str():
            text = fold_line(value)
            if text is not None:
                expression = _from_text(text)
                listed = " " not in expression and not expression.startswith("LicenseRef-")
                yield License(spdx_id=expression) if listed else License(short_name=text)
        case list():
            for member in value:
                yield from _licenses(member)
        case {"licenses": list(members)}:
            yield from _licenses(members)
        case {"license": licence, "exception": exception}:
            yield from _licenses([licence, exception])
        case {"license": licence}:
            yield from _licenses(licence)
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
        full_name=text_of(value, "fullName") or text_of(value, "fullname"),
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
    if not isinstance(value, dict):
        raise ValueError(f"expected a licence exception, found {value!r:.60}")  # noqa: TRY004
    exception = _license(value)
    if exception.spdx_id and not exception.spdx_id.endswith("+"):
        return exception.spdx_id
    return _ref(exception).replace("LicenseRef-", "AdditionRef-", 1)


def _slug(name: str) -> str:
    bare = re.sub(r"^[a-z+]+://", "", name)
    return _FORBIDDEN.sub("-", bare).strip("-") or "unnamed"


# Both are the licence that SPDX calls MIT: what luarocks calls it, and how it came to be called.
_OTHER_NAMES = {"mit/x11": "MIT", "mit/x license": "MIT"}


def _from_text(text: str) -> str:
    if known := _OTHER_NAMES.get(text.lower()):
        return known
    with suppress(InvalidLicenseExpression):
        if len(text) <= _LONGEST_EXPRESSION:
            return canonicalize_license_expression(text)
    return f"LicenseRef-{_slug(text[:_LONGEST_EXPRESSION].removeprefix('LicenseRef-'))}"
