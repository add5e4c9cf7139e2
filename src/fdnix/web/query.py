"""A query with one filter more or less, which is where a page's facets lead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fdnix.search.index import Facet

# What fdnix_pieces (search/sql/query.sql) cuts a query into.
_PIECE = re.compile(r'-?(?:[A-Za-z]+:)?"[^"]*"|\S+')
_GROUPS = {"is": "Status", "license": "Licence", "set": "Attribute set", "platform": "Platform"}
_SHOWN = 8


class Choice(NamedTuple):
    """One value of a facet: how many hits it leaves, if it is chosen, and the query to go to."""

    value: str
    entries: int
    chosen: bool
    query: str


class Group(NamedTuple):
    """The values of one filter."""

    name: str
    choices: list[Choice]


def groups(query: str, facets: Sequence[Facet], total: int) -> list[Group]:
    """The facets of a query's hits: what would narrow them, and what is chosen already."""
    pieces = _PIECE.findall(query)
    asked = {piece.lower() for piece in pieces}
    result = []
    for key, name in _GROUPS.items():
        choices = []
        for facet in facets:
            if facet.key != key:
                continue
            piece = _piece(key, facet.value)
            chosen = piece.lower() in asked
            rest = [other for other in pieces if other.lower() != piece.lower()]
            if chosen or facet.entries < total:
                target = " ".join(rest if chosen else [*pieces, piece])
                choices.append(Choice(facet.value, facet.entries, chosen, target))
        choices.sort(key=lambda choice: not choice.chosen)
        if choices:
            result.append(Group(name, choices[:_SHOWN]))
    return result


def _piece(key: str, value: str) -> str:
    return f'{key}:"{value}"' if " " in value else f"{key}:{value}"
