"""Servers that mean harm: every fetch ends, soon, with a catalogue or an error in words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import brotli
import pytest

from fdnix.errors import SourceError
from fdnix.nixpkgs.sources import Fetched, Limits, fetch
from support.channel_server import CHANNEL, REVISION
from support.hostile_server import answering

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CATALOGUE = brotli.compress(b'{"version":"2","packages":{"a":{"name":"a-1"}}}')
LIMITS = Limits(total=2, connect=1, read=0.5, attempts=2, backoff=0.01, most_bytes=100_000)


class Endless:
    """Some bytes, and then others again and again; walked anew by each connection."""

    def __init__(self, first: bytes, again: bytes, pause: float = 0.0) -> None:
        self.first, self.again, self.pause = first, again, pause

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        return itertools.chain([(self.first, 0.0)], itertools.repeat((self.again, self.pause)))


def reply(
    body: bytes = CATALOGUE, *headers: bytes, status: bytes = b"200 OK", length: bytes | None = None
) -> bytes:
    size = str(len(body)).encode() if length is None else length
    lines = [b"HTTP/1.1 " + status, b"Content-Length: " + size, b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", body])


def once(answer: bytes) -> tuple[tuple[bytes, float], ...]:
    return ((answer, 0.0),)


RIGHT = once(reply())
SAID = once(reply(REVISION.encode()))
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """What a server answers, and what comes of it: None for the catalogue, else a message."""

    catalogue: Iterable[tuple[bytes, float]]
    message: str | None = None
    revision: Iterable[tuple[bytes, float]] = SAID
    told: str | None = REVISION
    etag: str | None = None


HOSTILE = {
    # The catalogue: never ending.
    "a header byte by byte": Case(Endless(OK + b"X: ", b"a", 0.05), "time limit"),
    "a header line by line": Case(Endless(OK, b"X-A: b\r\n", 0.05), "time limit|attempts failed"),
    "headers without end": Case(Endless(OK, b"X-A: b\r\n" * 500), "attempts failed"),
    "a header of megabytes": Case(Endless(OK + b"X: ", b"a" * 9999), "attempts failed"),
    "103 after 103": Case(Endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01), "time limit"),
    "100 in a storm": Case(Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "time limit"),
    "a body without end": Case(Endless(OK + b"\r\n", b"x" * 9999), "more than 100,000 bytes"),
    "chunks without end": Case(Endless(CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"), "more than"),
    "a body in drips": Case(Endless(OK + b"\r\n", b"x", 0.05), "time limit"),
    "empty chunk extensions": Case(
        Endless(CHUNKED, b"1;" + b"e" * 500 + b"\r\nx\r\n"), "more than|attempts failed|time limit"
    ),
    "a chunk's length without end": Case(Endless(CHUNKED, b"0" * 999), "attempts failed"),
    "trailers without end": Case(
        Endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 500), "attempts failed"
    ),
    "silence": Case([(b"", 20.0)], "silent for too long|time limit"),
    "a silent body": Case([(OK + b"Content-Length: 9\r\n\r\nx", 20.0)], "silent|time limit"),
    # Never an answer.
    "nothing": Case(once(b""), "attempts failed"),
    "no HTTP": Case(once(b"\x16\x03\x01\x02\x00" * 40), "attempts failed"),
    "a status of letters": Case(once(b"HTTP/1.1 abc OK\r\n\r\n"), "attempts failed"),
    "a status of 999": Case(once(reply(status=b"999 Strange")), "answered HTTP 999"),
    "an answer without a body": Case(once(reply(b"", status=b"204 None")), "answered HTTP 204"),
    "not modified, unasked": Case(once(reply(b"", status=b"304 No")), "answered HTTP 304"),
    "a part, unasked": Case(
        once(reply(status=b"206 Part")), "does not go on where the download broke off"
    ),
    # Redirects.
    "a redirect to itself": Case(
        once(reply(b"", b"Location: /packages.json.br", status=b"302 Found")), "redirects"
    ),
    "a redirect to a file": Case(
        once(reply(b"", b"Location: file:///etc/passwd", status=b"302 Found")), "redirects"
    ),
    "a redirect to no address": Case(
        once(reply(b"", b"Location: http://[::1", status=b"302 Found")), "redirects|attempts failed"
    ),
    "a redirect of 9 kB": Case(
        once(reply(b"", b"Location: /" + b"a" * 9000, status=b"302 Found")), "redirects|attempts"
    ),
    "a redirect to letters": Case(
        once(reply(b"", b"Location: http://host:port/", status=b"302 Found")), "redirects|attempts"
    ),
    # Headers that are numbers or names.
    "a length of 5,000 digits": Case(once(reply(length=b"9" * 5000)), "attempts failed"),
    "a length of letters": Case(once(reply(length=b"many")), "attempts failed"),
    "a negative length": Case(once(reply(length=b"-1")), "attempts failed"),
    "two lengths": Case(once(reply(CATALOGUE, b"Content-Length: 3")), "attempts failed"),
    "a length of an exabyte": Case(once(reply(length=b"1" + b"0" * 18)), "attempts failed"),
    "a range of 5,000 digits": Case(
        once(reply(CATALOGUE, b"Content-Range: bytes 0-1/" + b"9" * 5000, status=b"206 Part")),
        "does not go on",
    ),
    "an encoding nobody has": Case(
        once(reply(CATALOGUE, b"Content-Encoding: x-made-up")), "x-made-up"
    ),
    "an ETag of 90 kB": Case(
        once(reply(CATALOGUE, b'ETag: "' + b"e" * 90_000 + b'"')), None, etag=None
    ),
    "an ETag beyond ASCII": Case(once(reply(CATALOGUE, b'ETag: "\xff\xfe"')), None, etag=None),
    "an ETag without quotes": Case(once(reply(CATALOGUE, b"ETag: naked")), None, etag=None),
    "an ETag that is right": Case(once(reply(CATALOGUE, b'ETag: "ok"')), None, etag='"ok"'),
    # The revision: what is wrong with it costs the revision alone.
    "a revision without end": Case(RIGHT, None, Endless(OK + b"\r\n", b"a" * 9999), None),
    "a revision of another charset": Case(
        RIGHT, None, once(reply(REVISION.encode(), b"Content-Type: text/plain; charset=martian"))
    ),
    "a revision of bytes": Case(RIGHT, None, once(reply(b"\xff\xfe" * 20)), None),
    "a revision in a storm of 100": Case(
        RIGHT, None, Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), None
    ),
    "a revision with a dripped header": Case(RIGHT, None, Endless(OK + b"X: ", b"a", 0.05), None),
    "a revision that never comes": Case(RIGHT, None, [(b"", 20.0)], None),
    "a revision that is a redirect": Case(
        RIGHT, None, once(reply(b"", b"Location: http://[::1", status=b"302 Found")), None
    ),
    "a revision packed with what nobody asked": Case(
        RIGHT, None, once(reply(b"not gzip", b"Content-Encoding: gzip")), None
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_server_answers_the_fetch_ends_in_words(tmp_path: Path, name: str) -> None:
    case = HOSTILE[name]
    with answering(case.catalogue, case.revision) as url:
        context = fetch(
            "channel",
            channel=CHANNEL,
            nixpkgs_path="<nixpkgs>",
            channel_url=url,
            workdir=tmp_path,
            limits=LIMITS,
        )
        if case.message is not None:
            with pytest.raises(SourceError, match=case.message), context:
                pass
        else:
            with context as answer:
                assert isinstance(answer, Fetched)
                assert answer.path.read_bytes() == CATALOGUE
                assert (answer.revision, answer.etag) == (case.told, case.etag)
    left = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert left <= LIMITS.most_bytes


def test_a_body_without_end_leaves_nothing_behind(tmp_path: Path) -> None:
    case = HOSTILE["a body without end"]
    with (
        answering(case.catalogue, case.revision) as url,
        pytest.raises(SourceError),
        fetch(
            "channel",
            channel=CHANNEL,
            nixpkgs_path="",
            channel_url=url,
            workdir=tmp_path,
            limits=LIMITS,
        ),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", ["\u00fc", '"' + "e" * 90_000 + '"', '"a\nb"'])
def test_an_etag_that_an_earlier_fdnix_kept_is_not_sent(tmp_path: Path, known: str) -> None:
    with (
        answering(RIGHT, SAID) as url,
        fetch(
            "channel",
            channel=CHANNEL,
            nixpkgs_path="",
            channel_url=url,
            workdir=tmp_path,
            known_etag=known,
            limits=LIMITS,
        ) as answer,
    ):
        assert isinstance(answer, Fetched)
