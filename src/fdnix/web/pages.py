"""The pages: search, one package, about; rendered here, so that they work without JavaScript."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from fdnix.database.sizes import made_without
from fdnix.nixpkgs import attribute as paths
from fdnix.search.filters import FILTERS
from fdnix.web import api, install, query
from fdnix.web.fields import FIELDS
from fdnix.web.problem import Problem, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from fdnix.web.current import OpenIndex
    from fdnix.web.service import Limits, Service

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {
    path.name: (path.read_bytes(), _TYPES[path.suffix])
    for path in sorted((_HERE / "static").iterdir())
}
_HITS = 20
_SIMILAR = 8
# The reasons for a hit (`why`) that leave open whether it is what was asked for.
_SHARE = re.compile(r"(\d+%) of the words")
_PARTLY = frozenset({"similar meaning", "name is spelt like the query"})
_EXAMPLES = (
    "terminal file manager with previews",
    "convert heic to jpg",
    "postgres",
    "python requests",
    "text editor license:mit is:free",
)


def _tag_of_code() -> str:
    """Names what pages are made of besides the index."""
    digest = blake2b(digest_size=8)
    for folder in ("static", "templates"):
        for path in sorted((_HERE / folder).iterdir()):
            digest.update(path.read_bytes())
    return digest.hexdigest()


_TAG = _tag_of_code()


@lru_cache(1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "static": f"/static/{_TAG}",
        "fields": FIELDS,
        "filters": FILTERS,
        "examples": _EXAMPLES,
        "ways": install.ways,
    }
    environment.filters |= {
        "number": lambda number: f"{int(number):,}",
        "web": lambda url: str(url).lower().startswith(("https://", "http://")),
        "breakable": lambda path: Markup(".<wbr>").join(path.split(".")),
        "address": _address,
        "slashed": _slashed,
        "share": lambda why: _SHARE.sub(r"some of the words (\1)", why),
        "moment": lambda text: f"{text[:10]} {text[11:16]} UTC",
        "words": lambda text, marks: [word for word in text.split(marks) if word],
    }
    environment.tests["partly"] = lambda why: why in _PARTLY or bool(_SHARE.fullmatch(why))
    return environment


def _address(url: str) -> Markup:
    """A URL as people read it."""
    return _slashed(url.partition("://")[2].removeprefix("www.").rstrip("/"))


def _slashed(path: str) -> Markup:
    """A path, to be broken at its slashes."""
    return Markup("/<wbr>").join(path.split("/"))


def _rendered(template: str, opened: OpenIndex, **values: Any) -> str:
    return _templates().get_template(template).render(info=opened.info, **values)


def routes(service: Service) -> list[Route]:
    """The routes of the pages and of what they load."""
    return [
        Route("/", _page(service, _search_page("search.html", service.limits))),
        Route("/results", _page(service, _search_page("results.html", service.limits))),
        Route("/package/{attribute:path}", _page(service, _package_page(service.limits))),
        Route("/about", _page(service, lambda _: _about)),
        Route("/opensearch.xml", _opensearch),
        Route("/suggestions", _suggestions(service)),
        Route("/robots.txt", _robots),
        Route("/favicon.ico", _favicon),
        Route("/static/{tag}/{name}", _static),
    ]


def error_page(service: Service, problem: Problem, headers: dict[str, str]) -> Response:
    """The page that tells what went wrong."""
    with service.current.lease() as opened:
        text = _rendered("error.html", opened, problem=problem, query="")
    return HTMLResponse(text, status_code=problem.status, headers=headers)


def _page(
    service: Service, reader: Callable[[Request], Callable[[OpenIndex], str]]
) -> Callable[[Request], Any]:
    async def page(request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        # The tag of the index alone would keep the look of an older fdnix.
        answer = await service.ask(reader(request), known=known if _TAG in known else "")
        headers = {"ETag": f'W/"{answer.tag}-{_TAG}"', "Cache-Control": api.CACHED}
        if answer.value is None:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(answer.value, headers=headers)

    return page


def _search_page(template: str, limits: Limits) -> Callable[[Request], Callable[[OpenIndex], str]]:
    def reader(request: Request) -> Callable[[OpenIndex], str]:
        text = " ".join(request.query_params.get("q", "").split())
        number = request.query_params.get("page", "1")
        if len(text) > limits.query:
            raise Problem(400, f"a query may have {limits.query} characters")
        last = limits.offset // _HITS
        page = whole_number("page", number, 1, last)

        def render(opened: OpenIndex) -> str:
            if not text:
                return _rendered(template, opened, query="", results=None)
            results, facets = opened.search_and_count(text, _HITS, (page - 1) * _HITS)
            groups = query.groups(text, facets, results.total)
            return _rendered(
                template,
                opened,
                query=text,
                results=results,
                groups=groups,
                page=page,
                pages=min(last, -(-results.total // _HITS)),
                first=(page - 1) * _HITS + 1,
            )

        return render

    return reader


def _about(opened: OpenIndex) -> str:
    return _rendered("about.html", opened, made_without=made_without(opened.info))


def _package_page(limits: Limits) -> Callable[[Request], Callable[[OpenIndex], str]]:
    def reader(request: Request) -> Callable[[OpenIndex], str]:
        attribute = request.path_params["attribute"]
        if len(attribute) > limits.value:
            raise Problem(404, "no attribute path is that long")

        def render(opened: OpenIndex) -> str:
            package = api.package(opened, attribute, "/package/{}")
            return _rendered(
                "package.html",
                opened,
                query="",
                package=package,
                name=paths.split(package.package_id)[1],
                similar=opened.index.similar(attribute, _SIMILAR),
            )

        return render

    return reader


async def _opensearch(request: Request) -> Response:
    text = _templates().get_template("opensearch.xml").render(base=str(request.base_url))
    return Response(
        text,
        media_type="application/opensearchdescription+xml",
        headers={"Cache-Control": api.CACHED},
    )


def _suggestions(service: Service) -> Callable[[Request], Any]:
    """What a browser's search bar asks: https://github.com/dewitt/opensearch, "Suggestions"."""

    async def suggestions(request: Request) -> Response:
        text = request.query_params.get("q", "")[: service.limits.value]
        answer = await service.ask(lambda opened: opened.index.suggest(text, limit=8))
        found = answer.value or []
        body = api.encoded(
            [text, [row.package_id for row in found], [row.description or "" for row in found]]
        )
        headers = {"Cache-Control": api.CACHED}
        return Response(body, media_type="application/x-suggestions+json", headers=headers)

    return suggestions


async def _robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /results\nDisallow: /api/\n")


async def _favicon(_: Request) -> Response:
    return RedirectResponse(f"/static/{_TAG}/icon.svg", headers={"Cache-Control": api.CACHED})


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise Problem(404, "there is nothing here")
    body, kind = _STATIC[name]
    # An address of another fdnix may be answered by this one, for a moment.
    same = request.path_params["tag"] == _TAG
    cached = "public, max-age=31536000, immutable" if same else "no-store"
    return Response(body, media_type=kind, headers={"Cache-Control": cached})
