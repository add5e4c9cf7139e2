"""To which package it belongs what is said of a name."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fdnix.nixpkgs.values import distinct

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from fdnix.nixpkgs.tree.tree import Alias

# Of aliases that lead to one another; nixpkgs has chains of three.
_LONGEST_CHAIN: Final = 20
# A file of more packages than that builds no one of them: it is a list, or what builds lists.
_MOST_IN_A_FILE: Final = 60
# `python3.pkgs.x` is `python3Packages.x`, and nothing of `python3`.
_PACKAGE_SET: Final = re.compile(r"\A(\w+)\.pkgs\.")
_BY_NAME: Final = "pkgs/by-name/"


class Owners:
    """The packages of a catalogue, by the names and the files of a tree."""

    def __init__(
        self,
        packages: Mapping[str, str | None],
        aliases: Iterable[Alias],
        built: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Take attribute paths with their positions (`file:line`), and what the tree says of names.

        That is its aliases, and which attributes are built from which file.

        Of two aliases of one name the first counts.
        """
        self._packages = packages
        self._aliases: dict[str, Alias] = {}
        for alias in aliases:
            self._aliases.setdefault(alias.name, alias)
        self._sets = {name.rpartition(".")[0] for name in packages}
        self._words: dict[str, str] = {}
        self._files: defaultdict[str, list[str]] = defaultdict(list)
        for name, position in packages.items():
            if "." not in name:
                word = _folded(name)
                self._words[word] = min(name, self._words.get(word, name))
            if position:
                self._files[position.rpartition(":")[0]].append(name)
        for name, path in built:
            if name in packages and name not in self._files[path]:
                self._files[path].append(name)

    def package(self, name: str) -> str | None:
        """The package of that very path, whose set may be an alias."""
        return self._through_aliases(name) if "." in name or name in self._packages else None

    def attribute(self, name: str) -> str | None:
        """The package that an attribute path leads to: through aliases, or as a part of it."""
        name, in_set = _PACKAGE_SET.subn(r"\1Packages.", name)
        while name.count(".") >= in_set and name:
            if found := self._through_aliases(name):
                return found
            name = name.rpartition(".")[0]
        return None

    def word(self, name: str) -> str | None:
        """The package that people call so."""
        return self._through_aliases(name) or self._words.get(_folded(name))

    def of_file(self, path: str) -> Iterator[str]:
        """The packages that the file at `path` builds."""
        here = self._files.get(path, [])
        if len(here) <= _MOST_IN_A_FILE:
            yield from here
        # The folder of the first two letters, then the package's own.
        if path.startswith(_BY_NAME) and path.count("/") > _BY_NAME.count("/") + 1:
            name = path.split("/")[3]
            if name in self._packages and (name not in here or len(here) > _MOST_IN_A_FILE):
                yield name

    def aliases(self) -> Iterator[Alias]:
        """The aliases that are no packages, with packages for targets wherever one is reached.

        Where the name leads to none, the target is the first package that its message suggests.
        Those that lead neither to a package nor to a set of packages, and say nothing, are left
        out.
        """
        for name, alias in self._aliases.items():
            if name in self._packages:
                continue
            found = self._through_aliases(name)
            successors = distinct([*([found] if found else []), *self._suggested(alias)])
            target = found or self._through_aliases(name, self._sets)
            if target or alias.message:
                yield replace(
                    alias,
                    target=target or next(iter(successors), alias.target),
                    successors=successors,
                )

    def _suggested(self, alias: Alias) -> Iterator[str]:
        """The packages that the message of `alias` suggests: in its own set, or outside."""
        own_set, _, own_name = alias.name.rpartition(".")
        for name in alias.successors:
            places = [f"{own_set}.{name}", name] if own_set else [name]
            found = next(filter(None, map(self._through_aliases, places)), None)
            if found and name != own_name:
                yield found

    def _through_aliases(self, name: str, known: Container[str] = ()) -> str | None:
        """The package, or the set that is in `known`, that `name` or an alias of it names."""
        for _ in range(_LONGEST_CHAIN):
            if name in self._packages or name in known:
                return name
            target = self._target(name)
            if target is None:
                return None
            name = target
        return None

    def _target(self, name: str) -> str | None:
        """What stands for `name`, itself an alias or a member of a set that is one."""
        head, rest = name, ""
        while head:
            if found := self._aliases.get(head):
                return found.target and found.target + rest
            head, dot, last = head.rpartition(".")
            rest = dot + last + rest
        return None


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")
