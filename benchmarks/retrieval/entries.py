"""Which packages are variants of one entry, decided here and not by any engine under test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

_VERSION = re.compile(r"(?<=[A-Za-z])(?:_?\d+(?:_\d+)*|[-_]\d+(?:[-_]\d+)+)(?=[-_.]|[A-Z]|$)")
_KERNEL = re.compile(r"^linuxKernel\.packages\..*")
_INTERPRETER = re.compile(r"^(?:python|luajit|lua|ruby|ocaml|perl|erlang|php|coq)\d[\d.]*-")


class Package(NamedTuple):
    """The columns of a package that tell its entry."""

    package_id: str
    attribute_set: str | None
    pname: str
    description: str | None


def entry_of(packages: Iterable[Package]) -> dict[str, int]:
    """The number of the entry of every package.

    Two packages are variants of one entry when their attribute sets are the same up to a version
    (`python313Packages` and `python314Packages`, the package sets of two kernels), their `pname`
    is the same, and so is their description, or their attribute name up to a version
    (`postgresql` and `postgresql_17`).
    """
    parents: list[int] = []
    firsts: dict[Hashable, int] = {}
    numbers: dict[str, int] = {}

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    for package in packages:
        number = len(parents)
        parents.append(number)
        numbers[package.package_id] = number
        for key in _keys(package):
            parents[root(number)] = root(firsts.setdefault(key, number))
    return {package_id: root(number) for package_id, number in numbers.items()}


def _keys(package: Package) -> Iterable[Hashable]:
    attribute_set = _KERNEL.sub("linuxKernel.packages", package.attribute_set or "")
    attribute_set = _VERSION.sub("", attribute_set.replace("luajitPackages", "luaPackages"))
    pname = _INTERPRETER.sub("", package.pname)
    attribute = package.package_id.rpartition(".")[2]
    yield attribute_set, pname, "attribute", _VERSION.sub("", attribute)
    if package.description:
        yield attribute_set, pname, "description", package.description
