"""What well-known packages are, in the words of those who look for one: `kinds.tsv`, by us.

A line of it is a name, a tab, and a few phrases between semicolons: nginx is a "web server" and a
"reverse proxy". nixpkgs' own descriptions often say neither. What is in a set stands by the set's
name without a version, as pythonPackages.pandas.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from fdnix.nixpkgs import attribute

if TYPE_CHECKING:
    from collections.abc import Mapping


def kinds(path: str, version: str | None) -> tuple[str, ...]:
    """The phrases of the attribute path, else of what it is without versions."""
    table = _table()
    return table.get(path) or table.get(attribute.unversioned(path, version), ())


@cache
def _table() -> Mapping[str, tuple[str, ...]]:
    text = (resources.files("fdnix.nixpkgs") / "kinds.tsv").read_text(encoding="ascii")
    rows = (line.split("\t") for line in text.splitlines())
    return {name: tuple(phrases.split("; ")) for name, phrases in rows}
