"""What went wrong, as problem details (RFC 9457): which field, what is wrong with it, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from trio_adaptive.errors import ConfigurationError, Mistake, ScalerStoppedError

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """An answer that is an error.

    Attributes:
        mistakes: what is wrong in the request, field by field.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.mistakes = tuple(mistakes)


def problem_response(
    status: int, detail: str, mistakes: Sequence[Mistake] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to it."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [{"path": m.path, "problem": m.problem, "allowed": m.allowed} for m in mistakes],
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an `HTTPException`, of ours or of Starlette's."""
    assert isinstance(error, HTTPException)  # noqa: S101 - by which the handler is chosen
    mistakes = error.mistakes if isinstance(error, Problem) else ()
    return problem_response(error.status_code, error.detail, mistakes, error.headers)


async def on_mistakes(_: Request, error: Exception) -> JSONResponse:
    """Answer options that contradict themselves or their types."""
    assert isinstance(error, ConfigurationError)  # noqa: S101 - by which the handler is chosen
    detail = "; ".join(map(str, error.mistakes))
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, error.mistakes)


async def on_stopped(_: Request, error: Exception) -> JSONResponse:
    """Answer a command for a cluster that is not being adapted."""
    return problem_response(HTTPStatus.CONFLICT, str(error))


async def on_bug(_: Request, __: Exception) -> JSONResponse:
    """Answer what is our fault; what it was stands in the log."""
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of this program; its log has more")


HANDLERS = {
    HTTPException: on_http_error,
    ConfigurationError: on_mistakes,
    ScalerStoppedError: on_stopped,
    Exception: on_bug,
}
