"""The ASGI application: routes, headers and errors of the pages and the API."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from fdnix.progress import log
from fdnix.web import api, pages
from fdnix.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fdnix.web.service import Service

# No script, style, image or form that is not ours; a page may be framed by nobody.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app(service: Service, *, metrics: bool = False) -> Starlette:
    """The application over an index.

    Args:
        service: the index; it is closed when the application ends.
        metrics: whether it counts requests and tells of them at `/metrics`.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    middleware = [
        Middleware(_Headers),
        Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"]),
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=5),
    ]
    routes = [
        *api.routes(service),
        Route("/api/v1/openapi.json", _openapi),
        Route("/healthz", _health(service)),
        *pages.routes(service),
    ]
    if metrics:
        from fdnix.web.metrics import Metrics  # noqa: PLC0415 (a function goes without)

        counted = Metrics(service)
        middleware.insert(0, Middleware(counted.middleware))
        routes.append(Route("/metrics", counted.endpoint))
    return Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={
            Problem: _refused(service),
            HTTPException: _refused(service),
            Exception: _refused(service),
        },
    )


class _Headers:
    """Adds the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_ENCODED]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


_ENCODED = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


async def _openapi(_: Request) -> Response:
    from fdnix.web.openapi import document  # noqa: PLC0415 (seldom asked for)

    return JSONResponse(document(), headers={"Cache-Control": api.CACHED})


def _health(service: Service) -> Any:
    async def healthy(_: Request) -> Response:
        await service.ask(lambda opened: opened.index.suggest("a", limit=1))
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    return healthy


def _refused(service: Service) -> Any:
    """What tells of a request without an answer: to programs as a problem, to people as a page."""

    async def refused(request: Request, error: Exception) -> Response:
        problem, headers = _problem(error)
        if request.url.path.startswith("/api/"):
            return JSONResponse(
                problem.document(),
                status_code=problem.status,
                headers=headers,
                media_type="application/problem+json",
            )
        return pages.error_page(service, problem, headers)

    return refused


def _problem(error: Exception) -> tuple[Problem, dict[str, str]]:
    if isinstance(error, Problem):
        return error, error.headers()
    if isinstance(error, HTTPException):
        words = {404: "there is nothing here", 405: "only GET and HEAD are answered here"}
        problem = Problem(error.status_code, words.get(error.status_code, error.detail))
        return problem, problem.headers() | dict(error.headers or {})
    log.error("a request failed", exc_info=error)
    problem = Problem(500, "this is a defect of fdnix, or its file is damaged; the log says more")
    return problem, problem.headers()
