"""One catalogue file from wherever `NIXPKGS_SOURCE` says: a nixpkgs, a channel, a file, the sample.

What each source makes of it stays in its own module; the forms inside the file are the concern of
`fdnix.nixpkgs.catalog`.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fdnix.download import Limits, Progress
from fdnix.nixpkgs.sources.channel import Channel
from fdnix.nixpkgs.sources.file import File, StandardInput
from fdnix.nixpkgs.sources.nix_env import NixEnv
from fdnix.nixpkgs.sources.sample import Sample
from fdnix.nixpkgs.sources.source import Fetched, Source, Unchanged, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Fetched", "Limits", "Progress", "Source", "Unchanged", "Work", "choose", "fetch"]


def _silent(_done: int, _total: int | None) -> None:
    pass


def choose(nixpkgs_path: str) -> str:
    """Return what `auto` means here: `nixpkgs` or `channel`.

    `nixpkgs` where Nix is installed and `nixpkgs_path` names a nixpkgs to evaluate, since that is
    the nixpkgs this machine installs from; else `channel`, which needs nothing but the network.
    """
    return "nixpkgs" if NixEnv(nixpkgs_path).is_ready() else "channel"


@contextmanager
def fetch(
    source: str,
    *,
    channel: str,
    nixpkgs_path: str,
    channel_url: str,
    workdir: Path,
    known_etag: str | None = None,
    limits: Limits | None = None,
    progress: Progress = _silent,
) -> Iterator[Fetched | Unchanged]:
    """Yield the catalogue of `source` as a file that lasts until the context ends.

    Args:
        source: `auto`, `nixpkgs` (what it publishes, evaluated), `nix-env` (what that lists in it),
            `channel`, `sample`, a file's path, or `-` for standard input.
        channel: The channel's name, such as `nixpkgs-unstable`.
        nixpkgs_path: What Nix evaluates: a path, `<nixpkgs>` or a tarball's URL. Where Nix finds
            no `<nixpkgs>`, it evaluates the channel's tarball.
        channel_url: The URL under which channels lie, such as `https://channels.nixos.org`.
        workdir: An existing directory for temporary files. A download that was cut off stays
            there, and the next call goes on with it.
        known_etag: The ETag of the catalogue the caller has from this very channel; `Unchanged`
            is yielded when the channel still serves that one. Other sources ignore it.
        limits: Time limits and attempts.
        progress: Told how far it got.

    Raises:
        SourceError: The catalogue could not be had.
    """
    tarball = f"{channel_url.rstrip('/')}/{channel}/nixexprs.tar.xz"
    sources: dict[str, Source] = {
        "nixpkgs": NixEnv(nixpkgs_path, tarball, published=True),
        "nix-env": NixEnv(nixpkgs_path, tarball),
        "channel": Channel(channel, channel_url, known_etag),
        "sample": Sample(),
        "-": StandardInput(),
    }
    name = choose(nixpkgs_path) if source == "auto" else source
    chosen = sources.get(name) or File(Path(name))
    with chosen.fetch(Work(workdir.absolute(), limits or Limits(), progress)) as answer:
        yield answer
