from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from support.image import ROOT, Base, Image, build, missing, packages
from support.nix import STUB, needs_nix

if TYPE_CHECKING:
    from collections.abc import Callable

SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# The interpreter finds its library there by the environment, not by its own path.
USR = {"/usr": [Path("/usr")], "/usr/local": [Path(sys.base_prefix)]}
ETC = {"/etc": [Path("/etc")]}
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A directory that all processes of this test run share."""
    if reason := missing():
        pytest.skip(reason)
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


def once(directory: Path, make: Callable[[Path], Image]) -> Image:
    """The image that `make` makes in `directory`, or that another process of this run has made."""
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = directory / "image.pickle"
        if not made.exists():
            directory.mkdir()
            made.write_bytes(pickle.dumps(make(directory)))
        image = pickle.loads(made.read_bytes())
    assert isinstance(image, Image)
    return image


@pytest.fixture(scope="session")
def slim_image(scratch: Path) -> Image:
    """The slim image, on this machine's Python, with the packages that the tests run with.

    They lie where the image installs them, so that pip has only to find that they are what
    requirements/run.txt asks for.
    """
    return once(scratch / "slim", make_slim_image)


def make_slim_image(directory: Path) -> Image:
    pip = directory / "pip"
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
    return build(dockerfile, dict.fromkeys(names, base), directory, {})


@pytest.fixture(scope="session")
def nix_image(scratch: Path) -> Image:
    """The full image, with the real Nix over the stand-in for nixpkgs.

    The stand-in's Python is this machine's, which therefore lies in the image too.
    """
    if needs_nix.args[0]:
        pytest.skip(needs_nix.kwargs["reason"])
    return once(scratch / "nix", make_nix_image)


def make_nix_image(directory: Path) -> Image:
    nixpkgs = directory / "nixpkgs"
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
    return build(dockerfile, bases, directory, {"NIXPKGS": "/nixpkgs"})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A directory of the images' user, to be mounted at /out."""
    directory = tmp_path / "out"
    directory.mkdir()
    os.chown(directory, 10001, 10001)
    return directory
