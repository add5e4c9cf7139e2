"""Search over the minified database."""

from __future__ import annotations

from fdnix.search.engine import Hit, SearchIndex, SearchResults

__all__ = ["Hit", "SearchIndex", "SearchResults"]
