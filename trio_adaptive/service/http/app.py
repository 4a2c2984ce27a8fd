"""The application: its routes, and what all of them share."""

from __future__ import annotations

from starlette.applications import Starlette

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.changing import CHANGING
from trio_adaptive.service.http.dashboard.assets import dashboard_routes
from trio_adaptive.service.http.metrics import metrics_route
from trio_adaptive.service.http.operations import Operation, Service
from trio_adaptive.service.http.problems import HANDLERS
from trio_adaptive.service.http.reading import READING

OPERATIONS: tuple[Operation, ...] = (*READING, *CHANGING)
"""All of the API."""


def make_app(fleet: Fleet) -> Starlette:
    """What answers for these clusters."""
    service = Service(fleet)
    api = [operation.route(service) for operation in OPERATIONS]
    routes = [*api, metrics_route(fleet), *dashboard_routes()]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
