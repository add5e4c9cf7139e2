"""The catalogue a channel publishes: `CHANNEL/packages.json.br`, and `git-revision` beside it."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import httpx

from fdnix import __version__
from fdnix.errors import SourceError
from fdnix.nixpkgs.sources.source import Fetched, Unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from fdnix.nixpkgs.sources.source import Work

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REVISION = re.compile(r"[0-9a-f]{40}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_LENGTH = re.compile(r"[0-9]{1,15}")
# RFC 9110, 8.8.3, without the bytes beyond ASCII that it lets stand for old servers' sake.
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')
_LONGEST_REVISION = 1000
_REVISION_SECONDS = 30.0
_LONGEST_PAUSE = 30.0

# S3, which serves the channels, says 403 for what is absent to those who may not list.
_UNKNOWN_CHANNEL = frozenset({403, 404, 410})
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_PART_ANSWERS = frozenset(
    {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE}
)


class _TryAgainError(Exception):
    """An attempt failed in a way that the next one may not."""


@dataclass(frozen=True)
class _Part:
    """The file a download grows in, open and locked; beside it lies the ETag of what is in it."""

    file: BinaryIO
    path: Path

    @property
    def validator_path(self) -> Path:
        return self.path.with_suffix(".etag")

    def size(self) -> int:
        self.file.flush()
        return os.fstat(self.file.fileno()).st_size

    def resumable(self, url: httpx.URL) -> tuple[int, str] | None:
        """Return the bytes there are and the ETag of the file they are the start of."""
        size = self.size()
        if size == 0 or not self.validator_path.exists():
            return None
        known_url, _, etag = self.validator_path.read_text(errors="replace").partition("\n")
        return (size, etag) if known_url == str(url) and _ETAG.fullmatch(etag) else None

    def restart(self, url: httpx.URL, etag: str | None) -> None:
        """Empty the file; `etag` is that of what will be written into it."""
        self.validator_path.unlink(missing_ok=True)
        self.file.seek(0)
        self.file.truncate()
        # A weak ETag does not promise equal bytes and may not stand in If-Range.
        if etag is not None and not etag.startswith("W/"):
            self.validator_path.write_text(f"{url}\n{etag}")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.validator_path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Channel:
    """The channel called `name` under `base_url`; `known_etag` is of the catalogue had from it."""

    name: str
    base_url: str
    known_etag: str | None = None

    @contextmanager
    def fetch(self, work: Work) -> Iterator[Fetched | Unchanged]:
        """Yield the catalogue, downloaded, or `Unchanged` if its ETag is `known_etag`.

        What had arrived when a download failed stays in `work.directory`. The next attempt, or the
        next call, goes on with it where the server still has that very file (Range and If-Range,
        RFC 9110 sections 13.1.5 and 14.2), and starts anew where not.

        Raises:
            SourceError: The channel's name or URL is wrong, the server refused, or it kept
                failing.
        """
        url, auth = _catalogue_url(self.base_url, self.name)
        deadline = time.monotonic() + work.limits.total
        timeout = httpx.Timeout(work.limits.read, connect=work.limits.connect)
        # identity: the file is compressed as it is, and only bytes as they are stored can be
        # resumed.
        headers = {"User-Agent": f"fdnix/{__version__}", "Accept-Encoding": "identity"}
        with (
            _part(work.directory / f"{self.name}.packages.json.br.part") as part,
            _ended_at(deadline) as trace,
            httpx.Client(
                auth=auth, timeout=timeout, headers=headers, follow_redirects=True
            ) as client,
        ):
            ended = False
            try:
                response = _persist(_Request(client, url, self, trace, deadline), part, work)
                ended = True
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    yield Unchanged(self.name, self.known_etag or "")
                else:
                    yield Fetched(
                        path=part.path,
                        source="channel",
                        channel=self.name,
                        revision=_revision(client, url, response.url, deadline),
                        etag=_etag(response),
                    )
            finally:
                if ended or part.size() == 0:
                    part.remove()


@dataclass(frozen=True)
class _Request:
    """What is asked for, again and again if need be."""

    client: httpx.Client
    url: httpx.URL
    channel: Channel
    trace: _Trace
    deadline: float


class _Trace(Protocol):
    """What httpx tells of a request's steps, as its extension `trace`."""

    def __call__(self, event: str, info: Mapping[str, Any], /) -> None:
        """Note one step."""


