"""Query files of both forms, and the part of each that is kept aside."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KNOWN_ITEM = "known-item"
"""The category of the queries of a JSONL file, which name none."""

VARIANT = "variant"
"""The category whose queries ask for one variant, so that its siblings are no answer."""

CURATED_HELD_EVERY = 2
KNOWN_ITEM_HELD_EVERY = 3


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One query and its answers: `relevant[0]` is what people mean, later tiers will do."""

    q: str
    category: str
    relevant: tuple[tuple[str, ...], ...]
    held: bool = False


class Part(StrEnum):
    """Which queries of a file to take: the tuning part, the part kept aside, or both."""

    TUNE = "tune"
    HELD = "held"
    ALL = "all"


class _KnownItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: str
    relevant: tuple[str, ...]


class _Curated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    q: str
    category: str
    relevant: tuple[tuple[str, ...], ...]


class _CuratedFile(msgspec.Struct, frozen=True):
    queries: tuple[_Curated, ...]


def read_queries(path: Path) -> tuple[Query, ...]:
    """The queries of a file of either form, in the file's order.

    Two forms are read: known-item JSONL, one object `{"query", "relevant": [ids]}` a line, and
    tiered JSON, a list (or an object that holds it as `queries`) of
    `{"q", "category", "relevant": [[ids], …]}`.

    Raises:
        ValueError: the file is of neither form, or a query has no answer.
    """
    data = path.read_bytes()
    try:
        queries = _known_items(data) if path.suffix == ".jsonl" else _curated(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: not a query file: {error}") from error
    for query in queries:
        if not query.relevant or not all(query.relevant):
            raise ValueError(f"{path}: the query {query.q!r} has an empty list of answers")
    return queries


def select(queries: Iterable[Query], part: Part) -> tuple[Query, ...]:
    """The queries of one part."""
    if part is Part.ALL:
        return tuple(queries)
    return tuple(query for query in queries if query.held is (part is Part.HELD))


def is_held(text: str, every: int) -> bool:
    """Whether the query is kept aside: one in `every` is, chosen by the SHA-256 of its text.

    The choice depends on the text alone, so adding queries moves none from one part to the other.
    """
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % every == 0


def _known_items(data: bytes) -> tuple[Query, ...]:
    items = msgspec.json.Decoder(_KnownItem).decode_lines(data)
    return tuple(
        Query(
            item.query,
            KNOWN_ITEM,
            (item.relevant,),
            is_held(item.query, KNOWN_ITEM_HELD_EVERY),
        )
        for item in items
    )


def _curated(data: bytes) -> tuple[Query, ...]:
    decoded = msgspec.json.decode(data, type=tuple[_Curated, ...] | _CuratedFile)
    items = decoded.queries if isinstance(decoded, _CuratedFile) else decoded
    return tuple(
        Query(item.q, item.category, item.relevant, is_held(item.q, CURATED_HELD_EVERY))
        for item in items
    )
