"""From which file of the tree an attribute is built, where a package set says so."""

from __future__ import annotations

import posixpath
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from fdnix.nixpkgs.tree.nix import bindings

if TYPE_CHECKING:
    from collections.abc import Iterator

SET_FILE: Final = "pkgs/top-level/all-packages.nix"
_CALLS: Final = frozenset({"callPackage", "callPackages"})


def built_from(content: bytes) -> Iterator[tuple[str, str]]:
    """The attributes that `SET_FILE` builds by `callPackage`, and the path of the file of each."""
    for name, value in bindings(content.decode(errors="replace")):
        for call, token in pairwise(value):
            if call.text in _CALLS and token.text.startswith("."):
                path = posixpath.normpath(f"{posixpath.dirname(SET_FILE)}/{token.text}")
                yield name, path if path.endswith(".nix") else f"{path}/default.nix"
                break
