"""The blocks of code in README.md and docs/, and a newcomer's folder to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from reference import PAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
# A test of its own holds these against the code that they are made of.
GENERATED = set(PAGES)

STAND_INS = {
    "claude": "the assistant's own program",
    "docker": "asks a daemon",
    "fzf": "asks a person",
    "nix": "fetches or builds all that fdnix depends on",
    "pip": "fetches from a package registry",
    "sudo": "asks for a password",
}
"""Programs that the blocks call and a test cannot run, with the reason.

What they are called with is kept, in `Newcomer.calls`, and held against what fdnix accepts.
"""

_STAND_IN = """#!/bin/sh
for word in "${0##*/}" "$@"; do printf '%s\\0' "$word"; done >>"$CALLS"
printf '\\n\\0' >>"$CALLS"
case "${0##*/} $*" in
fzf*) head -n 1 ;;
*" --password-stdin "*) cat >/dev/null ;;
esac
"""

# `serve` ends when it is interrupted, and takes a port that may not be free here; a function's
# bundle is made of wheels from a package registry.
_FDNIX = """#!/bin/sh
case $1 in
serve) exec {python} {support}/served.py "$@" ;;
bundle-function) {python} -m fdnix "$@" --help >/dev/null && : >"$2" ;;
*) exec {python} -m fdnix "$@" ;;
esac
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it begins at, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """Every fenced block of README.md and of the pages of docs/ that people write."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [
        Block(
            page.name, text.count("\n", 0, fence.start()) + 1, fence["language"], dedent(fence[4])
        )
        for page in pages
        if page.name not in GENERATED
        for text in [page.read_text(encoding="utf-8")]
        for fence in re.finditer(
            r"^( *)(```+)(?P<language>\S*)\n(.*?)^\1\2$", text, re.MULTILINE | re.DOTALL
        )
    ]


@dataclass(frozen=True, eq=False)
class Newcomer:
    """A folder like a checkout, with programs and a home of its own."""

    folder: Path
    env: Mapping[str, str]

    def run(self, command: Sequence[str | Path], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, and take what it says."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def shell(self, blocks: Sequence[Block], prelude: str = "", **env: str) -> str:
        """Run blocks in one shell, in order; return what they say on standard error."""
        Path(self.env["CALLS"]).unlink(missing_ok=True)
        marked = [f"echo 'at {block}' >&2\n{block.text}" for block in blocks]
        script = "\n".join([prelude, *marked])
        ended = self.run(["bash", "-eu", "-o", "pipefail", "-c", script], **env)
        assert ended.returncode == 0, ended.stderr
        return ended.stderr

    def calls(self) -> list[list[str]]:
        """What the last shell called stand-ins with, after their names."""
        log = Path(self.env["CALLS"])
        said = log.read_text() if log.exists() else ""
        return [call.split("\0")[:-1] for call in said.split("\n\0")[:-1]]


def newcomer(folder: Path, sample: Path, channel_url: str) -> Newcomer:
    """A newcomer who has run the demo, whose channels are at `channel_url`."""
    for name in ("src", "tests", "tools", "deploy", "docs", "nix", "flake.nix"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    programs, home = folder / "programs", folder / "home"
    for directory in (programs, home, folder / "out"):
        directory.mkdir()
    for file in (sample, sample.with_name("fdnix-data.duckdb")):
        shutil.copy(file, folder / "out")
    wrapper = _FDNIX.format(python=sys.executable, support=Path(__file__).parent)
    texts = dict.fromkeys(STAND_INS, _STAND_IN) | {"fdnix": wrapper}
    # The suite does not run itself.
    scripts = {programs / name: text for name, text in texts.items()}
    scripts |= {folder / "fdnix": wrapper, folder / "test": f"#!/bin/sh\nsh -n {ROOT}/test\n"}
    for path, text in scripts.items():
        path.write_text(text)
        path.chmod(0o755)
    keep = {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_"))}
    return Newcomer(
        folder,
        {
            **keep,
            "PATH": f"{programs}:{sys.prefix}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(home),
            "CALLS": str(folder / "calls"),
            "NIXPKGS_CHANNEL_URL": channel_url,
        },
    )
