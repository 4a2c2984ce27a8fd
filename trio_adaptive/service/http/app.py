"""The application: its routes, and what all of them share."""

from __future__ import annotations

from starlette.applications import Starlette

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.changing import CHANGING
from trio_adaptive.service.http.operations import Operation, Service
from trio_adaptive.service.http.problems import HANDLERS
from trio_adaptive.service.http.reading import READING

OPERATIONS: tuple[Operation, ...] = (*READING, *CHANGING)
"""All of the API."""


def make_app(fleet: Fleet) -> Starlette:
    """What answers for these clusters."""
    service = Service(fleet)
    routes = [operation.route(service) for operation in OPERATIONS]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