@contextmanager
def _ended_at(deadline: float) -> Iterator[_Trace]:
    """Yield a trace of requests whose connections are shut at the deadline (of `time.monotonic`).

    httpx limits each read alone, which a header that comes byte by byte, or one answer 103 after
    the other, never exceeds.
    """
    sockets: list[socket.socket] = []
    over = threading.Event()

    def shut() -> None:
        over.set()
        for each in sockets:
            with suppress(OSError):
                # A TLS socket's own method would have it read on in plain text.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def note(event: str, info: Mapping[str, Any], /) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            sockets.append(info["return_value"].get_extra_info("socket"))
            if over.is_set():
                shut()

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield note
    finally:
        timer.cancel()


def _etag(response: httpx.Response) -> str | None:
    """The ETag, unless it is one that could not be sent back."""
    found = response.headers.get("ETag")
    return found if found is not None and _ETAG.fullmatch(found) else None


def _catalogue_url(base_url: str, channel: str) -> tuple[httpx.URL, tuple[str, str] | None]:
    """Return the catalogue's URL, and apart from it (for no log to show) the user and password."""
    if not _NAME.fullmatch(channel):
        raise SourceError(
            f"NIXPKGS_CHANNEL is {channel!r}, which is no channel's name; "
            "give one such as nixpkgs-unstable or nixos-26.05"
        )
    try:
        base = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise SourceError(f"NIXPKGS_CHANNEL_URL is no URL: {error}") from error
    if base.scheme not in {"http", "https"} or not base.host:
        raise SourceError(
            "NIXPKGS_CHANNEL_URL must be an http or https URL, such as https://channels.nixos.org"
        )
    auth = (base.username, base.password) if base.userinfo else None
    path = f"{base.path.rstrip('/')}/{channel}/packages.json.br"
    return base.copy_with(userinfo=b"", path=path), auth


@contextmanager
def _part(path: Path) -> Iterator[_Part]:
    try:
        opened = path.open("a+b")
    except IsADirectoryError as error:
        raise SourceError(f"{str(path)!r} is a directory; remove it and run again") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            busy = os.fstat(file.fileno()).st_nlink == 0  # its last user has just removed it
        except BlockingIOError:
            busy = True
        if busy:
            raise SourceError(
                f"another run is downloading into {str(path)!r}; wait for it to end, then run again"
            )
        yield _Part(file, path)


def _persist(request: _Request, part: _Part, work: Work) -> httpx.Response:
    """Download into `part`, trying as often as the limits allow, and return the last response."""
    url, limits, deadline = request.url, work.limits, request.deadline
    for attempt in range(1, limits.attempts + 1):
        try:
            return _attempt(request, part, work)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise SourceError(f"{url} redirects to where nothing can be had: {error}") from error
        except (httpx.TransportError, _TryAgainError) as error:
            failure = error
        if time.monotonic() >= deadline:
            raise _late(url, part.size()) from failure
        pause = min(limits.backoff * 2 ** (attempt - 1), _LONGEST_PAUSE)
        if attempt == limits.attempts or time.monotonic() + pause > deadline:
            break
        logger.warning("%s: %s; trying again in %g s", url, _cause(failure), pause)
        time.sleep(pause)
    raise SourceError(
        f"{url} could not be downloaded, {attempt} attempts failed, the last one with: "
        f"{_cause(failure)}. Check the network and NIXPKGS_CHANNEL_URL and run again (what arrived "
        "is kept), or set NIXPKGS_SOURCE to nixpkgs or to a file"
    ) from failure


