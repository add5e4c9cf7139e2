"""A channel's web server on the loopback interface, which can be told to misbehave."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANNEL = "nixpkgs-unstable"
REVISION = "0b4defa2584f8ea2f6e5c9a1b3d7f60819a2c3e4"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer to a request for the catalogue."""

    status: int = 200
    """Anything but 200 is answered without looking for the file."""
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    stall_after: int | None = None
    """Keep the connection and send no more after so many bytes of the body."""
    announce: int | None = None
    """A Content-Length other than the body's."""
    bare: bool = False
    """Announce no length: the end of the connection is the end of the file."""
    encoding: str | None = None
    shift: int = 0
    """Answer a range request with a range that starts so many bytes too late."""
    blind_to_if_range: bool = False


@dataclass
class Channel:
    """What the server has, what it shall do wrong, and what it was asked."""

    url: str = ""
    catalogue: bytes = b""
    tree: bytes | None = None
    """The tarball of the release's nixpkgs, which has the ETag of the catalogue too."""
    etag: str | None = '"v1"'
    revision: bytes | None = REVISION.encode() + b"\n"
    ranges: bool = True
    redirect_to: str | None = None
    """The directory the channel redirects to, as channels.nixos.org redirects to a release."""
    faults: list[Fault] = field(default_factory=list)
    """One for each coming request for the catalogue; without one, the answer is right."""
    tree_faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def asked(self, header: str, name: str = "packages.json.br") -> list[str | None]:
        """Return a header's value in every request for the file `name`, in their order."""
        return [
            headers.get(header.lower())
            for path, headers in self.requests
            if path.endswith(f"/{name}")
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.channel.requests.append(
            (self.path, {name.lower(): value for name, value in self.headers.items()})
        )
        directory, _, name = self.path.rpartition("/")
        moved = self.server.channel.redirect_to
        if moved is not None and directory == f"/{CHANNEL}":
            self.reply(302, b"", {"Location": f"{moved}/{name}"})
        elif directory not in {f"/{CHANNEL}", moved}:
            self.reply(404, b"")
        elif name == "git-revision" and self.server.channel.revision is not None:
            self.reply(200, self.server.channel.revision)
        elif name == "packages.json.br":
            self.file(self.server.channel.catalogue, self.server.channel.faults)
        elif name == "nixexprs.tar.xz" and self.server.channel.tree is not None:
            self.file(self.server.channel.tree, self.server.channel.tree_faults)
        else:
            self.reply(404, b"")

    def file(self, body: bytes, faults: list[Fault]) -> None:
        fault = faults.pop(0) if faults else Fault()
        if fault.status != 200:
            self.reply(fault.status, b"")
            return
        headers = {} if self.server.channel.etag is None else {"ETag": self.server.channel.etag}
        if (
            self.server.channel.etag is not None
            and self.headers["If-None-Match"] == self.server.channel.etag
        ):
            self.reply(304, b"", headers)
            return
        status = 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        same = fault.blind_to_if_range or self.headers["If-Range"] in {
            None,
            self.server.channel.etag,
        }
        if self.server.channel.ranges and wanted is not None and same:
            start = int(wanted[1]) + fault.shift
            if start >= len(body):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[start:]
        if fault.encoding is not None:
            headers["Content-Encoding"] = fault.encoding
        self.reply(status, body, headers, fault)

    def reply(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if fault.bare:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(fault.announce or len(body)))
        self.end_headers()
        self.wfile.write(body[: fault.announce][: fault.cut_after][: fault.stall_after])
        if fault.stall_after is not None:
            self.server.channel.released.wait(30)
        if fault.cut_after is not None or fault.stall_after is not None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet: a test that fails shows `Channel.requests`."""


@contextmanager
def serve(catalogue: bytes) -> Iterator[Channel]:
    """Serve a channel with this catalogue until the context ends."""
    channel = Channel(catalogue=catalogue)
    with _Server(channel) as server:
        channel.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield channel
        finally:
            channel.released.set()
            server.shutdown()
            thread.join()


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Yield the URL of a server of the files in `directory`."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
