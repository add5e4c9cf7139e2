"""A catalogue that the caller has: in a file, or coming in through a pipe."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from fdnix.errors import SourceError
from fdnix.nixpkgs.sources.source import Fetched, nameless_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from fdnix.nixpkgs.sources.source import Work


@dataclass(frozen=True)
class File:
    """A file, which is used where it lies, or a pipe with a path."""

    path: Path

    @contextmanager
    def fetch(self, work: Work) -> Iterator[Fetched]:
        """Yield the file, or a copy of what comes through the pipe."""
        with _opened(self.path) as stream:
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                if not stream.peek(1):
                    raise SourceError(f"the catalogue {str(self.path)!r} is empty")
                yield Fetched(path=self.path, source="file")
            else:
                # A pipe, as in `NIXPKGS_SOURCE=<(…)`, can be read only once.
                with _spooled(stream, repr(str(self.path)), work) as spooled:
                    yield Fetched(path=spooled, source="file")


@dataclass(frozen=True)
class StandardInput:
    """What is sent to this process."""

    @contextmanager
    def fetch(self, work: Work) -> Iterator[Fetched]:
        """Yield a copy of what comes in."""
        with _spooled(sys.stdin.buffer, "standard input", work) as path:
            yield Fetched(path=path, source="file")


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(
            f"NIXPKGS_SOURCE is {str(path)!r}, which is neither auto, nixpkgs, nix-env, channel,"
            " sample or - nor a file that exists"
        ) from error
    except IsADirectoryError as error:
        raise SourceError(
            f"NIXPKGS_SOURCE is {str(path)!r}, which is a directory; give a catalogue file, "
            "or set NIXPKGS_SOURCE=nixpkgs and NIXPKGS_PATH to this directory"
        ) from error
    except OSError as error:
        raise SourceError(
            f"the catalogue {str(path)!r} cannot be read: {error.strerror}"
        ) from error


@contextmanager
def _spooled(stream: BinaryIO, name: str, work: Work) -> Iterator[Path]:
    if stream.isatty():
        raise SourceError(
            f"{name} is a terminal; send the catalogue into it, as in "
            "`nix-env -qaP --json --meta | NIXPKGS_SOURCE=- fdnix metadata`"
        )
    with nameless_file(work.directory) as (spool, path):
        while chunk := stream.read(1 << 20):
            spool.write(chunk)
            work.progress(spool.tell(), None)
            if spool.tell() > work.limits.most_bytes:
                raise SourceError(
                    f"{name} gave more than {work.limits.most_bytes:,} bytes, and no end; if it is "
                    "a catalogue, raise NIXPKGS_MAX_BYTES"
                )
        if spool.tell() == 0:
            raise SourceError(f"{name} is empty: no catalogue came in")
        spool.seek(0)
        yield path
