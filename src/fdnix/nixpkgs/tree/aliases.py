"""Names that nixpkgs has for other attributes, and what it says of names that it had.

They stand in `pkgs/top-level/aliases.nix` and its like: `old = new;`, `old = throw "why";`,
`old = warnAlias "why" new;`. Where a package set says `python3 = python313;`, that is one too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from fdnix.nixpkgs.text import fold_line
from fdnix.nixpkgs.tree.nix import Token, bindings, path_at, reference
from fdnix.nixpkgs.tree.tree import Alias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The set whose names each file gives.
ALIAS_FILES: Final = {
    "pkgs/top-level/aliases.nix": "",
    "pkgs/top-level/python-aliases.nix": "python3Packages.",
    "pkgs/top-level/darwin-aliases.nix": "darwin.",
    "pkgs/development/cuda-modules/aliases.nix": "cudaPackages.",
    "pkgs/applications/editors/vim/plugins/aliases.nix": "vimPlugins.",
    "pkgs/applications/editors/kakoune/plugins/aliases.nix": "kakounePlugins.",
    "pkgs/top-level/all-packages.nix": "",
    "pkgs/top-level/python-packages.nix": "python3Packages.",
    "pkgs/top-level/perl-packages.nix": "perlPackages.",
}
DEPRECATED_FILES: Final = {
    "pkgs/applications/editors/vim/plugins/deprecated.json": "vimPlugins.",
    "pkgs/applications/editors/kakoune/plugins/deprecated.json": "kakounePlugins.",
}
_WARNINGS: Final = frozenset({"warnAlias", "warnOnInstantiate", "warn", "warnIf"})
# What a set is called in its own file.
_OWN: Final = frozenset({"self", "super", "final", "prev", "overridden", "pkgs", "plugins"})
# Functions whose result is their argument, for who looks for a package.
_SAME: Final = frozenset(
    {
        "removeRecurseForDerivations",
        "removeDistribute",
        "dontDistribute",
        "recurseIntoAttrs",
        "dontRecurseIntoAttrs",
        "lowPrio",
        "hiPrio",
        "toPythonApplication",
        "justStaticExecutables",
    }
)
_CHANGED: Final = frozenset({"override", "overrideAttrs"})
# `python3.pkgs.x` is `python3Packages.x`.
_PACKAGE_SET: Final = re.compile(rf"\A(?!(?:{'|'.join(_OWN)})\.)(\w+)\.pkgs\.")
# How a message names what to use instead, such as: 'a' has been renamed to/replaced by 'b'.
_REPLACED: Final = re.compile(
    r"\b(?:(?:renamed|moved)(?: to)?(?:/replaced by)?|(?:replaced|superseded) (?:by|with)"
    r"|(?P<advice>use|meant|in favou?r of|migrate to|switch to))"
    r"(?: the)?(?: new)?(?: package)? (?P<quote>[`'\"])?(?P<target>[A-Za-z_][\w.'-]*[\w-])",
    re.IGNORECASE,
)
_NAME: Final = r"[A-Za-z_](?:[\w.+-]*[\w+])?"
# What a message may name to be used instead: all that stands in quotation marks, and after words of
# advice what does not look like a word of prose.
_SUGGESTED: Final = re.compile(
    rf"(?<!\w)[`'\"](?:pkgs\.)?(?P<quoted>{_NAME})[`'\"]"
    r"|\b(?<!not )(?:use|consider(?: using)?|in favou?r of|part of|(?:split|merged|integrated) into"
    r"|(?:migrat|mov|switch|upgrad)(?:e|ing) to) (?:the )?"
    rf"(?P<plain>{_NAME}(?:,? (?:or|and) {_NAME})*)",
    re.IGNORECASE,
)
_NO_PROSE: Final = re.compile(r"[-_\d]")
_LONGEST_MESSAGE: Final = 1000


def read_aliases(path: str, content: bytes) -> Iterator[Alias]:
    """The aliases in the file at `path` of the tree, one of `ALIAS_FILES` or `DEPRECATED_FILES`."""
    if path in DEPRECATED_FILES:
        yield from _deprecated(content, DEPRECATED_FILES[path])
        return
    prefix = ALIAS_FILES[path]
    for name, value in bindings(content.decode(errors="replace")):
        alias = _alias(prefix, name.removesuffix(".package"), value)
        if alias is not None and name.isprintable():
            yield alias


def _deprecated(content: bytes, prefix: str) -> Iterator[Alias]:
    try:
        renamed = json.loads(content)
    except (ValueError, RecursionError):
        return
    for name, told in renamed.items() if isinstance(renamed, dict) else ():
        if isinstance(told, dict) and isinstance(new := told.get("new"), str):
            yield Alias(prefix + name, prefix + new, None)


def _alias(prefix: str, name: str, value: Sequence[Token]) -> Alias | None:
    target, message = _meaning(value)
    if message is not None:
        message = fold_line(message)
        target = target or _replacement(name, message or "")
        message = message and message[:_LONGEST_MESSAGE]
    if target is None and message is None:
        return None
    return Alias(
        prefix + name,
        target and _whole(prefix, target),
        message,
        tuple(_suggested(name, message or "")),
    )


def _meaning(value: Sequence[Token]) -> tuple[str | None, str | None]:
    """The attribute path that an expression stands for, and the message that comes with it."""
    while value and value[0].text == "(" and value[-1].text == ")":
        value = value[1:-1]
    if value and value[0] == ("name", "with"):
        end = next((i for i, token in enumerate(value) if token.text == ";"), len(value))
        scope, (target, message) = reference(value[1:end]), _meaning(value[end + 1 :])
        return (f"{scope}.{target}" if scope and target and "." not in target else target), message
    if found := reference(value):
        return found, None
    path, end = path_at(value, 0)
    return _applied(path, value[end:])


def _applied(path: str, argument: Sequence[Token]) -> tuple[str | None, str | None]:
    """What the function at `path` makes of its argument, as `_meaning` gives it."""
    scope, _, function = path.rpartition(".")
    message = argument[0].text if argument and argument[0].kind == "string" else None
    if function == "throw":
        return None, message
    if function in _WARNINGS and message is not None:
        return _meaning(argument[1:])[0], message
    if function in _SAME:
        return _meaning(argument)
    return (scope or None) if function in _CHANGED else None, None


def _replacement(name: str, message: str) -> str | None:
    """The attribute path that `message` names to use in place of `name`."""
    for found in _REPLACED.finditer(message):
        # Advice without quotation marks is prose.
        if found["quote"] or not found["advice"]:
            target = found["target"].strip("'")
            return None if target == name else target
    return None


def _suggested(name: str, message: str) -> Iterator[str]:
    """What `message` may suggest to use in place of `name`: names of packages, or not."""
    for found in _SUGGESTED.finditer(message):
        if found["quoted"] not in {None, name}:
            yield found["quoted"]
        named = re.findall(_NAME, found["plain"] or "")
        yield from filter(_NO_PROSE.search, named)


def _whole(prefix: str, target: str) -> str:
    """The attribute path of what a file of the set `prefix` calls `target`."""
    parts = _PACKAGE_SET.sub(r"\1Packages.", target).split(".")
    outside = "pkgs" in parts[:2] or target.startswith(prefix)
    while len(parts) > 1 and parts[0] in _OWN:
        parts = parts[1:]
    return ".".join(parts) if outside else prefix + ".".join(parts)
