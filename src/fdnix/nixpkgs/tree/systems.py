"""The systems that nixpkgs' build farm builds for, out of what its release is made of."""

from __future__ import annotations

import json
import re
from typing import Final

RELEASE_FILES: Final = (
    "pkgs/top-level/release-supported-systems.json",
    "pkgs/top-level/release.nix",
)
"""Where the systems stand, the later place first: a list of its own since 2024, else a default."""

_DEFAULT: Final = re.compile(r"supportedSystems\s*\?\s*\[([^\]]*)\]")
_SYSTEM: Final = re.compile(r'"([a-z0-9_]+-[a-z0-9]+)"')


def release_systems(content: bytes) -> tuple[str, ...]:
    """The systems that a file of `RELEASE_FILES` lists, in its order; none where it lists none."""
    text = content.decode(errors="replace")
    listed = _DEFAULT.search(text)
    if listed:
        return tuple(dict.fromkeys(_SYSTEM.findall(listed[1])))
    try:
        systems = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    names = systems if isinstance(systems, list) else []
    quoted = " ".join(f'"{name}"' for name in names if isinstance(name, str))
    return tuple(dict.fromkeys(_SYSTEM.findall(quoted)))
