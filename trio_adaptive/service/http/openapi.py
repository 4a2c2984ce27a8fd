"""The OpenAPI document, from the same table as the routes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from trio_adaptive.service.http.fields import TEXT, Field
from trio_adaptive.service.http.guard import PROBES, SAFE
from trio_adaptive.service.http.operations import Operation
from trio_adaptive.service.http.problems import MEDIA_TYPE
from trio_adaptive.service.http.schemas import Schema, components, ref

VERSION: Final = "3.1.0"

CLUSTER: Final[Schema] = {
    "name": "cluster",
    "in": "path",
    "required": True,
    "description": "the name of a cluster",
    "schema": {"type": "string", "minLength": 1, "maxLength": TEXT},
}


def openapi(operations: Sequence[Operation], *, authenticates: bool) -> dict[str, Any]:
    """The document.

    Args:
        operations: all of them.
        authenticates: whether a token or a certificate is needed.
    """
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    document: dict[str, Any] = {
        "openapi": VERSION,
        "info": {"title": "trio-adaptive", "version": version("trio-adaptive")},
        "paths": paths,
        "components": {"schemas": components()},
    }
    if authenticates:
        document["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "certificate": {"type": "mutualTLS"},
        }
        document["security"] = [{"token": []}, {"certificate": []}]
    return document


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [_parameter(each) for each in operation.query]
    if "{cluster}" in operation.path:
        parameters.insert(0, CLUSTER)
    about: dict[str, Any] = {"summary": operation.summary, "responses": _responses(operation)}
    if parameters:
        about["parameters"] = parameters
    if operation.body is not None:
        about["requestBody"] = _body(operation.body)
    if operation.path in PROBES:
        about["security"] = []
    return about


def _parameter(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "in": "query",
        "description": f"{field.summary}: {field.allowed}",
        "schema": field.schema,
    }


def _body(fields: Sequence[Field]) -> dict[str, Any]:
    members = {
        each.name: {**each.schema, "description": f"{each.summary}: {each.allowed}"} for each in fields
    }
    required = [each.name for each in fields if each.required]
    schema: Schema = {"type": "object", "properties": members, "additionalProperties": False}
    if required:
        schema["required"] = required
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(operation: Operation) -> dict[str, Any]:
    if operation.returns:
        content: dict[str, Any] = {"application/json": {"schema": ref(operation.returns)}}
    else:
        content = {"text/event-stream": {"schema": {"type": "string"}}}
    answers = {"200": {"description": operation.summary, "content": content}}
    for status, name in _others(operation).items():
        media = MEDIA_TYPE if name == "Problem" else "application/json"
        answers[str(int(status))] = {
            "description": status.phrase,
            "content": {media: {"schema": ref(name)}},
        }
    return answers


def _others(operation: Operation) -> dict[HTTPStatus, str]:
    """Every other status that it may answer with."""
    others: dict[HTTPStatus, str] = dict(operation.also)
    problems = [
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
    ]  # an unknown parameter, too often
    if operation.path not in PROBES:
        problems += [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST]
    if "{cluster}" in operation.path:
        problems.append(HTTPStatus.NOT_FOUND)
    if operation.method not in SAFE:
        problems.append(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if operation.body is not None:
        problems += [HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
    return {**dict.fromkeys(sorted(problems), "Problem"), **others}
