"""Attribute paths: the set and the attribute they name, and what both are called without versions.

A set that nixpkgs has for several versions of an interpreter or a kernel is one *family*; an
attribute without its version and without `-unwrapped` is its *base*.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fdnix.nixpkgs.text import nix_string

# Dots inside quotes are part of an attribute's name: `nodePackages."@angular/cli.beta"`.
_PATH = re.compile(
    r'(?:(?P<set>.+)\.)?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^".]*))', re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KERNEL = re.compile(r"(?<=linux)_[a-z0-9_]+\Z")
_SET_VERSION = re.compile(r"(?:[_-]?[0-9])+x?")
_VERSION = re.compile(r"[-_.]?v?[0-9][0-9_.]*\Z")
_NAME_AND_VERSION = re.compile(rf".[A-Za-z]{_VERSION.pattern}")
_NO_DIGITS = re.compile(r"[^0-9]+")
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[^".]+')
# What Nix reads as a name without quotation marks ("Identifiers" in the Nix manual), but for the
# words that it keeps for itself.
_NAME = re.compile(
    r"(?!(?:assert|else|if|in|inherit|let|or|rec|then|with)$)[A-Za-z_][\w'-]*", re.ASCII
)


def split(path: str) -> tuple[str | None, str]:
    """The attribute set of a path, None at the top level, and the attribute without quotes."""
    if '"' not in path:
        attribute_set, _, attribute = path.rpartition(".")
        return attribute_set or None, attribute
    match = _PATH.fullmatch(path)
    if match is None:
        return None, path
    quoted = match["quoted"]
    return match["set"], match["plain"] if quoted is None else _ESCAPE.sub(r"\1", quoted)


def expressed(path: str) -> str:
    """A path as a Nix expression has it: what is no name to Nix in quotation marks."""
    return ".".join(
        part if part.startswith('"') or _NAME.fullmatch(part) else nix_string(part)
        for part in _PARTS.findall(path)
    )


@lru_cache(maxsize=4096)
def family(attribute_set: str) -> str:
    """The attribute set without its version, and Lua's without which Lua it is.

    `python313Packages` is of `pythonPackages`, `luajitPackages` of `luaPackages`, and
    `linuxKernel.packages.linux_6_6_hardened` of `linuxKernel.packages.linux`.
    """
    unversioned = _KERNEL.sub("", attribute_set).replace("luajit", "lua", 1)
    return _SET_VERSION.sub("", unversioned)


def base(attribute: str, version: str | None) -> str:
    """The attribute without `-unwrapped` and without the start of the package's own version.

    `postgresql_17` at 17.10 is `postgresql`; in `yquake2` at 8.51 the number is part of the name.
    """
    name = attribute.removesuffix("-unwrapped")
    suffix = _VERSION.search(name)
    if (
        suffix
        and _NAME_AND_VERSION.search(name)
        and _digits(version or "").startswith(_digits(suffix[0]))
    ):
        name = name[: suffix.start()]
    return name or attribute


def unversioned(path: str, version: str | None) -> str:
    """The path without versions: `python313Packages.pandas` is `pythonPackages.pandas`."""
    attribute_set, attribute = split(path)
    name = base(attribute, version)
    return name if attribute_set is None else f"{family(attribute_set)}.{name}"


def _digits(text: str) -> str:
    return _NO_DIGITS.sub("", text)
