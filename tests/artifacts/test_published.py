"""A published index is fetched whole and verified, or what stood there stays."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fdnix.artifacts.published import fetch_index
from fdnix.download import Limits
from fdnix.errors import DataError, FdnixError, SettingsError, SourceError
from support.databases import write_database
from support.hostile_server import answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LIMITS = Limits(attempts=5, backoff=0.01)


@dataclass
class Server:
    """What is served, what goes wrong, and which ranges were asked for."""

    body: bytes
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    url: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    body = write_database(tmp_path / "served", "minified", packages=300).read_bytes()
    state = Server(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers["Range"])
            state.logins.append(self.headers["Authorization"])
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            start = 0
            if asked := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or ""):
                start = int(asked[1])
                self.send_response(206)
                last = len(state.body) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(state.body)}")
            else:
                self.send_response(200)
            body = state.body[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cut_after.pop(0)] if state.cut_after else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{listening.server_port}/fdnix.duckdb"
        yield state
        listening.shutdown()


@pytest.fixture
def standing(tmp_path: Path) -> Path:
    """An index that stands already."""
    directory = tmp_path / "mine"
    directory.mkdir()
    return write_database(directory / "fdnix.duckdb", "minified", packages=2)


def test_a_published_index_takes_the_place_of_the_old_one(server: Server, standing: Path) -> None:
    fetched = fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert standing.read_bytes() == server.body
    assert (fetched.packages, fetched.unchanged) == (300, False)
    assert [path.name for path in standing.parent.iterdir()] == ["fdnix.duckdb"]


def test_what_is_there_already_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new/fdnix.duckdb"
    fetch_index(server.url, path, sha256=server.sha256)
    assert fetch_index(server.url, path, sha256=server.sha256.upper()).unchanged
    assert len(server.ranges) == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, standing: Path) -> None:
    server.cut_after = [1000, 500]
    fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert standing.read_bytes() == server.body


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server: Server, standing: Path) -> None:
    before = standing.read_bytes()
    server.cut_after = [1000, 0, 0, 0, 0]
    with pytest.raises(SourceError, match="run again"):
        fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert standing.read_bytes() == before
    server.ranges.clear()
    fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert server.ranges == ["bytes=1000-"]
    assert standing.read_bytes() == server.body


def test_passing_failures_of_the_server_are_tried_again(server: Server, standing: Path) -> None:
    server.statuses = [503, 429]
    fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert standing.read_bytes() == server.body


def test_what_is_left_of_an_older_files_download_goes(server: Server, standing: Path) -> None:
    old = server.body
    server.body, server.cut_after = old[::-1], [1000, 0, 0, 0, 0]
    with pytest.raises(SourceError):
        fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    server.body = old
    fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert [path.name for path in standing.parent.iterdir()] == ["fdnix.duckdb"]


def refused(server: Server, standing: Path, error: type[FdnixError], says: str) -> None:
    before = standing.read_bytes()
    with pytest.raises(error, match=says):
        fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)
    assert standing.read_bytes() == before
    assert [path.name for path in standing.parent.iterdir()] == ["fdnix.duckdb"]


def test_another_checksum_is_refused(server: Server, standing: Path) -> None:
    before = standing.read_bytes()
    with pytest.raises(DataError, match="has the checksum"):
        fetch_index(server.url, standing, sha256="0" * 64)
    assert standing.read_bytes() == before
    assert [path.name for path in standing.parent.iterdir()] == ["fdnix.duckdb"]


def test_a_full_database_is_refused(server: Server, standing: Path, tmp_path: Path) -> None:
    server.body = write_database(tmp_path / "served", "full").read_bytes()
    refused(server, standing, DataError, "is a full database")


def test_another_schema_version_is_refused(server: Server, standing: Path, tmp_path: Path) -> None:
    server.body = write_database(tmp_path / "served", "minified", schema_version=1).read_bytes()
    refused(server, standing, DataError, "schema version 1")


def test_a_file_with_fewer_packages_than_it_says_is_refused(
    server: Server, standing: Path, tmp_path: Path
) -> None:
    server.body = write_database(tmp_path / "served", "minified", package_count=9).read_bytes()
    refused(server, standing, DataError, "fdnix_meta says 9")


def test_what_is_no_database_is_refused(server: Server, standing: Path) -> None:
    server.body = b"<html>" * 5000
    refused(server, standing, DataError, "is refused")


def test_a_file_beyond_the_limit_is_not_fetched(server: Server, standing: Path) -> None:
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        fetch_index(server.url, standing, sha256=server.sha256, limits=Limits(most_bytes=1000))
    assert [path.name for path in standing.parent.iterdir()] == ["fdnix.duckdb"]


def test_a_password_in_the_url_is_sent_and_not_shown(server: Server, standing: Path) -> None:
    server.statuses = [404]
    url = server.url.replace("://", "://ada:hunter2@")
    with pytest.raises(SourceError) as refusal:
        fetch_index(url, standing, sha256=server.sha256, limits=LIMITS)
    fetched = fetch_index(url, standing, sha256=server.sha256, limits=LIMITS)
    assert server.logins == ["Basic YWRhOmh1bnRlcjI="] * 2
    assert "hunter2" not in f"{refusal.value} {fetched}"


def test_a_wrong_address_says_what_the_server_said(server: Server, standing: Path) -> None:
    server.statuses = [404]
    with pytest.raises(SourceError, match="HTTP 404"):
        fetch_index(server.url, standing, sha256=server.sha256, limits=LIMITS)


REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
HOSTILE = {
    "a redirect to itself": ((REDIRECT % b"/fdnix.duckdb", 0.0),),
    "a redirect to no address": ((REDIRECT % b"http://[::1", 0.0),),
    "a redirect to a file": ((REDIRECT % b"file:///etc/passwd", 0.0),),
    "a range of 5,000 digits": (
        (b"HTTP/1.1 206 Part\r\nContent-Length: 1\r\nContent-Range: bytes 0-1/", 0.0),
        (b"9" * 5000 + b"\r\n\r\nx", 0.0),
    ),
    "a body in drips": (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", 0.0),
        *((b"x", 0.05),) * 200,
    ),
}


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_server_is_left_in_good_time(
    pieces: tuple[tuple[bytes, float], ...], standing: Path
) -> None:
    limits = Limits(total=0.5, backoff=0.01)
    before = standing.read_bytes()
    with answering(pieces, ()) as url, pytest.raises(SourceError):
        fetch_index(f"{url}/fdnix.duckdb", standing, sha256="0" * 64, limits=limits)
    assert standing.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "sha256", "says"),
    [
        ("http://example.org/fdnix.duckdb", None, "--sha256"),
        ("ftp://example.org/fdnix.duckdb", None, "must be an https URL"),
        ("https://", None, "must be an https URL"),
        ("https://example.org/fdnix.duckdb", "abc", "64 hexadecimal digits"),
    ],
)
def test_what_could_not_be_verified_is_not_asked_for(
    url: str, sha256: str | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=says):
        fetch_index(url, tmp_path / "fdnix.duckdb", sha256=sha256)
