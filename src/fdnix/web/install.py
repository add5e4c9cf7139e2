"""How to get a package, with what nixpkgs asks for where it refuses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fdnix.search.package import MARKS, nix_shell

if TYPE_CHECKING:
    from fdnix.search.index import Hit
    from fdnix.search.package import Package

# What Nix reads as a name without quotation marks ("Identifiers" in the Nix manual), but for the
# words that it keeps for itself.
_NAME = re.compile(
    r"(?!(?:assert|else|if|in|inherit|let|or|rec|then|with)$)[A-Za-z_][\w'-]*", re.ASCII
)

_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[^".]+')


class Way(NamedTuple):
    """One way to get a package: what it is for, and what is typed or written."""

    name: str
    text: str


def ways(found: Hit | Package) -> list[Way]:
    """The ways to get a package, the quickest first."""
    shell = nix_shell(found)
    expression = "pkgs." + ".".join(map(_quoted, _PARTS.findall(found.package_id)))
    permission = "".join(f"{line}\n" for line in permissions(found))
    return [
        Way("Try it in a shell", shell),
        Way("Install in a profile", shell.replace("nix shell", "nix profile install")),
        Way("NixOS", f"{permission}environment.systemPackages = [ {expression} ];"),
        Way("Home Manager", f"{permission}home.packages = [ {expression} ];"),
    ]


def permissions(found: Hit | Package) -> list[str]:
    """The lines of a configuration without which nixpkgs refuses the package.

    See "Configuring Nixpkgs" in the nixpkgs manual.
    """
    name = found.pname.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    lines = {
        "unfree": "nixpkgs.config.allowUnfreePredicate = pkg:\n"
        f'  builtins.elem (lib.getName pkg) [ "{name}" ];',
        "broken": "nixpkgs.config.allowBroken = true;",
        "insecure": f'nixpkgs.config.permittedInsecurePackages = [ "{name}-{found.version}" ];',
    }
    return [lines[mark] for mark in MARKS if getattr(found, mark)]


def _quoted(name: str) -> str:
    if name.startswith('"') or _NAME.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'
