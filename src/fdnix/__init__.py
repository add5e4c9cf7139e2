"""fdnix: nixpkgs as one self-contained search index."""

from __future__ import annotations

__version__ = "0.1.0"
