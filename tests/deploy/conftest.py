from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from support.image import ROOT, Base, Image, build, missing, packages
from support.nix import STUB, needs_nix

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# The interpreter finds its library there by the environment, not by its own path.
USR = {"/usr": [Path("/usr")], "/usr/local": [Path(sys.base_prefix)]}
ETC = {"/etc": [Path("/etc")]}
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory that any user may enter, as those of pytest are not."""
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def slim_image(scratch: Path) -> Image:
    """The slim image, on this machine's Python, with the packages that the tests run with.

    They lie where the image installs them, so that pip has only to find that they are what
    constraints.txt asks for.
    """
    pip = scratch / "pip"
    for found in distribution("pip").files or ():
        # Its commands lie outside, and are not used.
        if ".." not in found.parts and found.suffix != ".pyc":
            (pip / found).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.locate(), pip / found)
    python = USR | ETC | {f"/usr/local/{SITE}": [pip], f"/environment/{SITE}": packages()}
    environment = {"PATH": PATH, "LD_LIBRARY_PATH": "/usr/local/lib", "PIP_NO_INDEX": "1"}
    base = Base(python, environment)
    names = ("python:3.13-trixie", "python:3.13-slim-trixie")
    dockerfile = ROOT / "deploy" / "Dockerfile.slim"
    return build(dockerfile, dict.fromkeys(names, base), scratch / "slim", {})


@pytest.fixture(scope="session")
def nix_image(scratch: Path) -> Image:
    """The full image, with the real Nix over the stand-in for nixpkgs.

    The stand-in's Python is this machine's, which therefore lies in the image too.
    """
    if needs_nix.args[0]:
        pytest.skip(needs_nix.kwargs["reason"])
    nixpkgs = scratch / "nixpkgs"
    nixpkgs.mkdir()
    variables = "PYTHONPATH=/packages LD_LIBRARY_PATH=/usr/local/lib"
    (nixpkgs / "default.nix").write_text(
        "_: import /stub { "
        f'interpreter = "/usr/bin/env {variables} /usr/local/bin/python3"; '
        'extensions = "/extensions"; }'
    )
    extensions = [
        Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}"
        for name in ("fts", "vss")
        if (found := find_spec(f"duckdb_extension_{name}")) and found.origin
    ]
    python = USR | {"/packages": packages(), "/extensions": extensions}
    nix = ETC | {"/stub": [STUB], "/nixpkgs": [nixpkgs]}
    # As in the image nixos/nix: root builds, without a sandbox.
    config = "build-users-group =\nsandbox = false\nsubstituters ="
    bases = {
        "nixos/nix:2.31.0": Base(python | nix, {"PATH": PATH, "NIX_CONFIG": config}),
        "scratch": Base(python),
    }
    dockerfile = ROOT / "deploy" / "Dockerfile"
    return build(dockerfile, bases, scratch / "nix", {"NIXPKGS": "/nixpkgs"})


@pytest.fixture
def out(scratch: Path) -> Iterator[Path]:
    """A directory of the images' user, to be mounted at /out."""
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        os.chown(directory, 10001, 10001)
        yield Path(directory)
