"""Fetching a minified database that somebody publishes: verified before it replaces anything."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from fdnix.artifacts.transfer import file_sha256
from fdnix.database.atomic import building, make_directory
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.database.full import verify_counts
from fdnix.download import Limits, Wanted, apart, cause, downloaded, new_client, short_text
from fdnix.errors import DataError, SettingsError, SourceError
from fdnix.progress import growing

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.download import Auth

LIMITS = Limits(most_bytes=4 << 30)
"""What a published file may take; nixpkgs' takes a fortieth of these bytes."""

_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_CHECKSUM_SECONDS = 30.0


@dataclass(frozen=True)
class Fetched:
    """What was fetched; `unchanged` where the file that stood there was this one already."""

    path: str
    url: str
    sha256: str
    bytes: int
    packages: int
    unchanged: bool


def fetch_index(
    url: str, path: Path, *, sha256: str | None = None, limits: Limits = LIMITS
) -> Fetched:
    """Put the minified database that is published at `url` in the place of `path`.

    What had arrived when a download broke off stays beside `path`, and the next attempt or call
    goes on with it: it is kept under the checksum that it is to have, and no other file's bytes
    pass that. `path` is replaced last, all at once.

    Args:
        url: https, or http where `sha256` is given.
        path: where the database is kept.
        sha256: the file's checksum, in hexadecimal; by default what `url` + `.sha256` says, as
            `sha256sum` writes it.
        limits: what the file may take.

    Raises:
        SettingsError: `url` or `sha256` is not accepted, or `path` cannot be written to.
        SourceError: the server refused or kept failing, or what it has is too large.
        DataError: what arrived has another checksum, or is no minified database of this schema
            version.
    """
    address, auth = _address(url, sha256)
    wanted = _given(sha256) if sha256 else _published_checksum(address, auth, limits)
    if path.is_file() and file_sha256(path) == wanted:
        return _fetched(path, address, wanted, unchanged=True)
    make_directory(path.parent)
    file = Wanted(
        address,
        auth,
        absent="there is no published index",
        correct="correct the URL",
        is_verified=True,
    )
    part = path.with_name(f".{path.name}.{wanted[:16]}.part")
    with building(path) as place:
        with (
            growing("bytes of the index") as report,
            downloaded(file, part, limits, report),
        ):
            if (arrived := file_sha256(part)) != wanted:
                raise DataError(
                    f"{address}: has the checksum {arrived}, not {wanted}; nothing is replaced"
                )
            part.replace(place)
        _verify(place, address)
        for left in path.parent.glob(f".{path.name}.*.part"):
            left.unlink()
    return _fetched(path, address, wanted, unchanged=False)


def _address(url: str, sha256: str | None) -> tuple[httpx.URL, Auth | None]:
    try:
        address, auth = apart(httpx.URL(url))
    except httpx.InvalidURL as error:
        raise SettingsError(f"{url!r} is no URL: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise SettingsError(f"'{address}' must be an https URL")
    if address.scheme == "http" and not sha256:
        raise SettingsError(
            f"{address}: over http anyone on the way can exchange file and checksum; use https, or "
            "give the checksum with --sha256"
        )
    return address, auth


def _given(sha256: str) -> str:
    if not _CHECKSUM.fullmatch(sha256.lower()):
        raise SettingsError(f"{sha256!r} is no SHA-256; it has 64 hexadecimal digits")
    return sha256.lower()


def _published_checksum(url: httpx.URL, auth: Auth | None, limits: Limits) -> str:
    place = url.copy_with(path=url.path + ".sha256")
    deadline = time.monotonic() + min(limits.total, _CHECKSUM_SECONDS)
    try:
        with new_client(limits, auth) as client:
            answer, text = short_text(client, place, deadline, auth=auth)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{place}: {cause(error)}") from error
    if any(hop.url.scheme != "https" for hop in (*answer.history, answer)):
        raise SourceError(
            f"{place}: redirects to http, where anyone on the way can exchange the checksum; give "
            "it with --sha256"
        )
    found = text.lower().split() if answer.is_success else []
    if not found or not _CHECKSUM.fullmatch(found[0]):
        raise SourceError(
            f"{place}: holds no SHA-256 (HTTP {answer.status_code}); what is not verified is not "
            "used: publish one, or give it with --sha256"
        )
    return found[0]


def _verify(place: Path, url: httpx.URL) -> None:
    try:
        with connect(place, read_only=True, extensions=()) as connection:
            read_file_info(connection, place, kind="minified")
            verify_counts(connection, place)
    except DataError as error:
        raise DataError(f"{url}: is refused, and nothing is replaced: {error}") from error


def _fetched(path: Path, url: httpx.URL, sha256: str, *, unchanged: bool) -> Fetched:
    with connect(path, read_only=True, extensions=()) as connection:
        packages = int(read_file_info(connection, path, kind="minified")["package_count"])
    return Fetched(str(path), str(url), sha256, path.stat().st_size, packages, unchanged)
