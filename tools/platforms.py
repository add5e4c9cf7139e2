"""Write src/fdnix/nixpkgs/platforms.json: what nixpkgs' patterns can ask of each of its systems.

Run it where Nix is, on a nixpkgs, when `lib/systems` has changed there:

    python tools/platforms.py PATH

The table keeps which nixpkgs it is of: the release, and git's hash of the tree `lib/systems`, which
`git rev-parse REVISION:lib/systems` gives for every revision that has the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src" / "fdnix" / "nixpkgs" / "platforms.json"

# `assertions` are functions for who makes a platform, and `_type` marks types: no pattern asks.
PLATFORMS = """
let
  lib = import ./lib;
  plain = lib.mapAttrs (_: value: if lib.isAttrs value then plain value else value);
  data = set: plain (removeAttrs set [ "_type" "assertions" ]);
  platform = system: let made = lib.systems.elaborate system; in {
    inherit (made) isStatic;
    parsed = lib.mapAttrs (_: data) (removeAttrs made.parsed [ "_type" ]);
  };
in map (system: [ system (platform system) ]) lib.systems.doubles.all
"""


def main() -> None:
    """Evaluate the platforms and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nixpkgs", type=Path, help="the directory of a nixpkgs")
    TABLE.write_text(table(parser.parse_args().nixpkgs), encoding="utf-8")


def table(nixpkgs: Path) -> str:
    """The table of a nixpkgs as JSON, one system a line, in the order of `lib.platforms.all`."""
    said = subprocess.run(  # noqa: S603
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", PLATFORMS],  # noqa: S607
        cwd=nixpkgs,
        env={"NIX_REMOTE": "dummy://"} | os.environ,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    lines = [f"    {json.dumps(name)}: {json.dumps(made)}" for name, made in json.loads(said)]
    return "\n".join(
        [
            "{",
            f'  "release": {json.dumps((nixpkgs / "lib" / ".version").read_text().strip())},',
            f'  "lib_systems_tree": "{tree_hash(nixpkgs / "lib" / "systems")}",',
            '  "platforms": {',
            ",\n".join(lines),
            "  }",
            "}\n",
        ]
    )


def tree_hash(directory: Path) -> str:
    """Git's hash of a directory of plain files."""
    entries = b"".join(
        b"100644 %b\0%b" % (file.name.encode(), _git_hash(b"blob", file.read_bytes()).digest())
        for file in sorted(directory.iterdir())
    )
    return _git_hash(b"tree", entries).hexdigest()


def _git_hash(kind: bytes, content: bytes) -> hashlib._Hash:
    return hashlib.sha1(b"%b %d\0%b" % (kind, len(content), content), usedforsecurity=False)


if __name__ == "__main__":
    main()
