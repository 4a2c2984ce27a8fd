"""The application: its routes, and what all of them share."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.changing import CHANGING
from trio_adaptive.service.http.dashboard.assets import dashboard_routes
from trio_adaptive.service.http.metrics import metrics_route
from trio_adaptive.service.http.openapi import openapi
from trio_adaptive.service.http.operations import API, Call, Operation, Service, route
from trio_adaptive.service.http.problems import HANDLERS
from trio_adaptive.service.http.reading import READING


def make_app(fleet: Fleet, *, authenticates: bool = False) -> Starlette:
    """What answers for these clusters.

    Args:
        fleet: they.
        authenticates: whether a token or a certificate is needed, for the document.
    """
    service = Service(fleet)
    api = [
        route(service, path, there)
        for path, there in by_path(operations(authenticates=authenticates)).items()
    ]
    routes = [*api, metrics_route(fleet), *dashboard_routes()]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


def operations(*, authenticates: bool) -> tuple[Operation, ...]:
    """All of the API, the document of it included."""
    document: dict[str, Any] = {}

    async def tell(_: Call) -> Any:
        return document

    telling = Operation("GET", f"{API}/openapi.json", tell, "This document.", "Document")
    everything = (*READING, *CHANGING, telling)
    document |= openapi(everything, authenticates=authenticates)
    return everything


def by_path(operations: tuple[Operation, ...]) -> dict[str, list[Operation]]:
    """The operations at each path."""
    paths: dict[str, list[Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, []).append(operation)
    return paths
