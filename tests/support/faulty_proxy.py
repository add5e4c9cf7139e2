"""An HTTP proxy before a local AWS that fails on demand, as networks and S3 do."""

from __future__ import annotations

import http.client
import re
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

Fault = Literal["deny", "error", "slow down", "cut", "corrupt", "stall", "lose answer", "reject"]

_ERRORS = {
    "deny": (403, "AccessDenied", "Access Denied"),
    "error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow down": (503, "SlowDown", "Please reduce your request rate."),
    "reject": (400, "BadDigest", "The SHA256 you specified did not match what we received."),
}
_NOT_FORWARDED = {"connection", "transfer-encoding"}


@dataclass
class Rule:
    """Which requests fail, how, and how many of them (None: all)."""

    fault: Fault
    method: str
    path: str
    times: int | None = None
    seconds: float = 0.0
    hits: int = 0


class FaultyProxy:
    """The proxy's switchboard.

    `requests` is what passed: "METHOD path?query", for a copy with " < bucket/key" after it.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.url = ""
        self.requests: list[str] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self.conditional_writes = threading.Lock()

    def fail(
        self,
        fault: Fault,
        method: str = ".*",
        path: str = "",
        *,
        times: int | None = None,
        seconds: float = 0.0,
    ) -> Rule:
        """Fail requests whose method and path (a pattern found in it) match; see `Fault`."""
        rule = Rule(fault, method, path, times, seconds)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    def rule_for(self, method: str, path: str) -> Rule | None:
        """The fault that this request meets; counts it."""
        with self._lock:
            for rule in self._rules:
                left = rule.times is None or rule.hits < rule.times
                if left and re.fullmatch(rule.method, method) and re.search(rule.path, path):
                    rule.hits += 1
                    return rule
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Tests read `requests` instead."""

    def _handle(self) -> None:
        proxy = cast("_Server", self.server).proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        source = self.headers.get("x-amz-copy-source")
        proxy.requests.append(f"{self.command} {self.path}" + (f" < {source}" if source else ""))
        rule = proxy.rule_for(self.command, self.path)
        fault = rule.fault if rule else None
        if rule and fault == "stall":
            time.sleep(rule.seconds)
        if fault in _ERRORS:
            self._refuse(*_ERRORS[fault])
            return
        # S3 decides conditional writes of one key one after the other; moto's threads may not.
        conditional = self.headers.get("If-None-Match") or self.headers.get("If-Match")
        with proxy.conditional_writes if conditional else nullcontext():
            answer, content = self._forward(proxy, body)
        if fault == "lose answer":
            self.close_connection = True
            return
        if fault == "corrupt" and content:
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        self._answer(answer, content, cut=fault == "cut")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815

    def _forward(self, proxy: FaultyProxy, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = http.client.HTTPConnection(
            proxy.upstream.hostname or "", proxy.upstream.port, timeout=60
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        return answer, content

    def _answer(self, answer: http.client.HTTPResponse, content: bytes, *, cut: bool) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def _refuse(self, status: int, code: str, message: str) -> None:
        content = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultyProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy before the server at `upstream`, on a free loopback port."""
    proxy = FaultyProxy(upstream)
    server = _Server(proxy)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
