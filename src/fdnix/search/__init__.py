"""Search over the minified database."""

from __future__ import annotations

from fdnix.search.index import Filters, Hit, Parts, SearchIndex, SearchResults

__all__ = ["Filters", "Hit", "Parts", "SearchIndex", "SearchResults"]
