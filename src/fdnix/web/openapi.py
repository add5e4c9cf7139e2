"""The OpenAPI document, made of the table of endpoints and the types of their answers."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import fdnix
from fdnix.web.api import ENDPOINTS

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
_WORDS = {
    307: "nixpkgs calls this package otherwise; `Location` leads to it, `detail` says why.",
    400: "A parameter is wrong; `detail` says which.",
    404: "There is no such package; `detail` names the nearest.",
    503: "Too much is asked just now, or this takes too long; see `Retry-After`.",
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the API."""
    schemas: dict[str, Any] = {
        "Problem": {
            "type": "object",
            "description": "RFC 9457 problem details.",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
            },
            "required": ["type", "title", "status", "detail"],
        }
    }
    paths = {}
    for row in ENDPOINTS:
        answer = {"application/json": {"schema": _schema(row.type, schemas)}}
        problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        paths[row.path] = {
            "get": {
                "operationId": row.name,
                "summary": row.help,
                "parameters": [
                    {
                        "name": parameter.name,
                        "in": parameter.place,
                        "required": parameter.required,
                        "description": parameter.help,
                        "schema": dict(parameter.schema),
                    }
                    for parameter in row.parameters
                ],
                "responses": {
                    "200": {"description": row.help, "content": answer},
                    "304": {"description": "The answer is what If-None-Match names."},
                    **{
                        str(status): {"description": _WORDS[status], "content": problem}
                        for status in row.errors
                    },
                },
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fdnix",
            "version": fdnix.__version__,
            "summary": "Search the packages of nixpkgs by name, words and meaning.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a type; those of dataclasses go into `schemas`."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    arguments = get_args(kind)
    if isinstance(kind, UnionType):
        return {"type": [_PLAIN[argument] for argument in arguments]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(arguments[0], schemas)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], schemas)}
    if not is_dataclass(kind) or not isinstance(kind, type):
        raise TypeError(f"no schema for {kind}")
    if kind.__name__ not in schemas:
        hints = get_type_hints(kind)
        properties = {column.name: _schema(hints[column.name], schemas) for column in fields(kind)}
        schemas[kind.__name__] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
