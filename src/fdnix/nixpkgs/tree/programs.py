"""The programs that packages bring, as a channel lists them and as the tree's files name them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME: Final = re.compile(r"(?:[\w.+-]+|\{[\w.+,-]+\}|\$\{[\w.]+\}|\$\w+)+")
_WORD: Final = re.compile(r"[A-Za-z0-9_\[][\w.+-]*")
# What may stand before `bin/`, by whose programs come after it.
_OUTPUT: Final = re.compile(r"\$\{?!?(?P<variable>\w+)\}?\"?/\Z")
_PLACEHOLDER: Final = re.compile(r"\$\{placeholder \"\w+\"\}\"?/\Z")
_PACKAGE: Final = re.compile(r"\$\{(?:lib\.getBin )?\(?(?P<path>[A-Za-z_][\w'.-]*)\)?\}\"?/\Z")
_BARE: Final = re.compile(r"(?:\A|[\s\"'(])(?:\./)?\Z")
_GET_EXE: Final = re.compile(
    r"getExe'\s+\(?(?P<path>[A-Za-z_][\w'.-]*)\)?\s+\"(?P<name>[\w.+-]+)\""
)
_VARIABLE: Final = re.compile(r"\$(?:\{([\w.]+)\}|(\w+))")
_BETWEEN_COMMANDS: Final = re.compile(r"[;&|\n]")
_LONGEST_COMMAND: Final = 1000
_ENDS: Final = frozenset({"/", " ", "\n", ";", '"', "'"})
_LEADS: Final = ("/", '"', "'", "(", "./", " ", "\n", "\t")
_GOES_ON: Final = frozenset({"*", "?", "$", "/"})
_LOOKED_BACK: Final = 80

_ELSEWHERE: Final = frozenset(
    {"src", "TMPDIR", "HOME", "PWD", "JAVA_HOME", "NIX_BUILD_TOP", "prefix"}
)
_OURSELVES: Final = frozenset(
    {"", "finalAttrs.finalPackage", "finalPackage", "self", "finalAttrs.out", "out"}
)
_INSTALLERS: Final = frozenset({"install", "cp", "mv", "ln", "installBin"})
_LOOP: Final = re.compile(r"\bfor (?P<variable>\w+) in (?P<words>[^;\n$*`]+)")
_MOST_WORDS: Final = 200
_ASSIGNED: Final = re.compile(r"(?P<name>pname|mainProgram) = \"(?P<value>[\w.+-]+)\"")
# What names a program without a folder, by a word without which it is not looked for.
_NAMED: Final = tuple(
    (word, re.compile(pattern))
    for word, pattern in (
        ("--cmd", r"--cmd (?P<name>[\w.+-]+|\$\{[\w.]+\}|\$\w+)"),
        ("installBin", r"installBin (?P<name>[\w./+-]+)"),
        ("ScriptBin", r"ScriptBin \"(?P<name>[\w.+-]+)\""),
        ("shellPath", r"shellPath = \"/bin/(?P<name>[\w.+-]+)\""),
        ('"--bin', r"\"--bin(?:=|\"\s+\"|\s+)(?P<name>[\w.+-]+)\""),
        ("testVersion", r"command = \"(?P<name>[\w.+-]+|\$\{[\w.]+\}) "),
        ("makeDesktopItem", r"exec = \"(?P<name>[\w.+-]+|\$\{[\w.]+\})(?=[ \"])"),
        ("makeDesktopItem", r"exec = (?P<nix>(?:\w+\.)*(?:pname|mainProgram));"),
    )
)
_DESKTOP_NAME: Final = re.compile(r"makeDesktopItem(?: rec)? \{\s+name = \"(?P<name>[\w+-]+)\";")
_LISTED: Final = re.compile(r"(?:subPackages|executables) = \[(?P<items>[^\]]{0,5000})\]")
_ITEM: Final = re.compile(r'"([^"]+)"')
# In build texts of many packages, as what they are run with or in paths that are no programs.
_NO_PROGRAMS: Final = frozenset({"activate", "bin", "sbin", "lib", "share", "out"})
_NO_PROGRAM: Final = re.compile(r"\.(?:app|desktop|dSYM|icns|bat|png|svg|jar|dll|so|[1-8])\Z")


@dataclass(frozen=True)
class Named:
    """The programs that a file names.

    Attributes:
        own: those of the packages that the file builds.
        others: those of other packages, by what the file calls the package.
    """

    own: dict[str, None] = field(default_factory=dict)
    others: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, package: str, names: Iterable[str]) -> None:
        """Add programs of what the file calls `package`; nothing stands for itself."""
        found = self.own if package in _OURSELVES else self.others[package]
        found.update(dict.fromkeys(names))


def named_programs(text: str) -> Named:
    """The programs that the Nix file `text` names."""
    file = _File(text)
    named = Named()
    if "getExe'" in text:
        for match in _GET_EXE.finditer(text):
            named.add(match["path"], file.words(match["name"]))
    at = 0
    while (at := text.find("bin", at)) >= 0:
        at += len("bin")
        if text[at : at + 1] in _ENDS:
            _in_folder(file, at, named)
    named.add("", list(_without_folder(file, named)))
    return named


def _without_folder(file: _File, named: Named) -> Iterator[str]:
    """The programs that are named where no folder of programs is."""
    for word, pattern in _NAMED:
        for match in pattern.finditer(file.text) if word in file.text else ():
            found = match[1] if "name" in pattern.groupindex else f"${{{match[1]}}}"
            yield from file.words(found)
    if "makeDesktopItem" in file.text:
        own = {name.casefold() for name in named.own}
        for match in _DESKTOP_NAME.finditer(file.text):
            if match["name"].casefold() not in own:
                yield from file.words(match["name"])
    lists = "subPackages" in file.text or "executables" in file.text
    for match in _LISTED.finditer(file.text) if lists else ():
        for item in _ITEM.findall(match["items"]):
            last = item.rstrip("/").rpartition("/")[2]
            yield from file.words("${pname}" if last in {".", ""} else last)


def _in_folder(file: _File, at: int, named: Named) -> None:
    """Add the programs in the folder whose name, `bin` or `sbin`, ends at `at`."""
    text = file.text
    start = at - (4 if text.startswith("sbin", at - 4) else 3)
    before = text[max(0, start - _LOOKED_BACK) : start]
    if not before.endswith(_LEADS):
        return
    name = _NAME.match(text, at + 1) if text[at] == "/" else None
    package = _PACKAGE.search(before)
    # `''${out}` is the shell's.
    if package and not before[: package.start()].endswith("''"):
        if name:
            named.add(package["path"], file.words(name[0]))
    elif _is_own(before):
        command = _command(text, start)
        if name is None:
            named.add("", _installed(file, command))
        elif not command.startswith("rm ") and text[name.end() : name.end() + 1] not in _GOES_ON:
            named.add("", file.words(name[0]))


def _command(text: str, at: int) -> str:
    """The command of the shell around `at`, which a backslash takes over the end of a line."""
    before = text[max(0, at - _LONGEST_COMMAND) : at].replace("\\\n", " ")
    after = text[at : at + _LONGEST_COMMAND]
    return (_BETWEEN_COMMANDS.split(before)[-1] + _BETWEEN_COMMANDS.split(after, 1)[0]).strip()


def _is_own(before: str) -> bool:
    """Whether `before` leads into an output of the package itself, or its build tree."""
    if output := _OUTPUT.search(before):
        braces = output[0].startswith("${") and not output[0].startswith("${!")
        shell = before[: output.start()].endswith("''") or not braces
        return shell and output["variable"] not in _ELSEWHERE
    return bool(_PLACEHOLDER.search(before) or _BARE.search(before))


def _installed(file: _File, command: str) -> Iterator[str]:
    """The files that a command puts into a folder of programs."""
    first, *words = command.split() or [""]
    for word in words if first in _INSTALLERS else ():
        path = word.strip("\"'")
        last = path.rpartition("/")[2]
        if not path.startswith("-") and not path.isdigit() and last not in _NO_PROGRAMS:
            yield from file.words(last)


class _File:
    """The text of a Nix file, and what the names are whose values stand in it."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def variables(self) -> dict[str, list[str]]:
        """The words that Nix or a loop of the shell gives to a name."""
        found = {match["name"]: [match["value"]] for match in _ASSIGNED.finditer(self.text)}
        for match in _LOOP.finditer(self.text):
            words = found.setdefault(match["variable"], [])
            words += match["words"].split()[: _MOST_WORDS - len(words)]
        return found

    def words(self, name: str) -> Iterator[str]:
        """The programs that `name` names, in which braces and variables may stand."""
        for whole in self._filled(name):
            head, brace, rest = whole.partition("{")
            inner, _, tail = rest.partition("}")
            for part in inner.split(",") if brace else [""]:
                word = (head + part + tail).rstrip(".")
                if (
                    _WORD.fullmatch(word)
                    and word not in _NO_PROGRAMS
                    and not _NO_PROGRAM.search(word)
                ):
                    yield word

    def _filled(self, name: str) -> list[str]:
        variable = _VARIABLE.search(name)
        if variable is None:
            return [name]
        values = self.variables.get((variable[1] or variable[2]).rpartition(".")[2])
        if values is None:
            # What is not known is a version or a variant at the end of a name, or no name.
            start = name[: variable.start()]
            whole = variable.end() == len(name) and not start.endswith(("-", "_", "."))
            return [start] if whole else []
        return [name[: variable.start()] + value + name[variable.end() :] for value in values]
