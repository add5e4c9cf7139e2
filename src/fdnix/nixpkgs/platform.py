"""The systems nixpkgs means by `meta.platforms` and `meta.badPlatforms`.

Both attributes hold system names ("doubles", such as `x86_64-linux`) and patterns. A pattern is a
part of a parsed platform, such as `{"cpu": {"family": "arm", "bits": 64}}`, and stands for every
platform that has all of its attributes (`lib.meta.platformMatch`, which wraps a pattern without
`parsed` as `{parsed = pattern;}` and calls `lib.matchAttrs`; `{}` matches everything). Here a
pattern becomes the systems of `lib.platforms.all` that match it.

What the systems are is nixpkgs' lib/systems, in platforms.json, which tools/platforms.py writes. A
double is native, never static unless its kernel knows nothing else.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from typing import Any

import msgspec

from fdnix.nixpkgs.values import flattened

_TABLE = msgspec.json.decode(
    (importlib.resources.files("fdnix.nixpkgs") / "platforms.json").read_bytes()
)
_PLATFORMS: dict[str, dict[str, Any]] = _TABLE["platforms"]

SYSTEMS: tuple[str, ...] = tuple(_PLATFORMS)
"""`lib.platforms.all`: every system name that a pattern can stand for."""

BUILT_SYSTEMS = ("x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin")
"""What nixpkgs' build farm has built for since 2020, for where no tree says what it builds for."""


def resolve_platforms(value: object) -> tuple[str, ...]:
    """Return the system names a `platforms` or `badPlatforms` value stands for, each once.

    Names are kept as written, also those nixpkgs does not list: it compares them as text, too.

    Raises:
        ValueError: the value is no system name, pattern, or list (of any depth) of those.
    """
    elements = flattened(value)
    return tuple(dict.fromkeys(system for element in elements for system in _resolve(element)))


def _resolve(element: object) -> tuple[str, ...]:
    if isinstance(element, str):
        return (element,)
    if isinstance(element, Mapping):
        pattern = element if "parsed" in element else {"parsed": element}
        return tuple(name for name, known in _PLATFORMS.items() if _matches(pattern, known))
    raise ValueError(f"expected system names and patterns, found {element!r:.60}")


def _matches(pattern: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Tell whether all attributes of the pattern are there and equal, as `lib.matchAttrs` does.

    `_type`, which the parts of patterns carry in the releases from 18.03 on that took them from
    lib.systems.parse, says what kind of part it is and asks nothing of a platform.
    """
    for name, wanted in pattern.items():
        if name == "_type":
            continue
        if name not in attributes:
            return False
        found = attributes[name]
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            if not _matches(wanted, found):
                return False
        elif wanted != found:
            return False
    return True
