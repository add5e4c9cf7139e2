"""What a source is, and what it hands over."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from fdnix.download import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import httpx

    from fdnix.download import Auth, Limits, Progress


SourceName = Literal["nixpkgs", "nix-env", "channel", "sample", "file"]

nixpkgs_file = partial(
    Wanted,
    url_setting="NIXPKGS_CHANNEL_URL",
    time_setting="raise NIXPKGS_TIMEOUT",
    bytes_setting="raise NIXPKGS_MAX_BYTES",
)
"""What is to be downloaded where, and as, the settings say."""


def tarball(url: httpx.URL, auth: Auth | None) -> Wanted:
    """The tarball of a nixpkgs."""
    return nixpkgs_file(
        url,
        auth,
        absent="there is no tarball of nixpkgs beside the catalogue",
        correct="set NIXPKGS_TREE to none or to a nixpkgs",
        instead="set NIXPKGS_TREE to none or to a nixpkgs",
    )


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
