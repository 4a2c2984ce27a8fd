"""The guard before the application: who may come in, from where, how often, and what browsers are told.

The order is that of the least work for those who may not. A browser is the danger on a machine that trusts itself: a page
from elsewhere must neither send commands (the check of ``Origin`` and ``Sec-Fetch-Site``, and that every body is JSON, see `bodies`) nor
read answers by having its own name point here (the check of ``Host``).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any, Final

import trio
from attrs import define, field
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from trio_adaptive.service.http.access import Access
from trio_adaptive.service.http.bodies import BODY_BYTES
from trio_adaptive.service.http.identity import Who
from trio_adaptive.service.http.problems import Problem, problem_response
from trio_adaptive.service.http.rates import Buckets, peer_of
from trio_adaptive.service.http.tls import is_for

SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""What answers anybody by any name: probes know neither."""

PAGE: Final = ("/assets/",)
"""With ``/`` itself, what anybody may read: a page without data, which asks for a token where one is needed."""

OURS: Final = frozenset({"same-origin", "none"})
"""What a browser says of requests that no other page has brought about."""

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
HSTS: Final = "max-age=31536000"

FIELDS: Final = 100
"""So many header fields a request may have: looking for one costs time for each of them."""

REQUESTS: Final = (400.0, 800.0)
CHANGES: Final = (10.0, 50.0)
FAILURES: Final = (0.5, 10.0)
"""So many in a second from one address, and so many at once."""


@define
class Guard:
    """An application in front of another one.

    Attributes:
        app: the other one.
        access: who may come in.
        host: the one that is listened at.
        requests: how often an address may ask.
        changes: how often it may change something.
        failures: how often it may fail to prove who it is.
    """

    app: ASGIApp
    access: Access
    host: str
    requests: Buckets = field(factory=lambda: Buckets(*REQUESTS))
    changes: Buckets = field(factory=lambda: Buckets(*CHANGES))
    failures: Buckets = field(factory=lambda: Buckets(*FAILURES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it in, or answer why not."""

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(raw=message["headers"]), scope["path"])
            await send(message)

        try:
            who = self._admit(scope)
        except Problem as problem:
            answer = problem_response(problem.status_code, problem.detail, headers=problem.headers)
            await answer(scope, receive, send_with_headers)
        else:
            await self.app({**scope, "who": who}, receive, send_with_headers)

    def _add_headers(self, headers: MutableHeaders, path: str) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if not path.startswith(PAGE):
            headers.setdefault("cache-control", "no-store")
        if self.access.tls is not None:
            headers["strict-transport-security"] = HSTS

    def _admit(self, scope: Scope) -> Who | None:
        """Who asks; None for nobody in particular, where that will do.

        Raises:
            Problem: they may not.
        """
        peer = peer_of((scope.get("client") or ("", 0))[0])
        self._spend(self.requests, peer)
        if len(scope["headers"]) > FIELDS:
            detail = f"a request has {FIELDS} header fields at most"
            raise Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        headers, path = Headers(scope=scope), scope["path"]
        if scope["method"] in SAFE and path in PROBES:
            return None
        self._check_host(headers)
        self._check_origin(headers, scope)
        if scope["method"] in SAFE and (path == "/" or path.startswith(PAGE)):
            return None
        who = self._authenticate(headers, scope, peer)
        if scope["method"] not in SAFE:
            self._check_change(headers, who, peer)
        return who

    def _spend(self, buckets: Buckets, peer: str) -> None:
        now = trio.current_time()
        if wait := buckets.wait(peer, now):
            raise _too_many(wait)
        buckets.take(peer, now)

    def _check_host(self, headers: Headers) -> None:
        name = _without_port(headers.get("host", "")).lower().rstrip(".")
        tls = self.access.tls
        ours = {self.host, "localhost", "127.0.0.1", "::1"} if tls is None else {self.host}
        if name not in ours and not (tls is not None and is_for(name, tls.names)):
            detail = f"the service is not called {name!r}, but as it listens, or as its certificate says"
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, detail)

    def _check_origin(self, headers: Headers, scope: Scope) -> None:
        scheme = "http" if self.access.tls is None else "https"
        origin = headers.get("origin")
        if origin is not None and origin != f"{scheme}://{headers.get('host', '')}":
            raise Problem(HTTPStatus.FORBIDDEN, "a page from elsewhere may not ask")
        site = headers.get("sec-fetch-site", "none")
        navigates = scope["method"] in SAFE and headers.get("sec-fetch-mode") == "navigate"
        if site not in OURS and not (navigates and scope["path"] == "/"):
            raise Problem(HTTPStatus.FORBIDDEN, "a page from elsewhere may not ask")

    def _authenticate(self, headers: Headers, scope: Scope, peer: str) -> Who:
        who = self.access.who(_bearer(headers), scope.get("certificate"))
        if who is None:
            # Whoever has a right one gets in, whatever others at the same address have tried.
            self._spend(self.failures, peer)
            detail = "a bearer token or a client certificate that counts is needed"
            challenge = {"www-authenticate": 'Bearer realm="trio-adaptive"'}
            raise Problem(HTTPStatus.UNAUTHORIZED, detail, headers=challenge)
        return who

    def _check_change(self, headers: Headers, who: Who, peer: str) -> None:
        if who.role != "operate":
            raise Problem(HTTPStatus.FORBIDDEN, f"{who.name} may read, and not operate")
        self._spend(self.changes, peer)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:18]) > BODY_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {BODY_BYTES} bytes at most")


def _too_many(wait: float) -> Problem:
    headers = {"retry-after": str(int(wait) + 1)}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, f"too many requests; in {wait:.1f} s again", headers=headers)


def _bearer(headers: Headers) -> str | None:
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
