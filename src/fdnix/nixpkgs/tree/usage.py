"""Where NixOS modules, its tests, the manuals and packages name an attribute."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Mention(NamedTuple):
    """That a file names something."""

    kind: str
    """The field of `Usage` that counts it."""
    name: str
    form: Literal["attribute", "package", "word"]
    """An attribute path, perhaps of an alias; perhaps the path of a package; or what people call
    it: `apache-httpd`, or `Apache HTTPd`."""


_ATTRIBUTE: Final = r"[A-Za-z_][\w'-]*(?:\.[A-Za-z_][\w'-]*)*"
_NAME: Final = re.compile(_ATTRIBUTE)
_TAKEN: Final = re.compile(rf"pkgs\.(?P<path>{_ATTRIBUTE})")
_LISTED: Final = re.compile(
    r"with pkgs;\s*\[(?P<names>[^\]]{0,5000})\]|inherit \(pkgs\)(?P<inherited>[^;]{0,5000});"
)
_COMMENT: Final = re.compile(r"#[^\n]*")
_STRINGS: Final = re.compile(r'"([^"]+)"')
_ITS_DEFAULT: Final = r"(\"[^\"]{1,200}\"|\[[^\]]{0,200}\])"
_OPTION: Final = re.compile(
    rf"mkPackageOption pkgs(?P<set>(?:\.{_ATTRIBUTE})?) {_ITS_DEFAULT}"
    rf"(?: \{{[^}}]{{0,500}}?default = {_ITS_DEFAULT})?"
)
_DEFAULT: Final = re.compile(rf"default = pkgs\.(?P<path>{_ATTRIBUTE});")
_OPTIONS: Final = r"(?:services|programs|virtualisation)\.(?P<name>[A-Za-z_][\w'-]*)"
_CONFIGURED: Final = re.compile(rf"{_OPTIONS}(?!\.exporters)")
_OWN_OPTIONS: Final = re.compile(rf"cfg = config\.{_OPTIONS};")
_QUOTED: Final = re.compile(rf"`(?P<pkgs>pkgs\.)?(?P<path>{_ATTRIBUTE})`")
_LINKED: Final = re.compile(r"\[(?P<name>[A-Za-z0-9][\w .+-]{0,40})\]\((?:https?:|#opt-)")
_EXPORTERS: Final = "/prometheus/exporters/"


def own_names(path: str, text: str = "") -> list[str]:
    """What the NixOS module or test at `path` is called: by its file, and by its options."""
    folder, _, file = path.rpartition("/")
    stem = file.rpartition(".")[0]
    if _EXPORTERS in path:
        return [f"prometheus-{stem}-exporter"]
    names = [folder.rpartition("/")[2] if stem == "default" else stem]
    if own := _OWN_OPTIONS.search(text):
        names.append(own["name"])
    return list(dict.fromkeys(names))


def package_options(text: str) -> list[str]:
    """The attributes that a module's options for a package have as their default, each once."""
    found = []
    if "mkPackageOption" in text:
        for match in _OPTION.finditer(text):
            parts = _STRINGS.findall(match[3] or match[2])
            found.append(".".join([*filter(None, [match["set"].strip(".")]), *parts]))
    found += [match["path"] for match in _DEFAULT.finditer(text)]
    return list(dict.fromkeys(found))


def mentions(path: str, text: str, arguments: Sequence[str]) -> Iterator[Mention]:
    """What the file at `path` of the tree names; `arguments` are those of its function."""
    if path.startswith("pkgs/"):
        scope = "python3Packages." if "/python-modules/" in path else ""
        yield from (Mention("arguments", scope + name, "attribute") for name in arguments)
    elif path.endswith(".md"):
        manual = "doc" if path.startswith("doc/") else "manual"
        yield from _written("release_notes" if "/release-notes/" in path else manual, text)
    elif path.startswith("nixos/tests/"):
        yield from (Mention("own_tests", name, "word") for name in own_names(path))
        yield from (Mention("tests", name, "attribute") for name in _taken(text))
        yield from (Mention("tests", name, "word") for name in _configured(text))
    else:
        options = package_options(text)
        yield from (Mention("module_options", name, "attribute") for name in options)
        yield from (Mention("modules", name, "attribute") for name in _taken(text).union(options))
        others = _configured(text).difference(own_names(path, text))
        yield from (Mention("configured", name, "word") for name in others)


def _taken(text: str) -> set[str]:
    """What is taken out of `pkgs`; not the tools that build."""
    found = {match["path"] for match in _TAKEN.finditer(text)}
    for match in _LISTED.finditer(text):
        found.update(_NAME.findall(_COMMENT.sub("", match["names"] or match["inherited"] or "")))
    return {name for name in found if not name.startswith("stdenv")}


def _configured(text: str) -> set[str]:
    """Of what the options are set or asked."""
    return {match["name"] for match in _CONFIGURED.finditer(text)}


def _written(kind: str, text: str) -> Iterator[Mention]:
    for pkgs, name in {match.group("pkgs", "path") for match in _QUOTED.finditer(text)}:
        yield Mention(kind, name, "attribute" if pkgs else "package")
    yield from (Mention(kind, name, "attribute") for name in _taken(text))
    words: Iterable[str] = {match["name"] for match in _LINKED.finditer(text)} | _configured(text)
    yield from (Mention(kind, name, "word") for name in words)
