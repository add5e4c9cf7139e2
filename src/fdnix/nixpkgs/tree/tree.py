"""What was read of a nixpkgs tree, and to which packages of a catalogue it belongs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

T = TypeVar("T")

# Of aliases that lead to one another; nixpkgs has chains of three.
_LONGEST_CHAIN = 20

TreeSource = Literal["channel", "path", "nixpkgs"]
"""Where a tree is from: a channel, NIXPKGS_TREE, or the nixpkgs that was evaluated."""


@dataclass(frozen=True)
class Usage:
    """In how many places of the tree an attribute is used or written about.

    Attributes:
        modules: files under `nixos/modules` that take it out of `pkgs`.
        module_options: options that `mkPackageOption pkgs` makes for it.
        own_modules: modules whose file or folder has its name.
        tests: files under `nixos/tests` that name it.
        own_tests: tests that have its name.
        release_notes: files of release notes that name it.
        manual: files of the NixOS manual, those beside modules included, that name it.
        doc: files of the Nixpkgs manual that name it.
        arguments: files of packages that take it as an argument.
    """

    modules: int = 0
    module_options: int = 0
    own_modules: int = 0
    tests: int = 0
    own_tests: int = 0
    release_notes: int = 0
    manual: int = 0
    doc: int = 0
    arguments: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The places of both."""
        return Usage(*(getattr(self, name) + getattr(other, name) for name in USAGE_COUNTS))


USAGE_COUNTS = tuple(count.name for count in fields(Usage))
"""The names of what `Usage` counts, in order."""


@dataclass(frozen=True)
class Alias:
    """A name that is no package any more, or stands for one.

    Attributes:
        name: an attribute path.
        target: the attribute path it stands for, or that replaces it; None where there is none.
        message: what nixpkgs says to who uses the name; None where it says nothing.
    """

    name: str
    target: str | None
    message: str | None


@dataclass(frozen=True)
class Tree:
    """What a nixpkgs tree says, by attribute path.

    Attributes:
        source: where the tree is from.
        revision: its git revision, where it is known.
        usage: how often each attribute is used.
        usage_texts: what modules and desktop items say of it, in a few words each.
        programs: the programs that its build text and its desktop items name.
        listed_programs: the programs that the channel found in its binary package.
        aliases: names for other attributes, and names that were removed.
    """

    source: TreeSource
    revision: str | None = None
    usage: Mapping[str, Usage] = field(default_factory=dict)
    usage_texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    listed_programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()


def resolved(tree: Tree, packages: Collection[str]) -> Tree:
    """What the tree says, by attribute paths that are in `packages`.

    What it says of a name that is no package belongs to the package that the name is an alias of,
    through other aliases if need be. Of the aliases, those that are packages are left out, and the
    targets of the others are packages wherever one is reached.
    """
    aliases = {alias.name: alias for alias in tree.aliases}

    def package(name: str) -> str | None:
        for _ in range(_LONGEST_CHAIN):
            if name in packages:
                return name
            target = _target(name, aliases)
            if target is None:
                return None
            name = target
        return None

    def merged(said: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for name, values in _names_first(said, packages):
            if owner := package(name):
                found[owner] += values
        return {name: tuple(dict.fromkeys(values)) for name, values in found.items()}

    usage: defaultdict[str, Usage] = defaultdict(Usage)
    for name, counts in tree.usage.items():
        if owner := package(name):
            usage[owner] += counts
    return replace(
        tree,
        usage=dict(usage),
        usage_texts=merged(tree.usage_texts),
        programs=merged(tree.programs),
        listed_programs=merged(tree.listed_programs),
        aliases=tuple(
            replace(alias, target=package(alias.name) or alias.target)
            for alias in aliases.values()
            if alias.name not in packages
        ),
    )


def _target(name: str, aliases: Mapping[str, Alias]) -> str | None:
    """What stands for `name`, itself an alias or a member of a set that is one."""
    rest = ""
    while name:
        if found := aliases.get(name):
            return found.target and found.target + rest
        name, dot, last = name.rpartition(".")
        rest = dot + last + rest
    return None


def _names_first(said: Mapping[str, T], packages: Collection[str]) -> Iterable[tuple[str, T]]:
    """What is said of packages by their own names before what is said of their aliases."""
    return sorted(said.items(), key=lambda item: item[0] not in packages)
