"""Folders for temporary files, which outlive no process for long."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = ".fdnix-scratch-"


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """Yield a new folder in `directory`, which is removed in the end.

    Should this process be killed, the next `sweep` of `directory` removes it.
    """
    while True:
        folder = Path(mkdtemp(prefix=_PREFIX, dir=directory))
        with _held(folder) as held:
            # A sweep may have come in between the two.
            if held and folder.is_dir():
                try:
                    yield folder
                finally:
                    _remove(folder)
                return


def sweep(directory: Path) -> None:
    """Remove the folders that killed processes left in `directory`; others' are left alone."""
    for folder in directory.glob(f"{_PREFIX}*"):
        with _held(folder) as held:
            if held:
                _remove(folder)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Lock `folder`, which the kernel undoes when a process ends; yield whether it could be."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held = False
        else:
            held = True
        yield held
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    # Nobody may write into the folders of a Nix store.
    for name, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(name).chmod(0o700)
    rmtree(folder, ignore_errors=True)