def _cause(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "the server was silent for too long"
    return str(error) or type(error).__name__


def _late(url: httpx.URL, size: int) -> SourceError:
    return SourceError(
        f"{url} had not arrived within the time limit ({size} bytes had, which are "
        "kept); run again to go on, or raise NIXPKGS_TIMEOUT"
    )


def _attempt(request: _Request, part: _Part, work: Work) -> httpx.Response:
    url, known_etag = request.url, request.channel.known_etag
    if known_etag is not None and not _ETAG.fullmatch(known_etag):
        known_etag = None
    had = part.resumable(url)
    headers = {} if known_etag is None else {"If-None-Match": known_etag}
    if had is not None:
        headers |= {"Range": f"bytes={had[0]}-", "If-Range": had[1]}
    traced = {"trace": request.trace}
    with request.client.stream("GET", url, headers=headers, extensions=traced) as response:
        if response.status_code == httpx.codes.NOT_MODIFIED and known_etag is not None:
            return response
        _refuse_others(response, url, request.channel.name)
        if response.status_code == httpx.codes.OK:
            part.restart(url, _etag(response))
            length = response.headers.get("Content-Length", "")
            total = int(length) if _LENGTH.fullmatch(length) else None
        else:
            total = _resumed_total(response, had)
            if total is None:
                part.restart(url, None)
                raise _TryAgainError("the server does not go on where the download broke off")
        size = _arrive(response, request, part, work, total)
    part.file.flush()
    if size == 0 or total not in {None, size}:
        part.restart(url, None)
        raise _TryAgainError(f"{size} bytes arrived, {total or 'more'} were expected")
    return response


def _arrive(
    response: httpx.Response, request: _Request, part: _Part, work: Work, total: int | None
) -> int:
    """Write what comes to the end of `part`: the bytes that are then in it."""
    size = part.size()
    for chunk in response.iter_raw():
        part.file.write(chunk)
        size += len(chunk)
        work.progress(size, total)
        if size > work.limits.most_bytes:
            part.restart(request.url, None)
            raise SourceError(
                f"{request.url} gave more than {work.limits.most_bytes:,} bytes, which no channel "
                "serves; correct NIXPKGS_CHANNEL_URL, or raise NIXPKGS_MAX_BYTES"
            )
        if time.monotonic() > request.deadline:
            break
    # What has no length ends where the connection does, and the deadline may have ended that.
    if time.monotonic() > request.deadline:
        raise _late(request.url, part.size())
    return size


def _refuse_others(response: httpx.Response, url: httpx.URL, channel: str) -> None:
    """Raise unless the answer carries the file or a part of it, as it is stored."""
    status = response.status_code
    if status in _UNKNOWN_CHANNEL:
        raise SourceError(
            f"there is no channel {channel!r}: {url} answered HTTP {status}; correct "
            "NIXPKGS_CHANNEL (such as nixpkgs-unstable or nixos-26.05) or NIXPKGS_CHANNEL_URL"
        )
    if status in _PASSING:
        raise _TryAgainError(f"HTTP {status}")
    if status not in {httpx.codes.OK, *_PART_ANSWERS}:
        raise SourceError(f"{url} answered HTTP {status}; correct NIXPKGS_CHANNEL_URL")
    # The channels' own server calls the file's Brotli its Content-Encoding. Any other encoding
    # would have been added on the way.
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "br"}:
        raise SourceError(
            f"{url} came with Content-Encoding {encoding}, which was not asked for; correct "
            "NIXPKGS_CHANNEL_URL or the proxy in between"
        )


def _resumed_total(response: httpx.Response, had: tuple[int, str] | None) -> int | None:
    """Return the whole file's size if the response goes on just where the part ends.

    A refused range (416) does not: its Content-Range names no span.
    """
    span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if had is None or span is None or int(span[1]) != had[0]:
        return None
    # A server that ignores If-Range would let two catalogues grow together.
    return int(span[2]) if response.headers.get("ETag", had[1]) == had[1] else None


def _revision(
    client: httpx.Client, url: httpx.URL, final_url: httpx.URL, deadline: float
) -> str | None:
    """Return the git revision of the catalogue just downloaded, or None if it cannot be had.

    A channel's URL redirects to the release it stands at. Asking beside the final URL first gets
    the revision of that release even if the channel has moved on since.
    """
    deadline = min(deadline, time.monotonic() + _REVISION_SECONDS)
    for place in dict.fromkeys((final_url.join("git-revision"), url.join("git-revision"))):
        # The password for the channel's host is no other host's business.
        auth = httpx.USE_CLIENT_DEFAULT if place.netloc == url.netloc else None
        # A connection that is there already would not be traced.
        headers = {"Connection": "close"}
        text = b""
        try:
            with (
                _ended_at(deadline) as trace,
                client.stream(
                    "GET", place, auth=auth, headers=headers, extensions={"trace": trace}
                ) as answer,
            ):
                for chunk in answer.iter_raw():
                    text += chunk
                    if len(text) > _LONGEST_REVISION or time.monotonic() > deadline:
                        break
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.warning("%s: %s", url.join("git-revision"), _cause(error))
            continue
        revision = text.decode("ascii", "replace").strip()
        if answer.is_success and time.monotonic() <= deadline and _REVISION.fullmatch(revision):
            return revision
    return None
