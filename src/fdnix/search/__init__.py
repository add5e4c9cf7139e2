"""Search over the minified database. What it offers is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdnix.search.index import (
        Facet,
        Filters,
        Hit,
        Parts,
        SearchIndex,
        SearchResults,
        Suggestion,
    )

__all__ = ["Facet", "Filters", "Hit", "Parts", "SearchIndex", "SearchResults", "Suggestion"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("fdnix.search.index"), name)
