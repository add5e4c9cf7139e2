"""Write nix/sources.json: what the Nix packages take from PyPI, with hashes.

Run it after changing the pin of one of these packages in constraints.txt:

    python tools/nix-sources.py
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHEELS = ("duckdb", "duckdb_extension_fts", "duckdb_extension_vss")
PYTHON = "313"
PLATFORMS = {
    "aarch64-darwin": ("macosx_11_0_arm64",),
    "aarch64-linux": ("manylinux2014_aarch64", "manylinux_2_28_aarch64"),
    "x86_64-linux": ("manylinux2014_x86_64", "manylinux_2_28_x86_64"),
}


def main() -> None:
    """Download every file, hash it, and write the table."""
    pins = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    sources: dict[str, object] = {}
    for name in WHEELS:
        wheels = {system: wheel(name, pins[name], system) for system in PLATFORMS}
        sources[name] = {"version": pins[name], "wheels": wheels}
    text = json.dumps(sources, indent=2) + "\n"
    (ROOT / "nix" / "sources.json").write_text(text, encoding="utf-8")


def wheel(name: str, version: str, system: str) -> dict[str, str]:
    """Return what nixpkgs' fetchPypi takes to fetch the wheel for `system`."""
    tags = [f"--platform={tag}" for tag in PLATFORMS[system]]
    abi = ["--implementation=cp", f"--python-version={PYTHON}", f"--abi=cp{PYTHON}", "--abi=none"]
    path, digest = downloaded(f"{name}=={version}", "--only-binary=:all:", *tags, *abi)
    python, abi_tag, platform = path.removesuffix(".whl").split("-")[-3:]
    return {"python": python, "abi": abi_tag, "platform": platform, "hash": digest}


def downloaded(requirement: str, *options: str) -> tuple[str, str]:
    """Return the name of the file that pip chooses for `requirement`, and its SRI hash."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", directory, *options, requirement], check=True)  # noqa: S603
        (file,) = Path(directory).iterdir()
        digest = base64.b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
        return file.name, f"sha256-{digest}"


if __name__ == "__main__":
    main()
