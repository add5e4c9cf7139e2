"""Downloading one file over HTTP: resumed where it broke off, within limits, to the deadline."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from fdnix.nixpkgs.sources.source import Work

logger = logging.getLogger(__name__)

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_LENGTH = re.compile(r"[0-9]{1,15}")
# RFC 9110, 8.8.3, without the bytes beyond ASCII that it lets stand for old servers' sake.
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')
_LONGEST_PAUSE = 30.0

# S3, which serves the channels, says 403 for what is absent to those who may not list.
_ABSENT = frozenset({403, 404, 410})
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_PART_ANSWERS = frozenset(
    {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE}
)


class AbsentError(SourceError):
    """The server says that there is no such file."""


@dataclass(frozen=True)
class Wanted:
    """A file that is to be downloaded.

    Attributes:
        url: where it is, without a user or a password.
        auth: user and password.
        absent: what is wrong where the server has no such file.
        correct: what to do then.
        instead: what to do where it cannot be had.
        known_etag: of the file that the caller has.
    """

    url: httpx.URL
    auth: tuple[str, str] | None
    absent: str
    correct: str
    instead: str
    known_etag: str | None = None


def tarball(url: httpx.URL, auth: tuple[str, str] | None) -> Wanted:
    """The tarball of a nixpkgs."""
    return Wanted(
        url,
        auth,
        absent="there is no tarball of nixpkgs beside the catalogue",
        correct="set NIXPKGS_TREE to none or to a nixpkgs",
        instead="set NIXPKGS_TREE to none or to a nixpkgs",
    )


@dataclass(frozen=True)
class Download:
    """A file that has arrived, or is unchanged, and the client that asked for it.

    Attributes:
        path: of the file, which lasts until the context ends.
        unchanged: whether the server still has the one whose ETag was known.
        url: where it was in the end, behind redirects.
        etag: its ETag, unless it is one that could not be sent back.
        client: for further questions until `deadline`, a time of `time.monotonic`.
    """

    path: Path
    unchanged: bool
    url: httpx.URL
    etag: str | None
    client: httpx.Client
    deadline: float


@contextmanager
def downloaded(wanted: Wanted, path: Path, work: Work) -> Iterator[Download]:
    """Yield the file, in `path` until the context ends.

    What had arrived when a download failed stays there. The next attempt, or the next call, goes
    on with it where the server still has that very file (Range and If-Range, RFC 9110 sections
    13.1.5 and 14.2), and starts anew where not.

    Raises:
        SourceError: The server refused, or it kept failing.
    """
    deadline = time.monotonic() + work.limits.total
    timeout = httpx.Timeout(work.limits.read, connect=work.limits.connect)
    # identity: the file is compressed as it is, and only bytes as they are stored can be
    # resumed.
    headers = {"User-Agent": f"fdnix/{__version__}", "Accept-Encoding": "identity"}
    with (
        new_client(auth=wanted.auth, timeout=timeout, headers=headers) as client,
        _part(path) as part,
        ended_at(deadline) as trace,
    ):
        ended = False
        try:
            response = _persist(_Request(client, wanted, trace, deadline), part, work)
            ended = True
            unchanged = response.status_code == httpx.codes.NOT_MODIFIED
            yield Download(path, unchanged, response.url, _etag(response), client, deadline)
        finally:
            if ended or part.size() == 0:
                part.remove()


def new_client(**options: Any) -> httpx.Client:
    """A client that follows redirects and trusts what SSL_CERT_FILE and SSL_CERT_DIR name.

    Raises:
        SourceError: There is no certificate in what they name.
    """
    try:
        return httpx.Client(follow_redirects=True, **options)
    except OSError as error:  # which ssl.SSLError is
        raise SourceError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}; correct "
            "or unset it"
        ) from error


@dataclass(frozen=True)
class _Request:
    """What is asked for, again and again if need be."""

    client: httpx.Client
    wanted: Wanted
    trace: Trace
    deadline: float

    @property
    def url(self) -> httpx.URL:
        return self.wanted.url


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


class Trace(Protocol):
    """What httpx tells of a request's steps, as its extension `trace`."""

    def __call__(self, event: str, info: Mapping[str, Any], /) -> None:
        """Note one step."""


@contextmanager
def ended_at(deadline: float) -> Iterator[Trace]:
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
        logger.warning("%s: %s; trying again in %g s", url, cause(failure), pause)
        time.sleep(pause)
    raise SourceError(
        f"{url} could not be downloaded, {attempt} attempts failed, the last one with: "
        f"{cause(failure)}. Check the network and NIXPKGS_CHANNEL_URL and run again (what arrived "
        f"is kept), or {request.wanted.instead}"
    ) from failure


def cause(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, httpx.TimeoutException):
        return "the server was silent for too long"
    return str(error) or type(error).__name__


def _late(url: httpx.URL, size: int) -> SourceError:
    return SourceError(
        f"{url} had not arrived within the time limit ({size} bytes had, which are "
        "kept); run again to go on, or raise NIXPKGS_TIMEOUT"
    )


def _attempt(request: _Request, part: _Part, work: Work) -> httpx.Response:
    url, known_etag = request.url, request.wanted.known_etag
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
        _refuse_others(response, request.wanted)
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


def _refuse_others(response: httpx.Response, wanted: Wanted) -> None:
    """Raise unless the answer carries the file or a part of it, as it is stored."""
    status, url = response.status_code, wanted.url
    if status in _ABSENT:
        raise AbsentError(f"{wanted.absent}: {url} answered HTTP {status}; {wanted.correct}")
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
