"""What NixOS modules and desktop items say of the programs that they are for."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from fdnix.nixpkgs.text import fold_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRING: Final = r"(?:\"(?P<plain>[^\"\n]{3,300})\"|''(?P<indented>[^']{3,600})'')"
_ENABLED: Final = re.compile(
    rf"\benable\s+=\s+(?:lib\.)?mkEnableOption\s+\(?(?:lib\.mdDoc )?{_STRING}"
)
_ENABLE: Final = re.compile(
    rf"\benable = (?:lib\.)?mkOption \{{[^}}]{{0,1500}}?description = {_STRING}"
)
# How the description of an option `enable` begins, before it says what is enabled.
_WHETHER: Final = re.compile(
    r"(?:whether|if|set (?:this )?to true|this option|enables?)\b"
    r"(?:.*?\b(?:enables?|runs?|installs?|starts?|configures?))? ",
    re.IGNORECASE,
)
_UNIT: Final = re.compile(
    rf"systemd\.(?:user\.)?services[^\n=]{{0,60}} = [^\n]{{0,60}}\{{\n"
    rf"(?:[^\n]*\n){{0,5}}?\s*description = {_STRING}"
)
_UNITS: Final = 2
_LONGEST: Final = 200
# NixOS writes commands and options as {command}`ls`.
_MARKUP: Final = re.compile(r"\{[a-z]+\}(?=`)|`")
_SENTENCE: Final = re.compile(r"\.(?= [A-Z])")
_NO_CATEGORIES: Final = frozenset({"misc", "services", "programs", "exporters"})
_ITEM: Final = "makeDesktopItem "
_FIELD: Final = re.compile(rf"(?:comment|genericName) = {_STRING}")
_CATEGORIES: Final = re.compile(r"categories = (?:\[(?P<list>[^\]]*)\]|\"(?P<text>[^\"]*)\")")
_QUOTED: Final = re.compile(r'"([^"]+)"')
_LONGEST_ITEM: Final = 3000
# Of the Desktop Menu Specification's categories, those that tell how it is made, or nothing.
_NO_FIELDS: Final = frozenset(
    {"Application", "ConsoleOnly", "Core", "GNOME", "GTK", "Java", "KDE", "Qt", "XFCE"}
)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def module_texts(path: str, text: str) -> Iterator[str]:
    """What the NixOS module at `path` says of what it enables, and the folders it lies in."""
    if enabled := _ENABLED.search(text):
        yield from _said(enabled)
    elif enable := _ENABLE.search(text):
        for said in _said(enable):
            if whether := _WHETHER.match(said):
                yield said[whether.end() :]
    if "systemd." in text:
        for unit in islice(_UNIT.finditer(text), _UNITS):
            yield from _said(unit)
    yield from _categories(path)


def _categories(path: str) -> Iterator[str]:
    """The folders of a service, which say of what kind it is: `web servers`."""
    parts = path.split("/")[2:]
    folders = parts[1:-2] if parts[-1] == "default.nix" else parts[1:-1]
    if parts[0] == "services":
        yield from (folder.replace("-", " ") for folder in folders if folder not in _NO_CATEGORIES)


def desktop_texts(text: str) -> Iterator[str]:
    """What the desktop items in a package's file say: comment, generic name, categories."""
    at = 0
    while (at := text.find(_ITEM, at)) >= 0:
        at += len(_ITEM)
        item = text[at : at + _LONGEST_ITEM].partition(_ITEM)[0]
        for match in _FIELD.finditer(item):
            yield from _said(match)
        for match in _CATEGORIES.finditer(item):
            listed = match["list"]
            names = _QUOTED.findall(listed) if listed else (match["text"] or "").split(";")
            fields = [name for name in names if name and not name.startswith("X-")]
            words = [_CAMEL.sub(" ", name).lower() for name in fields if name not in _NO_FIELDS]
            if words:
                yield ", ".join(words)


def _said(match: re.Match[str]) -> Iterator[str]:
    """The first sentence of a string, where it is short and Nix puts nothing into it."""
    text = match["plain"] or match["indented"]
    line = fold_line(_MARKUP.sub("", text).replace('\\"', '"')) or ""
    sentence = _SENTENCE.split(line, 1)[0].rstrip(".")
    if sentence and len(sentence) <= _LONGEST and "${" not in text and "this " not in sentence[:5]:
        yield sentence
