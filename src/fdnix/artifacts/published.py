"""Fetching a minified database that somebody publishes: verified before it replaces anything."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import httpx

import fdnix
from fdnix.database.atomic import building, make_directory
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.database.full import verify_counts
from fdnix.errors import DataError, SettingsError, SourceError
from fdnix.nixpkgs.sources.download import ended_at, new_client
from fdnix.progress import log, progress

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.nixpkgs.sources.download import Trace

MAX_BYTES = 4 << 30
"""What a published file may take; nixpkgs' takes a fortieth of it."""

_ATTEMPTS = 5
_FIRST_PAUSE = 1.0
_LONGEST = 3600.0  # seconds; what arrived in them is kept
_TIMEOUT = httpx.Timeout(60, connect=20)
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_LENGTH = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Fetched:
    """What was fetched; `unchanged` where the file that stood there was this one already."""

    path: str
    url: str
    sha256: str
    bytes: int
    packages: int
    unchanged: bool


class _TryAgainError(Exception):
    """The server did not answer as it should, and may the next time."""


def fetch_index(
    url: str, path: Path, *, sha256: str | None = None, max_bytes: int = MAX_BYTES
) -> Fetched:
    """Put the minified database that is published at `url` in the place of `path`.

    What had arrived when a download broke off stays beside `path`, and the next attempt or call
    goes on with it (Range, RFC 9110 section 14.2): it is kept under the checksum that it is to
    have, and no other file's bytes pass that. `path` is replaced last, all at once.

    Args:
        url: https, or http where `sha256` is given.
        path: where the database is kept.
        sha256: the file's checksum, in hexadecimal; by default what `url` + `.sha256` says, as
            `sha256sum` writes it.
        max_bytes: what the file may take.

    Raises:
        SettingsError: `url` or `sha256` is not accepted, or `path` cannot be written to.
        SourceError: the server refused or kept failing.
        DataError: what arrived is too large, has another checksum, or is no minified database of
            this schema version.
    """
    address = _address(url, sha256)
    with (
        new_client(
            timeout=_TIMEOUT,
            headers={"User-Agent": f"fdnix/{fdnix.__version__}", "Accept-Encoding": "identity"},
        ) as client,
        ended_at(time.monotonic() + _LONGEST) as trace,
    ):
        wanted = _given(sha256) if sha256 else _published_checksum(client, address, trace)
        if path.is_file() and _digest(path) == wanted:
            return _fetched(path, url, wanted, unchanged=True)
        make_directory(path.parent)
        with building(path) as place:
            part = path.with_name(f".{path.name}.{wanted[:16]}.part")
            _download(client, address, trace, part, max_bytes)
            if (arrived := _digest(part)) != wanted:
                part.unlink()
                raise DataError(
                    f"{url}: has the checksum {arrived}, not {wanted}; nothing is replaced"
                )
            part.replace(place)
            _verify(place, url)
            for left in path.parent.glob(f".{path.name}.*.part"):
                left.unlink()
    return _fetched(path, url, wanted, unchanged=False)


def _address(url: str, sha256: str | None) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SettingsError(f"{url!r} is no URL: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise SettingsError(f"{url!r} must be an https URL")
    if address.scheme == "http" and not sha256:
        raise SettingsError(
            f"{url}: over http anyone on the way can exchange file and checksum; use https, or "
            "give the checksum with --sha256"
        )
    return address


def _given(sha256: str) -> str:
    if not _CHECKSUM.fullmatch(sha256.lower()):
        raise SettingsError(f"{sha256!r} is no SHA-256; it has 64 hexadecimal digits")
    return sha256.lower()


def _published_checksum(client: httpx.Client, url: httpx.URL, trace: Trace) -> str:
    place = url.copy_with(path=url.path + ".sha256")
    try:
        with client.stream("GET", place, extensions={"trace": trace}) as answer:
            text = next(answer.iter_bytes(1024), b"") if answer.is_success else b""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{place}: {error or type(error).__name__}") from error
    if any(hop.url.scheme != "https" for hop in (*answer.history, answer)):
        raise SourceError(
            f"{place}: redirects to http, where anyone on the way can exchange the checksum; give "
            "it with --sha256"
        )
    found = text.decode("ascii", "replace").lower().split()
    if not found or not _CHECKSUM.fullmatch(found[0]):
        raise SourceError(
            f"{place}: holds no SHA-256 (HTTP {answer.status_code}); what is not verified is not "
            "used: publish one, or give it with --sha256"
        )
    return found[0]


def _download(
    client: httpx.Client, url: httpx.URL, trace: Trace, part: Path, max_bytes: int
) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            with part.open("ab") as file:
                _attempt(client, url, trace, file, max_bytes)
                return
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise SourceError(f"{url} redirects to where nothing can be had: {error}") from error
        except (httpx.TransportError, _TryAgainError) as error:
            failure = str(error) or type(error).__name__
        if attempt + 1 < _ATTEMPTS:
            pause = _FIRST_PAUSE * 2**attempt
            log.warning("%s: %s; trying again in %g s", url, failure, pause)
            time.sleep(pause)
    raise SourceError(
        f"{url}: could not be downloaded, {_ATTEMPTS} attempts failed, the last one with: "
        f"{failure}; what arrived is kept: run this again to go on"
    )


def _attempt(
    client: httpx.Client, url: httpx.URL, trace: Trace, file: BinaryIO, max_bytes: int
) -> None:
    had = file.tell()
    headers = {"Range": f"bytes={had}-"} if had else {}
    traced = {"trace": trace}
    with client.stream("GET", url, headers=headers, extensions=traced) as response:
        status = response.status_code
        span = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if status == httpx.codes.PARTIAL_CONTENT and span and int(span[1]) == had:
            total: int | None = int(span[2])
        elif status == httpx.codes.OK:
            had = file.seek(0)
            file.truncate()
            length = response.headers.get("Content-Length", "")
            total = int(length) if _LENGTH.fullmatch(length) else None
        elif status in {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE}:
            file.truncate(0)
            raise _TryAgainError("the server does not go on where the download broke off")
        elif response.is_server_error or status == httpx.codes.TOO_MANY_REQUESTS:
            raise _TryAgainError(f"HTTP {status}")
        else:
            raise SourceError(f"{url}: HTTP {status}; correct the URL")
        _refuse_too_large(url, total, max_bytes)
        with progress("downloading", total) as advance:
            advance(had)
            for block in response.iter_raw():
                file.write(block)
                had += len(block)
                advance(len(block))
                _refuse_too_large(url, had, max_bytes)
    if total not in {None, had}:
        raise _TryAgainError(f"{had:,} of {total:,} bytes arrived")


def _refuse_too_large(url: httpx.URL, size: int | None, max_bytes: int) -> None:
    if size is not None and size > max_bytes:
        raise DataError(f"{url}: takes {size:,} bytes or more; at most {max_bytes:,} are accepted")


def _verify(place: Path, url: str) -> None:
    try:
        with connect(place, read_only=True, extensions=()) as connection:
            read_file_info(connection, place, kind="minified")
            verify_counts(connection, place)
    except DataError as error:
        raise DataError(f"{url}: is refused, and nothing is replaced: {error}") from error


def _fetched(path: Path, url: str, sha256: str, *, unchanged: bool) -> Fetched:
    with connect(path, read_only=True, extensions=()) as connection:
        packages = int(read_file_info(connection, path, kind="minified")["package_count"])
    return Fetched(str(path), url, sha256, path.stat().st_size, packages, unchanged)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
