"""The application: its routes, and what all of them share."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.http.problems import HANDLERS, Problem
from trio_adaptive.service.http.views import WallClock, status, unready

API = "/api/v1"


def make_app(fleet: Fleet) -> Starlette:
    """What answers for these clusters."""
    return Starlette(routes=_routes(fleet), exception_handlers=HANDLERS)


def _routes(fleet: Fleet) -> list[BaseRoute]:
    wall = WallClock()

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        wrong = unready(fleet)
        code = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        return JSONResponse({"status": "not ready" if wrong else "ready", "clusters": wrong}, code)

    async def clusters(_: Request) -> JSONResponse:
        return JSONResponse({"clusters": [status(hosted, wall) for hosted in fleet.values()]})

    async def cluster(request: Request) -> JSONResponse:
        return JSONResponse(status(hosted_by(fleet, request), wall))

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route(f"{API}/clusters", clusters),
        Route(f"{API}/clusters/{{cluster}}", cluster),
    ]


def hosted_by(fleet: Fleet, request: Request) -> Hosted:
    """The cluster that a path names.

    Raises:
        Problem: there is none by this name.
    """
    name = request.path_params["cluster"]
    if name not in fleet:
        known = ", ".join(fleet) or "none yet"
        raise Problem(HTTPStatus.NOT_FOUND, f"no cluster is named {name!r}; there are: {known}")
    return fleet[name]
