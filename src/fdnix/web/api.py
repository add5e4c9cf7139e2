"""The HTTP API: a table of endpoints, of which routes, checks and OpenAPI document are made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from fdnix.database.sizes import made_without
from fdnix.search.filters import FILTERS
from fdnix.search.index import Facet, Filters, Hit, Suggestion
from fdnix.search.package import Package, SimilarPackage
from fdnix.web.problem import Problem, refused, whole_number
from fdnix.web.service import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from fdnix.web.current import OpenIndex
    from fdnix.web.service import Service

CACHED = "public, max-age=60, stale-while-revalidate=600"


@dataclass(frozen=True)
class SearchAnswer:
    """The hits of a search, best first, from `offset` on; `total` counts all there are.

    `notice` says what went less well than it might; `facets`, where they are asked for, how many
    hits are left when `key:value` is added to the query.
    """

    query: str
    total: int
    offset: int
    notice: str | None
    hits: list[Hit]
    facets: list[Facet]


@dataclass(frozen=True)
class SuggestAnswer:
    """Packages whose names begin with what was typed, likeliest first."""

    suggestions: list[Suggestion]


@dataclass(frozen=True)
class SimilarAnswer:
    """Packages like one, most similar first."""

    similar: list[SimilarPackage]


@dataclass(frozen=True)
class InfoAnswer:
    """What the file that is served says of itself.

    `made_without` says what it could say more of, had there been more to make it from.
    """

    file: dict[str, str]
    made_without: list[str]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint: its name, its JSON schema, and what it asks."""

    name: str
    schema: Mapping[str, Any]
    help: str
    required: bool = False
    place: str = "query"

    def read(self, given: str) -> Any:
        """The value of what was given.

        Raises:
            Problem: it is none.
        """
        kind = self.schema["type"]
        if kind == "boolean":
            if given not in {"true", "false"}:
                raise refused(self.name, given, "true or false")
            return given == "true"
        if kind == "integer":
            return whole_number(self.name, given, self.schema["minimum"], self.schema["maximum"])
        if len(given) > self.schema["maxLength"]:
            most = self.schema["maxLength"]
            raise Problem(
                400, f"{self.name}: has {len(given):,} characters; at most {most} are read"
            )
        if len(given) < self.schema.get("minLength", 0):
            raise Problem(400, f"{self.name}: is empty")
        return given


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        name: of the operation in the OpenAPI document.
        path: with its parameters in braces.
        help: what it answers, in a sentence.
        parameters: all that it takes.
        answer: makes a value of type `type` of the index and the parameters' values.
        type: a dataclass, of which the schema of the answer is made.
    """

    name: str
    path: str
    help: str
    parameters: tuple[Parameter, ...]
    answer: Callable[[OpenIndex, dict[str, Any]], Any]
    type: type
    errors: tuple[int, ...] = field(default=(400, 503))


def _text(help_: str, length: int, *, example: str, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": length, "examples": [example]}
    return {"schema": schema, "help": help_, "required": required}


def _number(help_: str, least: int, most: int, default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return {"schema": schema, "help": help_}


_FLAG = {"type": "boolean", "default": False}
_VALUE = {"type": "string", "maxLength": LIMITS.value}
_ATTRIBUTE = Parameter(
    "attribute",
    {**_VALUE, "minLength": 1, "examples": ["ripgrep"]},
    "Attribute path, such as python313Packages.requests.",
    required=True,
    place="path",
)
_FILTER_PARAMETERS = tuple(
    Parameter(row.key, _FLAG if row.is_flag else _VALUE, row.help) for row in FILTERS
)


def _search(opened: OpenIndex, given: dict[str, Any]) -> SearchAnswer:
    filters = Filters(
        **{row.field: given[row.key] for row in FILTERS if str(given.get(row.key) or "").strip()}
    )
    text, offset = given["q"], given.get("offset", 0)
    asked = (text, given.get("limit", 20), offset, filters)
    if given.get("facets"):
        results, facets = opened.search_and_count(*asked)
    else:
        results, facets = opened.search(*asked), []
    return SearchAnswer(text, results.total, offset, results.notice, results.hits, facets)


def _suggest(opened: OpenIndex, given: dict[str, Any]) -> SuggestAnswer:
    return SuggestAnswer(opened.index.suggest(given["q"], limit=given.get("limit", 10)))


def package(opened: OpenIndex, attribute: str, address: str) -> Package:
    """All that the file holds of one package.

    Args:
        opened: the index.
        attribute: an attribute path.
        address: of a package's answer, with braces in the place of its attribute path.

    Raises:
        Problem: that is another name of a package (307), or there is no such package (404).
    """
    if found := opened.index.get(attribute):
        return found
    alias = opened.index.alias(attribute)
    if alias and alias.means_target:
        location = address.replace("{}", quote(str(alias.target)))
        raise Problem(307, alias.note, location=location)
    results = opened.search(attribute, 3, 0)
    near = ", ".join(hit.package_id for hit in results.hits)
    said = [
        f"there is no package {attribute}",
        results.notice,
        f"there is {near}" if near else None,
    ]
    raise Problem(404, "; ".join(filter(None, said)))


def _package(opened: OpenIndex, given: dict[str, Any]) -> Package:
    return package(opened, given["attribute"], "/api/v1/packages/{}")


def _similar(opened: OpenIndex, given: dict[str, Any]) -> SimilarAnswer:
    limit = given.get("limit", 10)
    address = f"/api/v1/packages/{{}}/similar?limit={limit}"
    attribute = package(opened, given["attribute"], address).package_id
    return SimilarAnswer(opened.index.similar(attribute, limit))


ENDPOINTS = (
    Endpoint(
        "search",
        "/api/v1/search",
        "Search, as in the box of the page; the filters may stand in the query too.",
        (
            Parameter(
                "q", **_text("The query.", LIMITS.query, example="pdf viewer", required=True)
            ),
            Parameter("limit", **_number("How many hits.", 1, LIMITS.hits, 20)),
            Parameter("offset", **_number("How many hits to pass over.", 0, LIMITS.offset, 0)),
            Parameter("facets", _FLAG, "Count all hits by set, licence, platform and status."),
            *_FILTER_PARAMETERS,
        ),
        _search,
        SearchAnswer,
    ),
    Endpoint(
        "package",
        "/api/v1/packages/{attribute}",
        "All that is known of one package.",
        (_ATTRIBUTE,),
        _package,
        Package,
        errors=(307, 400, 404, 503),
    ),
    Endpoint(
        "similar",
        "/api/v1/packages/{attribute}/similar",
        "The packages whose texts mean most nearly the same.",
        (_ATTRIBUTE, Parameter("limit", **_number("How many.", 1, LIMITS.hits, 10))),
        _similar,
        SimilarAnswer,
        errors=(307, 400, 404, 503),
    ),
    Endpoint(
        "suggest",
        "/api/v1/suggest",
        "The packages whose names begin with what is typed.",
        (
            Parameter("q", **_text("What is typed.", LIMITS.value, example="rip", required=True)),
            Parameter("limit", **_number("How many.", 1, LIMITS.hits, 10)),
        ),
        _suggest,
        SuggestAnswer,
    ),
    Endpoint(
        "info",
        "/api/v1/info",
        "What the file that is served says of itself: channel, revision, dates, counts.",
        (),
        lambda opened, _: InfoAnswer(dict(opened.info), made_without(opened.info)),
        InfoAnswer,
    ),
)


def routes(service: Service) -> list[Route]:
    """The routes of the API."""
    # The name of an attribute may hold a slash.
    return [
        Route(row.path.replace("}", ":path}"), _route(service, row), name=row.name)
        for row in sorted(ENDPOINTS, key=lambda row: -len(row.path))
    ]


def _route(service: Service, row: Endpoint) -> Callable[[Request], Any]:
    async def answered(request: Request) -> Response:
        given = _read(request, row)
        known = request.headers.get("if-none-match", "")
        answer = await service.ask(lambda opened: encoded(row.answer(opened, given)), known=known)
        headers = {"ETag": f'W/"{answer.tag}"', "Cache-Control": CACHED}
        if answer.value is None:
            return Response(status_code=304, headers=headers)
        return Response(answer.value, media_type="application/json", headers=headers)

    return answered


def encoded(value: Any) -> bytes:
    """A value made of dataclasses as JSON."""
    return json.dumps(value, default=vars, ensure_ascii=False, separators=(",", ":")).encode()


def _read(request: Request, row: Endpoint) -> dict[str, Any]:
    """The values of the parameters that are given.

    Raises:
        Problem: one is unknown, missing, there twice or not accepted (400).
    """
    given = [*request.path_params.items(), *request.query_params.multi_items()]
    known = {parameter.name: parameter for parameter in row.parameters}
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise Problem(400, f"there is no parameter {name[:50]}; there is {', '.join(known)}")
        if name in values:
            raise Problem(400, f"{name}: is there twice")
        values[name] = known[name].read(text)
    for parameter in row.parameters:
        if parameter.required and parameter.name not in values:
            raise Problem(400, f"{parameter.name}: is missing")
    return values
