"""What a nixpkgs tree says of the packages of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TreeSource = Literal["channel", "path", "nixpkgs", "sample"]
"""Where a tree is from: a channel, NIXPKGS_TREE, the nixpkgs that was evaluated, or the sample."""


@dataclass(frozen=True)
class Usage:
    """In how many places of the tree an attribute is used or written about.

    Attributes:
        modules: files under `nixos/modules` that take it out of `pkgs`.
        module_options: modules with an option for a package whose default it is.
        own_modules: modules that have its name, or whose name no package has and that run it.
        configured: other modules that set or ask its module's options.
        tests: files under `nixos/tests` that take it out of `pkgs` or set its module's options.
        own_tests: tests that have its name.
        release_notes: files of release notes that name it.
        manual: files of the NixOS manual, those beside modules included, that name it.
        doc: files of the Nixpkgs manual that name it.
        arguments: files of packages that take it as an argument.
    """

    modules: int = 0
    module_options: int = 0
    own_modules: int = 0
    configured: int = 0
    tests: int = 0
    own_tests: int = 0
    release_notes: int = 0
    manual: int = 0
    doc: int = 0
    arguments: int = 0


USAGE_COUNTS = tuple(count.name for count in fields(Usage))
"""The names of what `Usage` counts, in order."""


@dataclass(frozen=True)
class Alias:
    """A name that is no package any more, or stands for one.

    Attributes:
        name: an attribute path.
        target: the attribute path it stands for, or that replaces it; None where there is none.
        message: what nixpkgs says to who uses the name; None where it says nothing.
        successors: the packages to use in its place, likeliest first.
    """

    name: str
    target: str | None
    message: str | None
    successors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """What a nixpkgs tree says, by the attribute paths of packages.

    Attributes:
        source: where the tree is from.
        revision: its git revision, where it is known.
        systems: those that nixpkgs' build farm builds for; none where the tree does not say.
        usage: how often each attribute is used.
        usage_texts: what modules and desktop items say of it, in a few words each.
        programs: the programs that its build text and its desktop items name.
        listed_programs: the programs that the channel found in its binary package.
        aliases: names for other attributes, and names that were removed.
    """

    source: TreeSource
    revision: str | None = None
    systems: tuple[str, ...] = ()
    usage: Mapping[str, Usage] = field(default_factory=dict)
    usage_texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    listed_programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()
