"""The files of a nixpkgs tree that say something: out of a directory, or of a channel's tarball."""

from __future__ import annotations

import lzma
import os
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from fdnix.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAMS: Final = "programs.sqlite"
REVISION: Final = ".git-revision"

MAX_FILE_BYTES: Final = 1_500_000
"""Longer files are lists that programs wrote; the longest that people write has 1.2 MB."""

MAX_PROGRAMS_BYTES: Final = 1 << 30
"""A channel's list of programs has some 200 MB for three systems."""

MAX_BYTES: Final = 4_000_000_000
"""The bytes that a tarball unpacks to at most; nixpkgs has some 500 MB."""

_MAX_FILES: Final = 1_000_000
_FOLDERS: Final = {
    "nixos/modules/": (".nix", ".md"),
    "nixos/tests/": (".nix",),
    "nixos/doc/": (".md",),
    "doc/": (".md",),
    "pkgs/": (".nix",),
}
# Written by programs: they name packages by the thousand, and say nothing of one.
_GENERATED: Final = (
    "pkgs/development/haskell-modules/",
    "pkgs/development/r-modules/",
    "pkgs/development/lisp-modules/imported.nix",
    "pkgs/tools/typesetting/tex/texlive/",
)


@dataclass(frozen=True)
class TreeFile:
    """A file of the tree: its path below the root, and its bytes."""

    path: str
    content: bytes


def wanted(path: str) -> bool:
    """Whether a file at `path`, below the root of nixpkgs, is read."""
    if path.startswith(_GENERATED):
        return False
    return any(
        path.startswith(folder) and path.endswith(endings) for folder, endings in _FOLDERS.items()
    )


def in_directory(root: Path, skip: Callable[[str, str], None]) -> Iterator[TreeFile]:
    """The files below `root`, in the order of their paths; no symbolic link is followed.

    `skip` is told the path of a file that is left out, and why.
    """
    tops = dict.fromkeys(folder.partition("/")[0] for folder in _FOLDERS)
    for top in tops:
        for folder, folders, names in os.walk(root / top):
            folders.sort()
            below = os.path.relpath(folder, root)
            for name in sorted(names):
                path = f"{below}/{name}"
                if wanted(path) and (content := _content(f"{folder}/{name}", path, skip)):
                    yield TreeFile(path, content)


def _content(file: str, path: str, skip: Callable[[str, str], None]) -> bytes | None:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            status = os.fstat(opened.fileno())
            if os.path.stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE_BYTES:
                return opened.read(MAX_FILE_BYTES)
            skip(path, f"it has more than {MAX_FILE_BYTES:,} bytes, or is no file")
    except OSError as error:
        if not os.path.islink(file):
            skip(path, error.strerror or str(error))
    return None
