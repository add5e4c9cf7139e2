"""The files of a nixpkgs tree, from wherever it is."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fdnix.download import downloaded
from fdnix.nixpkgs.tree.files import in_directory, in_tarball, state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.download import Wanted
    from fdnix.nixpkgs.sources.source import Work
    from fdnix.nixpkgs.tree import TreeSource
    from fdnix.nixpkgs.tree.files import Skip, TreeFile


def tree_source(setting: str, source: str) -> TreeSource | None:
    """Where the tree is from that `setting`, NIXPKGS_TREE, asks for beside a catalogue of `source`.

    None where it asks for none, or there is none.
    """
    if setting != "auto":
        return None if setting == "none" else "path"
    if source in {"channel", "sample"}:
        return cast("TreeSource", source)
    return "nixpkgs" if source in {"nixpkgs", "nix-env"} else None


def tree_place(setting: str, place: Path | Wanted | None) -> Path | Wanted | None:
    """Where the tree is that `setting` asks for; None where it is nowhere.

    `place` is that of the nixpkgs which the catalogue was made from.
    """
    if setting != "auto":
        return None if setting == "none" else Path(setting)
    # What was evaluated may be a file of the user's own that imports nixpkgs.
    return None if isinstance(place, Path) and not (place / "pkgs").is_dir() else place


def tree_state(place: Path | Wanted | None) -> str | None:
    """What tells the tree at `place` from an older one; None unless it is on this machine."""
    return state(place) if isinstance(place, Path) else None


@contextmanager
def tree_files(place: Path | Wanted, work: Work, skip: Skip) -> Iterator[Iterator[TreeFile]]:
    """Yield the files of the tree at `place`: a directory, a tarball, or one to be downloaded.

    A downloaded tarball is gone when the context ends; what was read of it is in the database.

    Raises:
        SourceError: It cannot be downloaded.
        DataError: It is no nixpkgs, or damaged; also while the files are read.
    """
    most = work.limits.most_bytes
    if isinstance(place, Path):
        if place.is_dir():
            yield in_directory(place, skip)
        else:
            yield in_tarball(place, work.directory, max_bytes=most, skip=skip)
        return
    part = work.directory / "nixexprs.tar.xz.part"
    with downloaded(place, part, work.limits, work.progress) as arrived:
        yield in_tarball(arrived.path, work.directory, max_bytes=most, skip=skip)
