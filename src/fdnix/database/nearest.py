"""The nearest vectors: those whose heads are nearest, compared whole."""

from __future__ import annotations

from fdnix.database.connection import read_sql

CANDIDATES = 800
"""How many vectors whose heads are nearest are compared whole."""


def nearest_query(dimensions: int, head: int) -> str:
    """The query for the distances of the nearest `embeddings`, of vectors and heads so long."""
    return read_sql("database", "nearest").format(
        dimensions=dimensions, head=head, candidates=CANDIDATES
    )
