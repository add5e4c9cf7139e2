"""The files of a nixpkgs tree that say something: out of a directory, or of a channel's tarball."""

from __future__ import annotations

import os
import re
import stat
import tarfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import TYPE_CHECKING, Final

from fdnix.errors import DataError
from fdnix.nixpkgs.compression import packed, unpacked_pieces
from fdnix.nixpkgs.tree.aliases import DEPRECATED_FILES
from fdnix.nixpkgs.tree.systems import RELEASE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from _typeshed import WriteableBuffer

Skip = Callable[[str, str], None]
"""Told the path of a file that is left out, and why."""

PROGRAMS: Final = "programs.sqlite"
REVISION: Final = ".git-revision"

MAX_FILE_BYTES: Final = 1_500_000
"""Longer files are lists that programs wrote; the longest that people write has 1.2 MB."""

MAX_PROGRAMS_BYTES: Final = 1 << 30

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
    "pkgs/development/haskell-modules/hackage-packages.nix",
    "pkgs/development/lisp-modules/imported.nix",
    "pkgs/tools/typesetting/tex/texlive/tlpdb.nix",
    "pkgs/tools/typesetting/tex/texlive/fixed-hashes.nix",
)
_GIT_REVISION: Final = re.compile(r"[0-9a-f]{7,40}")


def ignored(_path: str, _reason: str) -> None:
    """Tell nobody what is left out."""


@dataclass(frozen=True)
class TreeFile:
    """A file of the tree: its path below the root, and its bytes; of `PROGRAMS`, its place."""

    path: str
    content: bytes = b""
    place: Path | None = None


def wanted(path: str) -> bool:
    """Whether a file at `path`, below the root of nixpkgs, is read."""
    if path in {REVISION, PROGRAMS, *RELEASE_FILES} or path in DEPRECATED_FILES:
        return True
    folder = next((folder for folder in _FOLDERS if path.startswith(folder)), None)
    return (
        folder is not None and path.endswith(_FOLDERS[folder]) and not path.startswith(_GENERATED)
    )


def revision_of(content: bytes) -> str | None:
    """The git revision in a file `REVISION`."""
    found = _GIT_REVISION.fullmatch(content.decode("ascii", "replace").strip())
    return found and found[0]


def in_directory(root: Path, skip: Skip = ignored) -> Iterator[TreeFile]:
    """The files below `root`; no symbolic link is followed.

    Raises:
        DataError: there is no nixpkgs there.
    """
    if not (root / "pkgs").is_dir():
        raise DataError(f"{root}: is no nixpkgs: it has no folder pkgs")
    if (programs := root / PROGRAMS).is_file() and not programs.is_symlink():
        yield TreeFile(PROGRAMS, place=programs)
    for path in _paths(root):
        if (content := _content(root / path, path, skip)) is not None:
            yield TreeFile(path, content)


def state(place: Path) -> str:
    """What tells a tree, a directory or a tarball, from what was there before, in hexadecimal.

    Made of the place, and of the sizes and times of the files that are read: git's revision would
    not tell what was not committed. All of nixpkgs takes 0.8 s.
    """
    real = Path(os.path.realpath(place))
    digest = sha256(f"{real}\n".encode(errors="surrogateescape"))
    for path in (PROGRAMS, *_paths(real)) if real.is_dir() else ("",):
        with suppress(OSError):
            status = (real / path).lstat()
            told = f"{path} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(told.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _paths(root: Path) -> Iterator[str]:
    """The files below `root` that are read, but for `PROGRAMS`, always in the same order."""
    yield REVISION
    for top in dict.fromkeys(folder.partition("/")[0] for folder in _FOLDERS):
        for folder, folders, names in os.walk(root / top):
            folders.sort()
            below = os.path.relpath(folder, root) + "/"
            yield from filter(wanted, (below + name for name in sorted(names)))


def _content(file: Path, path: str, skip: Skip) -> bytes | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if not file.is_symlink() and file.exists():
            skip(path, error.strerror or str(error))
        return None
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MAX_FILE_BYTES:
            skip(path, _TOO_LONG)
            return None
        return opened.read(MAX_FILE_BYTES)


_TOO_LONG: Final = f"it has more than {MAX_FILE_BYTES:,} bytes"


def in_tarball(
    path: Path, directory: Path, *, max_bytes: int, skip: Skip = ignored
) -> Iterator[TreeFile]:
    """The files in a tarball of nixpkgs, such as a channel's `nixexprs.tar.xz`.

    Args:
        path: of the tarball; compressed with gzip, xz or Zstandard.
        directory: for a temporary file.
        max_bytes: the bytes that it may have, and unpack to.
        skip: told what is left out, and why.

    Raises:
        DataError: it cannot be read, is no tarball, cut off, damaged, or too large.
    """
    pieces = unpacked_pieces(packed(path, max_bytes), str(path), max_bytes)
    stream = BufferedReader(_Pieces(pieces), 1 << 20)
    found = False
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in _members(tar, directory, skip):
                found = found or member.path.startswith("pkgs/")
                yield member
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: is no tarball, or damaged ({error}); fetch it again") from error
    if not found:
        raise DataError(f"{path}: is no nixpkgs: it has no folder pkgs")


def _members(tar: tarfile.TarFile, directory: Path, skip: Skip) -> Iterator[TreeFile]:
    for number, member in enumerate(tar):
        if number > _MAX_FILES:
            raise DataError(f"it has more than {_MAX_FILES:,} files, which no nixpkgs has")
        # The list that tarfile keeps of all members would grow with them.
        tar.members = []  # type: ignore[attr-defined]
        below = _below(member.name)
        if not member.isreg() or below is None or not wanted(below):
            continue
        if below == PROGRAMS:
            if member.size > MAX_PROGRAMS_BYTES:
                skip(below, f"it has more than {MAX_PROGRAMS_BYTES:,} bytes")
            elif file := tar.extractfile(member):
                with _copied(file, directory / f"{PROGRAMS}.part") as place:
                    yield TreeFile(PROGRAMS, place=place)
        elif member.size > MAX_FILE_BYTES:
            skip(below, _TOO_LONG)
        elif file := tar.extractfile(member):
            yield TreeFile(below, file.read(MAX_FILE_BYTES))


def _below(name: str) -> str | None:
    """The path below the tarball's one folder; None where it leads out of it."""
    parts = PurePosixPath(name).parts
    return None if name.startswith("/") or ".." in parts else "/".join(parts[1:])


@contextmanager
def _copied(source: IO[bytes], place: Path) -> Iterator[Path]:
    """Yield `place` with what `source` holds; what a killed run left there is replaced."""
    place.unlink(missing_ok=True)
    try:
        with place.open("xb") as target:
            copyfileobj(source, target)
        yield place
    finally:
        place.unlink(missing_ok=True)


class _Pieces(RawIOBase):
    """A stream of what an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        size = min(len(view), len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
