"""Downloading one file over HTTP: resumed where it broke off, within limits, to the deadline."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import httpx

from fdnix import __version__
from fdnix.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any, TypeAlias

    Auth: TypeAlias = tuple[str, str]

logger = logging.getLogger(__name__)

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_LENGTH = re.compile(r"[0-9]{1,15}")
# RFC 9110, 8.8.3, without the bytes beyond ASCII that it lets stand for old servers' sake.
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')
_LONGEST_PAUSE = 30.0
_LONGEST_LINE = 1000

# S3, which serves the channels, says 403 for what is absent to those who may not list.
_ABSENT = frozenset({403, 404, 410})
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_PART_ANSWERS = frozenset(
    {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE}
)


Progress = Callable[[int, int | None], None]
"""Called with the bytes had so far, and the bytes there will be where that is known."""


class AbsentError(SourceError):
    """The server says that there is no such file."""


@dataclass(frozen=True)
class Limits:
    """How long a download may take, and how much may come; all times in seconds."""

    total: float = 3600.0
    connect: float = 20.0
    read: float = 60.0
    """The longest silence of a server in the middle of an answer."""
    most_bytes: int = 1_000_000_000
    """The bytes that the file has at most, as it comes."""
    attempts: int = 6
    """Requests for the file before giving up, the first one included."""
    backoff: float = 1.0
    """The first pause between two attempts; each later one is twice as long, up to 30 s."""


@dataclass(frozen=True)
class Wanted:
    """A file that is to be downloaded, and how to speak of it.

    Attributes:
        url: where it is, without a user or a password.
        auth: user and password.
        absent: what is wrong where the server has no such file.
        correct: what to do then.
        instead: what else to do where it cannot be had, behind `, or `.
        url_setting: what names the URL.
        time_setting: what allows for more time, behind `, or `.
        bytes_setting: what allows for more bytes, behind `, or `.
        known_etag: of the file that the caller has.
        is_verified: whether the caller knows what the file must be, so that what had arrived is
            gone on with though no ETag says that it is of the same file.
    """

    url: httpx.URL
    auth: Auth | None
    absent: str
    correct: str
    instead: str | None = None
    url_setting: str = "the URL"
    time_setting: str | None = None
    bytes_setting: str | None = None
    known_etag: str | None = None
    is_verified: bool = False


def apart(url: httpx.URL) -> tuple[httpx.URL, Auth | None]:
    """The URL for messages to show, and apart from it the user and password that stood in it."""
    return url.copy_with(userinfo=b""), (url.username, url.password) if url.userinfo else None


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
def downloaded(
    wanted: Wanted, path: Path, limits: Limits, progress: Progress
) -> Iterator[Download]:
    """Yield the file, in `path` until the context ends.

    What had arrived when a download failed stays there. The next attempt, or the next call, goes
    on with it where the server still has that very file (Range and If-Range, RFC 9110 sections
    13.1.5 and 14.2), and starts anew where not.

    Raises:
        SourceError: The server refused, or it kept failing.
    """
    deadline = time.monotonic() + limits.total
    with (
        new_client(limits, wanted.auth) as client,
        _part(path) as part,
        _ended_at(deadline) as trace,
    ):
        ended = False
        try:
            request = _Request(client, wanted, trace, deadline, limits, progress)
            response = _persist(request, part)
            ended = True
            unchanged = response.status_code == httpx.codes.NOT_MODIFIED
            yield Download(path, unchanged, response.url, _etag(response), client, deadline)
        finally:
            if ended or part.size() == 0:
                part.remove()


def new_client(limits: Limits, auth: Auth | None) -> httpx.Client:
    """A client that follows redirects and trusts what SSL_CERT_FILE and SSL_CERT_DIR name.

    Raises:
        SourceError: There is no certificate in what they name.
    """
    timeout = httpx.Timeout(limits.read, connect=limits.connect)
    # identity: files are compressed as they are, and only bytes as they are stored can be resumed.
    headers = {"User-Agent": f"fdnix/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(auth=auth, timeout=timeout, headers=headers, follow_redirects=True)
    except OSError as error:  # which ssl.SSLError is
        raise SourceError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}; correct "
            "or unset it"
        ) from error


def short_text(
    client: httpx.Client, url: httpx.URL, deadline: float, *, auth: Auth | None
) -> tuple[httpx.Response, str]:
    """The answer to a question for a line, and its text, cut off where it has more than a line.

    Raises:
        httpx.HTTPError: It did not come, or not by `deadline`, a time of `time.monotonic`.
        httpx.InvalidURL: It is a redirect to no URL.
    """
    # A connection that is there already would not be traced.
    headers = {"Connection": "close"}
    text = b""
    with (
        _ended_at(deadline) as trace,
        client.stream(
            "GET", url, auth=auth, headers=headers, extensions={"trace": trace}
        ) as answer,
    ):
        for chunk in answer.iter_raw():
            text += chunk
            if len(text) > _LONGEST_LINE or time.monotonic() > deadline:
                break
    if time.monotonic() > deadline:
        raise httpx.ReadTimeout("the deadline has passed")
    return answer, text.decode("ascii", "replace").strip()


@dataclass(frozen=True)
class _Request:
    """What is asked for, again and again if need be."""

    client: httpx.Client
    wanted: Wanted
    trace: _Trace
    deadline: float
    limits: Limits
    progress: Progress

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

    def resumable(self, wanted: Wanted) -> tuple[int, str | None] | None:
        """Return the bytes there are, and the ETag of their file where that is needed."""
        size = self.size()
        if size and wanted.is_verified:
            return size, None
        if size == 0 or not self.validator_path.exists():
            return None
        url, _, etag = self.validator_path.read_text(errors="replace").partition("\n")
        return (size, etag) if url == str(wanted.url) and _ETAG.fullmatch(etag) else None

    def restart(self, wanted: Wanted, etag: str | None) -> None:
        """Empty the file; `etag` is that of what will be written into it."""
        self.validator_path.unlink(missing_ok=True)
        self.file.seek(0)
        self.file.truncate()
        # A weak ETag does not promise equal bytes and may not stand in If-Range.
        if etag is not None and not etag.startswith("W/") and not wanted.is_verified:
            self.validator_path.write_text(f"{wanted.url}\n{etag}")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.validator_path.unlink(missing_ok=True)


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


def _persist(request: _Request, part: _Part) -> httpx.Response:
    """Download into `part`, trying as often as the limits allow, and return the last response."""
    url, wanted, limits = request.url, request.wanted, request.limits
    for attempt in range(1, limits.attempts + 1):
        try:
            return _attempt(request, part)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise SourceError(f"{url} redirects to where nothing can be had: {error}") from error
        except (httpx.TransportError, _TryAgainError) as error:
            failure = error
        if time.monotonic() >= request.deadline:
            raise _late(wanted, part.size()) from failure
        pause = min(limits.backoff * 2 ** (attempt - 1), _LONGEST_PAUSE)
        if attempt == limits.attempts or time.monotonic() + pause > request.deadline:
            break
        logger.warning("%s: %s; trying again in %g s", url, cause(failure), pause)
        time.sleep(pause)
    raise SourceError(
        f"{url} could not be downloaded, {attempt} attempts failed, the last one with: "
        f"{cause(failure)}. Check the network and {wanted.url_setting} and run again (what "
        f"arrived is kept){_or(wanted.instead)}"
    ) from failure


def cause(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, httpx.TimeoutException):
        return "the server was silent for too long"
    return str(error) or type(error).__name__


def _or(what: str | None) -> str:
    return f", or {what}" if what else ""


def _late(wanted: Wanted, size: int) -> SourceError:
    return SourceError(
        f"{wanted.url} had not arrived within the time limit ({size} bytes had, which are "
        f"kept); run again to go on{_or(wanted.time_setting)}"
    )


def _refuse_too_large(request: _Request, part: _Part, size: int | None) -> None:
    wanted, most = request.wanted, request.limits.most_bytes
    if size is not None and size > most:
        part.restart(wanted, None)
        raise SourceError(
            f"{wanted.url} has more than {most:,} bytes, which are accepted at most; correct "
            f"{wanted.url_setting}{_or(wanted.bytes_setting)}"
        )


def _attempt(request: _Request, part: _Part) -> httpx.Response:
    wanted, known_etag = request.wanted, request.wanted.known_etag
    if known_etag is not None and not _ETAG.fullmatch(known_etag):
        known_etag = None
    had = part.resumable(wanted)
    headers = {} if known_etag is None else {"If-None-Match": known_etag}
    if had is not None:
        size, etag = had
        headers |= {"Range": f"bytes={size}-"} | ({"If-Range": etag} if etag else {})
    traced = {"trace": request.trace}
    with request.client.stream("GET", wanted.url, headers=headers, extensions=traced) as response:
        if response.status_code == httpx.codes.NOT_MODIFIED and known_etag is not None:
            return response
        _refuse_others(response, wanted)
        if response.status_code == httpx.codes.OK:
            part.restart(wanted, _etag(response))
            length = response.headers.get("Content-Length", "")
            total = int(length) if _LENGTH.fullmatch(length) else None
        else:
            total = _resumed_total(response, had)
            if total is None:
                part.restart(wanted, None)
                raise _TryAgainError("the server does not go on where the download broke off")
        _refuse_too_large(request, part, total)
        size = _arrive(response, request, part, total)
    part.file.flush()
    if size == 0 or total not in {None, size}:
        part.restart(wanted, None)
        raise _TryAgainError(f"{size} bytes arrived, {total or 'more'} were expected")
    return response


def _arrive(response: httpx.Response, request: _Request, part: _Part, total: int | None) -> int:
    """Write what comes to the end of `part`: the bytes that are then in it."""
    size = part.size()
    for chunk in response.iter_raw():
        part.file.write(chunk)
        size += len(chunk)
        request.progress(size, total)
        _refuse_too_large(request, part, size)
        if time.monotonic() > request.deadline:
            break
    # What has no length ends where the connection does, and the deadline may have ended that.
    if time.monotonic() > request.deadline:
        raise _late(request.wanted, part.size())
    return size


def _refuse_others(response: httpx.Response, wanted: Wanted) -> None:
    """Raise unless the answer carries the file or a part of it, as it is stored."""
    status, url = response.status_code, wanted.url
    if status in _ABSENT:
        raise AbsentError(f"{wanted.absent}: {url} answered HTTP {status}; {wanted.correct}")
    if status in _PASSING:
        raise _TryAgainError(f"HTTP {status}")
    if status not in {httpx.codes.OK, *_PART_ANSWERS}:
        raise SourceError(f"{url} answered HTTP {status}; correct {wanted.url_setting}")
    # The channels' own server calls the file's Brotli its Content-Encoding. Any other encoding
    # would have been added on the way.
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "br"}:
        raise SourceError(
            f"{url} came with Content-Encoding {encoding}, which was not asked for; correct "
            f"{wanted.url_setting} or the proxy in between"
        )


def _resumed_total(response: httpx.Response, had: tuple[int, str | None] | None) -> int | None:
    """Return the whole file's size if the response goes on just where the part ends.

    A refused range (416) does not: its Content-Range names no span.
    """
    span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if had is None or span is None or int(span[1]) != had[0]:
        return None
    # A server that ignores If-Range would let two files grow together.
    same = had[1] is None or response.headers.get("ETag", had[1]) == had[1]
    return int(span[2]) if same else None
