"""What well-known packages are, in the words of those who look for one: `kinds.tsv`, by us.

A line of it is an attribute, a tab, and a few phrases between semicolons: nginx is a "web server"
and a "reverse proxy". nixpkgs' own descriptions often say neither.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def kinds(package_id: str, base_name: str) -> tuple[str, ...]:
    """The phrases of the attribute at the top level, else of its name without a version."""
    table = _table()
    return () if "." in package_id else table.get(package_id) or table.get(base_name, ())


@cache
def _table() -> Mapping[str, tuple[str, ...]]:
    text = (resources.files("fdnix.nixpkgs") / "kinds.tsv").read_text(encoding="ascii")
    rows = (line.split("\t") for line in text.splitlines())
    return {attribute: tuple(phrases.split("; ")) for attribute, phrases in rows}
