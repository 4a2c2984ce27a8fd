"""The page and its files, read once and kept: some 1.5 MB, nearly all of it BokehJS."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trio_adaptive.service.http.problems import Problem

PAGE: Final = Path(__file__).parent / "page"

BOKEH_FILES: Final = ("bokeh.min.js", "bokeh-api.min.js")


@frozen
class Asset:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        """The file, or that it has not changed since the browser fetched it."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def dashboard_routes() -> list[BaseRoute]:
    """The page at ``/``, and what it is made of at ``/assets/``."""
    assets = _assets()

    async def page(request: Request) -> Response:
        return assets["index.html"].answer(request)

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in assets:
            raise Problem(HTTPStatus.NOT_FOUND, f"the page has no file {name!r}")
        return assets[name].answer(request)

    return [Route("/", page), Route("/assets/{name}", asset)]


@cache
def _assets() -> Mapping[str, Asset]:
    return {path.name: _read(path) for path in (*sorted(PAGE.iterdir()), *_bokeh_files())}


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    # Said here and not asked of the machine, whose registry may have anything: browsers insist on it.
    media_type = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
    return Asset(body, media_type or "text/plain", f'"{sha256(body).hexdigest()[:20]}"')


def _bokeh_files() -> Iterator[Path]:
    found = find_spec("bokeh")  # without importing it, which takes its time
    for folder in [] if found is None else found.submodule_search_locations or []:
        for name in BOKEH_FILES:
            yield Path(folder) / "server/static/js" / name
