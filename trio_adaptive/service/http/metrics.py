"""``/metrics``, for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.metrics.exposition import CONTENT_TYPE, exposition


def metrics_route(fleet: Fleet) -> Route:
    """The metrics of these clusters and of this process."""

    async def metrics(_: Request) -> Response:
        text = await exposition({name: hosted.scaler for name, hosted in fleet.items()})
        return Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return Route("/metrics", metrics)
