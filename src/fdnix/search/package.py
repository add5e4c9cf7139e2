"""Packages looked up in the minified database: what `fdnix_package` and its like return."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

MARKS = ("unfree", "broken", "insecure")
"""Why nixpkgs refuses a package, unless its user allows it."""

_REVISION = re.compile(r"[0-9a-f]{7,40}")
_POSITION = re.compile(r"(?P<file>[A-Za-z0-9_./+@-]+):(?P<line>\d+)")


class Refusable(Protocol):
    """What nixpkgs may refuse to evaluate, and why."""

    @property
    def package_id(self) -> str: ...  # noqa: D102

    @property
    def broken(self) -> bool: ...  # noqa: D102

    @property
    def insecure(self) -> bool: ...  # noqa: D102

    @property
    def unfree(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class Variant:
    """One of the attribute paths of an entry."""

    package_id: str
    version: str | None
    broken: bool
    insecure: bool
    unfree: bool


@dataclass(frozen=True)
class Package:
    """All that the file holds of one package.

    `position` is file and line in nixpkgs, `source_url` the same at the revision that was indexed,
    None where that is not known. `known_vulnerabilities` are in nixpkgs' words. `popularity`, from
    0 to 1, is how likely a public list of software names it, as a guess. `aliases` are
    what else nixpkgs calls it, or did. `variants` are all attribute paths of its entry, this one
    among them, likeliest first.
    """

    package_id: str
    attribute_set: str | None
    pname: str
    version: str | None
    description: str | None
    long_description: str | None
    homepage: str | None
    license: str | None
    maintainers: str | None
    main_program: str | None
    programs: list[str]
    platforms: list[str]
    available: bool
    broken: bool
    insecure: bool
    unfree: bool
    unsupported: bool
    known_vulnerabilities: list[str]
    popularity: float
    position: str | None
    source_url: str | None
    aliases: list[str]
    variants: list[Variant]


@dataclass(frozen=True)
class Alias:
    """A name that nixpkgs has or had, and that is no package.

    `note` says in a sentence what became of it. `target` is the attribute path that it stands for,
    or the first of `successors`, the packages to use in its place; None where nixpkgs names none.
    `means_target` is whether `target` is the same package under another name.
    """

    name: str
    target: str | None
    successors: list[str]
    note: str
    means_target: bool


@dataclass(frozen=True)
class _Listed:
    package_id: str
    version: str | None
    description: str | None
    broken: bool
    insecure: bool
    unfree: bool


@dataclass(frozen=True)
class SimilarPackage(_Listed):
    """A package like another; `vector_similarity` is the cosine of their texts' vectors."""

    vector_similarity: float


@dataclass(frozen=True)
class ProgramOwner(_Listed):
    """A package that has a program, and why that is thought."""

    why: str


def package(
    connection: duckdb.DuckDBPyConnection, attribute: str, revision: str | None
) -> Package | None:
    """The package at an attribute path, of nixpkgs at `revision`; None where there is none."""
    for row in rows(connection.execute("FROM fdnix_package(?)", [attribute])):
        variants = [Variant(**variant) for variant in row.pop("variants")]
        url = source_url(row["position"], revision)
        return Package(**row, source_url=url, variants=variants)
    return None


def alias(connection: duckdb.DuckDBPyConnection, name: str) -> Alias | None:
    """The alias of a name; None where nixpkgs has none."""
    for row in rows(connection.execute("FROM fdnix_alias(?)", [name])):
        return Alias(**row)
    return None


def similar(
    connection: duckdb.DuckDBPyConnection, attribute: str, limit: int
) -> list[SimilarPackage]:
    """The packages most like the one at an attribute path."""
    result = connection.execute("FROM fdnix_similar(?, max_hits := ?)", [attribute, limit])
    return [SimilarPackage(**row) for row in rows(result)]


def which(connection: duckdb.DuckDBPyConnection, program: str, limit: int) -> list[ProgramOwner]:
    """The packages that have a program."""
    result = connection.execute("FROM fdnix_which(?, max_hits := ?)", [program, limit])
    return [ProgramOwner(**row) for row in rows(result)]


def source_url(position: str | None, revision: str | None) -> str | None:
    """The page of a line of nixpkgs at a revision; None where either is not known."""
    place = _POSITION.fullmatch(position or "")
    if not place or not _REVISION.fullmatch(revision or ""):
        return None
    return f"https://github.com/NixOS/nixpkgs/blob/{revision}/{place['file']}#L{place['line']}"


def nix_shell(found: Refusable) -> str:
    """The command that brings a package, with what nixpkgs asks for where it refuses it."""
    # A # within a word starts no comment, but shlex does not know that.
    package = "nixpkgs#" + shlex.quote(found.package_id)
    allowed = [mark for mark in MARKS if getattr(found, mark)]
    if not allowed:
        return f"nix shell {package}"
    # A flake is evaluated without the environment but with --impure (nixpkgs manual, "Configuring
    # Nixpkgs").
    variables = " ".join(f"NIXPKGS_ALLOW_{mark.upper()}=1" for mark in allowed)
    return f"{variables} nix shell --impure {package}"


def nix_profile(found: Refusable) -> str:
    """The command that keeps a package in the user's profile, as `nix_shell` brings it."""
    return nix_shell(found).replace("nix shell", "nix profile install")


def rows(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rows of a result, each by the names of its columns.

    Raises:
        duckdb.DataError: a column of `packages` holds what it does not in a file of fdnix's.
    """
    names = [column[0] for column in result.description]
    found = result.fetchall()
    _refuse_other_kinds(names, found)
    return [dict(zip(names, row, strict=True)) for row in found]


_KINDS: dict[str, type | tuple[type, ...]] = {
    "package_id": str,
    "pname": str,
    "programs": list,
    "platforms": list,
    "popularity": float,
    "known_vulnerabilities": list,
    **dict.fromkeys(("available", "broken", "insecure", "unfree", "unsupported"), bool),
    **dict.fromkeys(
        (
            *("attribute_set", "version", "description", "long_description", "homepage"),
            *("license", "maintainers", "main_program", "position"),
        ),
        (str, NoneType),
    ),
}
"""What the columns of `packages` are for Python."""


def _refuse_other_kinds(names: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    from duckdb import DataError  # noqa: PLC0415 (what prints packages needs no DuckDB)

    kinds = [(place, _KINDS[name]) for place, name in enumerate(names) if name in _KINDS]
    for row in found:
        for place, kind in kinds:
            if not isinstance(row[place], kind):
                raise DataError(f"the column {names[place]} of packages holds {row[place]!r:.50}")
