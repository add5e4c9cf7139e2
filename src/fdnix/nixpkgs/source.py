"""One catalogue file from wherever `NIXPKGS_SOURCE` says: nix-env, a channel, a file, the sample.

What each source makes of it stays in its own module; the forms inside the file are the concern of
`fdnix.nixpkgs.catalog`.
"""

from __future__ import annotations

import importlib.resources
import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fdnix.errors import SourceError
from fdnix.nixpkgs import channel as channels
from fdnix.nixpkgs import nix_env
from fdnix.nixpkgs.fetched import Fetched, Limits, Progress, Unchanged, nameless_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

__all__ = ["Fetched", "Limits", "Progress", "Unchanged", "choose", "fetch"]


def _silent(_done: int, _total: int | None) -> None:
    pass


def choose(nixpkgs_path: str) -> str:
    """Return what `auto` means here: `nix-env` or `channel`.

    `nix-env` where it is installed and `nixpkgs_path` names a nixpkgs to evaluate, since that is
    the nixpkgs this machine installs from; else `channel`, which needs nothing but the network.
    """
    return "nix-env" if nix_env.can_evaluate(nixpkgs_path) else "channel"


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
        source: `auto`, `nix-env`, `channel`, `sample`, a file's path, or `-` for standard input.
        channel: The channel's name, such as `nixpkgs-unstable`.
        nixpkgs_path: What nix-env evaluates: a path, `<nixpkgs>` or a tarball's URL. Where Nix
            finds no `<nixpkgs>`, `nix-env` evaluates the channel's tarball.
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
    limits = limits or Limits()
    workdir = workdir.absolute()
    word = choose(nixpkgs_path) if source == "auto" else source
    match word:
        case "nix-env":
            with nix_env.evaluate(
                _to_evaluate(nixpkgs_path, channel, channel_url),
                workdir=workdir,
                limits=limits,
                progress=progress,
            ) as fetched:
                yield fetched
        case "channel":
            with channels.download(
                channel,
                base_url=channel_url,
                known_etag=known_etag,
                workdir=workdir,
                limits=limits,
                progress=progress,
            ) as answer:
                yield answer
        case "sample":
            sample = importlib.resources.files("fdnix.nixpkgs") / "sample.json"
            with importlib.resources.as_file(sample) as path:
                yield Fetched(path=path, source="sample")
        case "-":
            with _spooled(sys.stdin.buffer, "standard input", workdir, progress) as path:
                yield Fetched(path=path, source="file")
        case _:
            with _file(Path(word), workdir, progress) as path:
                yield Fetched(path=path, source="file")


def _to_evaluate(nixpkgs_path: str, channel: str, channel_url: str) -> str:
    """Return `nixpkgs_path`, or the channel's tarball where Nix finds no `<nixpkgs>`."""
    if nixpkgs_path == "<nixpkgs>" and not nix_env.is_here(nixpkgs_path):
        return f"{channel_url.rstrip('/')}/{channel}/nixexprs.tar.xz"
    return nixpkgs_path


@contextmanager
def _file(path: Path, workdir: Path, progress: Progress) -> Iterator[Path]:
    with _opened(path) as stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            if not stream.peek(1):
                raise SourceError(f"the catalogue {str(path)!r} is empty")
            yield path
        else:
            # A pipe, as in `NIXPKGS_SOURCE=<(…)`, can be read only once.
            with _spooled(stream, repr(str(path)), workdir, progress) as spooled:
                yield spooled


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(
            f"NIXPKGS_SOURCE is {str(path)!r}, which is neither auto, nix-env, channel, sample or -"
            " nor a file that exists"
        ) from error
    except IsADirectoryError as error:
        raise SourceError(
            f"NIXPKGS_SOURCE is {str(path)!r}, which is a directory; give a catalogue file, "
            "or set NIXPKGS_SOURCE=nix-env and NIXPKGS_PATH to this directory"
        ) from error
    except OSError as error:
        raise SourceError(
            f"the catalogue {str(path)!r} cannot be read: {error.strerror}"
        ) from error


@contextmanager
def _spooled(stream: BinaryIO, name: str, workdir: Path, progress: Progress) -> Iterator[Path]:
    if stream.isatty():
        raise SourceError(
            f"{name} is a terminal; send the catalogue into it, as in "
            "`nix-env -qaP --json --meta | NIXPKGS_SOURCE=- fdnix metadata`"
        )
    with nameless_file(workdir) as (spool, path):
        while chunk := stream.read(1 << 20):
            spool.write(chunk)
            progress(spool.tell(), None)
        if spool.tell() == 0:
            raise SourceError(f"{name} is empty: no catalogue came in")
        spool.seek(0)
        yield path
