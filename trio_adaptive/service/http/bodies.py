"""Reading a body: of the right kind, not too long, and in time."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import anyio
from starlette.requests import Request

from trio_adaptive.service.http.problems import Problem

BODY_BYTES: Final = 64 * 1024
"""The longest body; every one that makes sense is far shorter."""

PATIENCE: Final = 10.0
"""How long a body may take to come, in seconds."""


async def read_body(request: Request) -> bytes:
    """All of it.

    Raises:
        Problem: it does not say that it is JSON, is too long, or too slow.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which no form of another page can send
        detail = "the body has to be JSON, and say so: Content-Type: application/json"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    try:
        with anyio.fail_after(PATIENCE):
            return await _all_of(request)
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body has not come within {PATIENCE:g} s") from None


async def _all_of(request: Request) -> bytes:
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(HTTPStatus.BAD_REQUEST, "the connection was closed before the end of the body")
        body += message["body"]
        if len(body) > BODY_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {BODY_BYTES} bytes at most")
        if not message["more_body"]:
            return bytes(body)
