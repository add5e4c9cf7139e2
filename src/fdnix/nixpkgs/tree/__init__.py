"""What a nixpkgs tree says of its packages beyond their meta, read as text and never evaluated."""

from __future__ import annotations

from fdnix.nixpkgs.tree.read import read_tree
from fdnix.nixpkgs.tree.tree import USAGE_COUNTS, Alias, Tree, TreeSource, Usage

__all__ = ["USAGE_COUNTS", "Alias", "Tree", "TreeSource", "Usage", "read_tree"]
