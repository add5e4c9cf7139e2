"""What Prometheus asks: requests, their times, and the file that is served."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fdnix.web.service import Service

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """Counts of one application's requests."""

    def __init__(self, service: Service) -> None:
        """Count from nothing."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "fdnix_requests", "Requests answered", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "fdnix_request_seconds",
            "Seconds until an answer began",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        for name, help_, value in (
            ("fdnix_requests_under_way", "Requests that run or wait", lambda: service.under_way),
            ("fdnix_index_swaps", "New files taken over", lambda: service.current.swaps),
        ):
            Gauge(name, help_, registry=self._registry).set_function(value)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """The application, its requests counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            started = time.perf_counter()

            async def seen(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # Without a route it is anything that anybody may ask for.
                    route = getattr(scope.get("route"), "path", "none")
                    self._requests.labels(route, message["status"]).inc()
                    self._seconds.labels(route).observe(time.perf_counter() - started)
                await send(message)

            await app(scope, receive, seen if scope["type"] == "http" else send)

        return counted

    async def endpoint(self, _: Request) -> Response:
        """The counts in Prometheus' text format."""
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return Response(generate_latest(self._registry), headers=headers)
