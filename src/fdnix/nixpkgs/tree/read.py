"""Reading a nixpkgs tree, once, from its first file to its last."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from fdnix.errors import DataError
from fdnix.nixpkgs.tree.aliases import ALIAS_FILES, DEPRECATED_FILES, read_aliases
from fdnix.nixpkgs.tree.built import SET_FILE, built_from
from fdnix.nixpkgs.tree.files import PROGRAMS, REVISION, Skip, ignored, revision_of
from fdnix.nixpkgs.tree.listed import listed_programs
from fdnix.nixpkgs.tree.nix import arguments
from fdnix.nixpkgs.tree.owners import Owners
from fdnix.nixpkgs.tree.programs import named_programs
from fdnix.nixpkgs.tree.systems import RELEASE_FILES, release_systems
from fdnix.nixpkgs.tree.texts import desktop_texts, module_texts
from fdnix.nixpkgs.tree.tree import Alias, Tree, TreeSource, Usage
from fdnix.nixpkgs.tree.usage import Mention, mentions, own_names, package_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fdnix.nixpkgs.tree.files import TreeFile
    from fdnix.nixpkgs.tree.programs import Named

# A file of more packages says of some of them what the others are, such as the wrapper of browsers
# and mail clients.
_MOST_OF_ONE_TEXT = 4
# Options of a module for the package it runs, its own and another's.
_ITS_PACKAGE = ("cfg.package", "cfg.finalPackage")
_CONFIGURED = re.compile(
    r"config\.(?:services|programs|virtualisation)\.([\w-]+)\.(?:final)?[Pp]ackage"
)


class _Module(NamedTuple):
    """A NixOS module: what it is called, the package that it runs, and what it says."""

    names: list[str]
    package: str | None
    texts: list[str]

    def owners(self, owners: Owners) -> set[str]:
        """The packages that it is of: those of its name, else the one that it runs."""
        named = {package for name in self.names if (package := owners.word(name))}
        run = None if self.package is None else owners.attribute(self.package)
        return named or ({run} if run else set())


_Found = defaultdict[str, dict[str, None]]
"""By package, values in the order they were found in, each once."""


@dataclass
class _Read:
    """What was read so far, by files and by names as they stand there."""

    system: str | None
    skip: Skip
    revision: str | None = None
    systems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: dict[str, list[Alias]] = field(default_factory=dict)
    built: list[tuple[str, str]] = field(default_factory=list)
    mentions: defaultdict[Mention, set[str]] = field(default_factory=lambda: defaultdict(set))
    listed_programs: dict[str, list[str]] = field(default_factory=dict)
    file_texts: dict[str, list[str]] = field(default_factory=dict)
    modules: dict[str, _Module] = field(default_factory=dict)
    own_programs: dict[str, list[str]] = field(default_factory=dict)
    programs: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    word_programs: defaultdict[str, dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def file(self, file: TreeFile) -> None:
        """Read one file."""
        path, content = file.path, file.content
        if path == PROGRAMS and file.place:
            try:
                self.listed_programs = listed_programs(file.place, self.system)
            except DataError as error:
                self.skip(path, str(error))
        elif path == REVISION:
            self.revision = revision_of(content)
        elif path in RELEASE_FILES:
            self.systems[path] = release_systems(content)
        elif path in ALIAS_FILES or path in DEPRECATED_FILES:
            self.aliases[path] = list(read_aliases(path, content))
            if path == SET_FILE:
                self.built = list(built_from(content))
        else:
            self._text(path, content.decode(errors="replace"))

    def _text(self, path: str, text: str) -> None:
        taken = arguments(text) if path.endswith(".nix") else []
        for mention in mentions(path, text, taken):
            self.mentions[mention].add(path)
        if path.endswith(".nix"):
            self._nix(path, text, taken)

    def _nix(self, path: str, text: str, taken: list[str]) -> None:
        named = named_programs(text)
        self._others(named, text, taken)
        if path.startswith("pkgs/"):
            if named.own:
                self.own_programs[path] = list(named.own)
            if texts := list(desktop_texts(text)):
                self.file_texts[path] = texts
        elif path.startswith("nixos/modules/"):
            package = next(iter(package_options(text)), None)
            texts = list(module_texts(path, text))
            self.modules[path] = _Module(own_names(path, text), package, texts)
            for its in _ITS_PACKAGE if package else ():
                self.programs[str(package)] |= named.others.get(its, {})

    def _others(self, named: Named, text: str, taken: list[str]) -> None:
        """Note the programs of packages that the file is given, and does not make itself."""
        for name, programs in named.others.items():
            first, _, rest = name.partition(".")
            if configured := _CONFIGURED.fullmatch(name):
                self.word_programs[configured[1]] |= programs
            elif first == "pkgs" and rest:
                self.programs[rest] |= programs
            elif first in taken and f"{first} = " not in text:
                self.programs[name] |= programs
            elif f"{first} = config.services.{first}.package;" in text:
                self.word_programs[first] |= programs


def read_tree(
    files: Iterable[TreeFile],
    packages: Mapping[str, str | None],
    *,
    source: TreeSource,
    system: str | None = None,
    revision: str | None = None,
    skip: Skip = ignored,
) -> Tree:
    """What the files of a nixpkgs tree say of `packages`.

    Args:
        files: of the tree, in any order.
        packages: attribute path to position, `file:line` below the root of nixpkgs, where known.
        source: where the tree is from.
        system: of which the channel's list of programs is read, where it has that.
        revision: its git revision; unless given, what the tree itself says.
        skip: told what is left out, and why.
    """
    read = _Read(system, skip)
    for file in files:
        read.file(file)
    aliases = (read.aliases.get(path, []) for path in (*ALIAS_FILES, *DEPRECATED_FILES))
    owners = Owners(packages, chain.from_iterable(aliases), read.built)
    return Tree(
        source=source,
        revision=revision or read.revision,
        systems=next(filter(None, map(read.systems.get, RELEASE_FILES)), ()),
        usage=_usage(read, owners),
        usage_texts=_texts(read, owners),
        programs=_programs(read, owners),
        listed_programs=_of_attributes(read.listed_programs, owners),
        aliases=tuple(owners.aliases()),
    )


def _usage(read: _Read, owners: Owners) -> dict[str, Usage]:
    """In how many files each package is named, whatever it is called there."""
    forms = {"attribute": owners.attribute, "package": owners.package, "word": owners.word}
    files: defaultdict[str, defaultdict[str, set[str]]]
    files = defaultdict(lambda: defaultdict(set))
    for mention, paths in read.mentions.items():
        if package := forms[mention.form](mention.name):
            files[package][mention.kind] |= paths
    modules = Counter(
        package for module in read.modules.values() for package in module.owners(owners)
    )
    return {
        package: Usage(
            own_modules=modules[package],
            **{kind: len(paths) for kind, paths in files[package].items()},
        )
        for package in sorted({*files, *modules})
    }


def _texts(read: _Read, owners: Owners) -> dict[str, tuple[str, ...]]:
    found: _Found = defaultdict(dict)
    for _, module in sorted(read.modules.items()):
        for package in module.owners(owners):
            found[package] |= dict.fromkeys(module.texts)
    for path, texts in sorted(read.file_texts.items()):
        builds = list(owners.of_file(path))
        for package in builds if len(builds) <= _MOST_OF_ONE_TEXT else ():
            found[package] |= dict.fromkeys(texts)
    return _tuples(found)


def _programs(read: _Read, owners: Owners) -> dict[str, tuple[str, ...]]:
    found: _Found = defaultdict(dict)
    for path, programs in sorted(read.own_programs.items()):
        for package in owners.of_file(path):
            found[package] |= dict.fromkeys(programs)
    named = [(owners.attribute(name), others) for name, others in sorted(read.programs.items())]
    called = [(owners.word(name), others) for name, others in sorted(read.word_programs.items())]
    for owner, others in named + called:
        if owner:
            found[owner] |= dict.fromkeys(sorted(others))
    return _tuples(found)


def _of_attributes(said: Mapping[str, Iterable[str]], owners: Owners) -> dict[str, tuple[str, ...]]:
    found: _Found = defaultdict(dict)
    for name, values in sorted(said.items()):
        if package := owners.attribute(name):
            found[package] |= dict.fromkeys(values)
    return _tuples(found)


def _tuples(found: _Found) -> dict[str, tuple[str, ...]]:
    return {package: tuple(values) for package, values in found.items() if values}
