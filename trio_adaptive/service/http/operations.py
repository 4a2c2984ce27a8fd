"""What an operation of the API is: where it is, what it takes, what it does. Routes and OpenAPI are made of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.http.bodies import read_body
from trio_adaptive.service.http.fields import Field, read_fields, read_object
from trio_adaptive.service.http.identity import who_asks
from trio_adaptive.service.http.problems import Problem
from trio_adaptive.service.http.streams import Streams
from trio_adaptive.service.http.views import WallClock

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

API = "/api/v1"
CLUSTER = f"{API}/clusters/{{cluster}}"


@frozen
class Service:
    """What all operations are about."""

    fleet: Fleet
    wall: WallClock = field(factory=WallClock)
    streams: Streams = field(factory=Streams)


@frozen
class Call:
    """One request, after everything in it has been read.

    Attributes:
        service: whose operation it is.
        request: as it came.
        given: the fields of its query and of its body.
    """

    service: Service
    request: Request
    given: Mapping[str, Any]

    @property
    def fleet(self) -> Fleet:
        """All clusters."""
        return self.service.fleet

    @property
    def wall(self) -> WallClock:
        """For times."""
        return self.service.wall

    @property
    def by(self) -> str:
        """Who asks, and from where."""
        peer = self.request.client
        return f"{who_asks(self.request).name} from {peer.host if peer else 'here'}"

    @property
    def hosted(self) -> Hosted:
        """The cluster that the path names.

        Raises:
            Problem: there is none by this name.
        """
        name = self.request.path_params["cluster"]
        if name not in self.fleet:
            known = ", ".join(self.fleet) or "none yet"
            raise Problem(HTTPStatus.NOT_FOUND, f"no cluster is named {name!r}; there are: {known}")
        return self.fleet[name]


@frozen
class Operation:
    """One method of one path.

    Attributes:
        method: of HTTP.
        path: with ``{cluster}`` in it where it is about one.
        answer: does it; returns what JSON has, or a whole response.
        summary: a line on it.
        returns: the name of the schema of its answer; empty where it is no JSON.
        query: the fields of its query.
        body: those of its body; None where it has none.
        also: further statuses that it may answer with, and their schemas.
    """

    method: Method
    path: str
    answer: Callable[[Call], Awaitable[Any]]
    summary: str
    returns: str
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] | None = None
    also: Mapping[HTTPStatus, str] = field(factory=dict[HTTPStatus, str])

    async def __call__(self, service: Service, request: Request) -> Response:
        """Read the request, and answer."""
        given = read_fields(self.query, request.query_params.multi_items())
        if self.body is not None:
            given |= read_fields(self.body, read_object(await read_body(request)))
        answer = await self.answer(Call(service, request, given))
        return answer if isinstance(answer, Response) else JSONResponse(answer)


def route(service: Service, path: str, operations: Sequence[Operation]) -> Route:
    """What answers at a path."""
    by_method: dict[str, Operation] = {operation.method: operation for operation in operations}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]

    async def endpoint(request: Request) -> Response:
        return await by_method[request.method](service, request)

    return Route(path, endpoint, methods=list(by_method))
