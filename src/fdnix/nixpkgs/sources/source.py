"""What a source is, what it hands over, and the limits it keeps to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from fdnix.nixpkgs.sources.download import Wanted


SourceName = Literal["nixpkgs", "nix-env", "channel", "sample", "file"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes had so far, and the bytes there will be where that is known."""


@dataclass(frozen=True)
class Limits:
    """How long a source may take; all times in seconds."""

    total: float = 3600.0
    connect: float = 20.0
    read: float = 60.0
    """The longest silence of a server in the middle of an answer."""
    most_bytes: int = 1_000_000_000
    """The bytes that a catalogue has at most, as it comes."""
    attempts: int = 6
    """Requests for the catalogue before giving up, the first one included."""
    backoff: float = 1.0
    """The first pause between two attempts; each later one is twice as long, up to 30 s."""


@dataclass(frozen=True)
class Fetched:
    """A catalogue in a file, as its source gave it: decoded by nobody yet, perhaps compressed."""

    path: Path
    source: SourceName
    channel: str | None = None
    revision: str | None = None
    """The git revision of nixpkgs, sometimes abbreviated; None where the source does not tell."""
    etag: str | None = None
    """What `fetch` takes as `known_etag` the next time."""
    nix_version: str | None = None
    warnings: str | None = None
    """The end of what Nix wrote to stderr although it succeeded."""
    root: Path | None = None
    """The directory of the nixpkgs that was evaluated, which positions start with."""
    tree: Path | Wanted | None = None
    """Where the nixpkgs is that the catalogue was made from: its directory, or its tarball."""
    left_out: tuple[str, ...] = ()
    """Attribute paths of packages that are missing, since something of them does not evaluate."""


@dataclass(frozen=True)
class Unchanged:
    """The channel still serves the catalogue whose ETag the caller knows."""

    channel: str
    etag: str


@dataclass(frozen=True)
class Work:
    """Where and how a source works."""

    directory: Path
    """For temporary files, and for what the next call goes on with."""
    limits: Limits
    progress: Progress


class Source(Protocol):
    """Where a catalogue can be had from."""

    def fetch(self, work: Work, /) -> AbstractContextManager[Fetched | Unchanged]:
        """Yield the catalogue as a file that lasts until the context ends.

        Raises:
            SourceError: The catalogue could not be had.
        """


@contextmanager
def nameless_file(directory: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a temporary file on the disk of `directory`, and a path that opens it from its start.

    It has no name there, so that a process that is killed leaves nothing behind.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        yield file, Path(f"/dev/fd/{file.fileno()}")
