"""How to get a package, with what nixpkgs asks for where it refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fdnix.nixpkgs.attribute import expressed
from fdnix.nixpkgs.text import nix_string
from fdnix.search.package import MARKS, nix_profile, nix_shell

if TYPE_CHECKING:
    from fdnix.search.index import Hit
    from fdnix.search.package import Package


class Way(NamedTuple):
    """One way to get a package: what it is for, and what is typed or written."""

    name: str
    text: str


def ways(found: Hit | Package) -> list[Way]:
    """The ways to get a package, the quickest first."""
    expression = f"pkgs.{expressed(found.package_id)}"
    permission = "".join(f"{line}\n" for line in permissions(found))
    return [
        Way("Try it in a shell", nix_shell(found)),
        Way("Install in a profile", nix_profile(found)),
        Way("NixOS", f"{permission}environment.systemPackages = [ {expression} ];"),
        Way("Home Manager", f"{permission}home.packages = [ {expression} ];"),
    ]


def permissions(found: Hit | Package) -> list[str]:
    """The lines of a configuration without which nixpkgs refuses the package.

    See "Configuring Nixpkgs" in the nixpkgs manual.
    """
    lines = {
        "unfree": "nixpkgs.config.allowUnfreePredicate = pkg:\n"
        f"  builtins.elem (lib.getName pkg) [ {nix_string(found.pname)} ];",
        "broken": "nixpkgs.config.allowBroken = true;",
        "insecure": "nixpkgs.config.permittedInsecurePackages = "
        f"[ {nix_string(f'{found.pname}-{found.version}')} ];",
    }
    return [lines[mark] for mark in MARKS if getattr(found, mark)]
