"""Asking a service: over HTTP to this machine, over TLS to any, with a token or a certificate."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote

import httpx
from attrs import frozen

from trio_adaptive.errors import ConfigurationError, Mistake, NotAllowed, ServiceError, ServiceUnreachable
from trio_adaptive.service.client.discovery import services
from trio_adaptive.service.listen import Address, is_loopback

TIMEOUT: Final = 10.0
"""Seconds for one answer."""

API: Final = "/api/v1"


@frozen
class Where:
    """Which service, and how to get in.

    Attributes:
        url: where it answers; empty for the one on this machine.
        service: which of several on this machine, by name or process id; empty for the only one.
        token: who asks; empty for nobody.
        ca: the authority of the server's certificate; None for those of the system.
        cert: our certificate; None for none.
        key: its key; None where it stands beside the certificate in one file.
    """

    url: str = ""
    service: str = ""
    token: str = ""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Connection:
    """A line to one service; opened by making it, closed by leaving its block.

    Raises:
        ConfigurationError: the certificates cannot be read, or a token would be sent in the open.
        ServiceUnreachable: there is no service on this machine, or more than one.
    """

    def __init__(self, where: Where) -> None:
        self.url = where.url or _local(where.service)
        _check_secrecy(self.url, where)
        headers = {"Authorization": f"Bearer {where.token}"} if where.token else {}
        self._client = httpx.Client(
            base_url=self.url, headers=headers, verify=_context(where), timeout=TIMEOUT, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        """What is there; see `ask`."""
        asked = {name: str(value) for name, value in query.items() if value is not None}
        return self.ask("GET", path, query=asked)

    def readiness(self) -> Mapping[str, str]:
        """The clusters that are not as they should be, and what is wrong with each."""
        try:
            answer = self._client.get("/readyz")
        except httpx.HTTPError as error:
            raise ServiceUnreachable(f"no answer from {self.url}: {error}") from error
        found = _json(answer).get("clusters") or {}
        return {str(name): str(trouble) for name, trouble in found.items()}

    def ask(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None
    ) -> Any:
        """One question, and the JSON of its answer.

        Raises:
            ServiceUnreachable: no answer.
            NotAllowed: the service does not let this user do that.
            ConfigurationError: what was asked is wrong; names the fields.
            ServiceError: the service says that it cannot.
        """
        try:
            answer = self._client.request(method, f"{API}{path}", json=body, params=query)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
            raise ServiceUnreachable(f"no answer from {self.url}: {reason}") from error
        if answer.is_success:
            return _json(answer)
        raise _problem(answer)


def cluster_path(name: str, rest: str = "") -> str:
    """The path of one cluster, and of what is below it."""
    return f"/clusters/{quote(name, safe='')}{rest}"


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise ServiceUnreachable(f"{answer.url} is no service of ours: its answer is not JSON") from error


def _problem(answer: httpx.Response) -> Exception:
    try:
        found: object = answer.json()
    except ValueError:
        found = None
    problem = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    detail = str(problem.get("detail") or f"{answer.status_code} {answer.reason_phrase}")
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return NotAllowed(detail)
    errors = problem.get("errors") or []
    if errors and answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ConfigurationError(
            [Mistake(*(str(each.get(key, "")) for key in ("path", "problem", "allowed"))) for each in errors]
        )
    return ServiceError(detail)


def _local(service: str) -> str:
    found = services()
    if service:
        found = [each for each in found if service in {each.name, str(each.pid)}]
    if len(found) == 1:
        return found[0].url
    if not found:
        which = f" called {service}" if service else ""
        raise ServiceUnreachable(f"no service{which} runs on this machine; name one with --url")
    names = "; ".join(each.words for each in found)
    raise ServiceUnreachable(f"{len(found)} services run on this machine, name one with --service: {names}")


def _check_secrecy(url: str, where: Where) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError([Mistake("--url", f"is {url!r}: {error}", "https://HOST:PORT")]) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError([Mistake("--url", f"is {url!r}", "https://HOST:PORT")])
    open_line = parsed.scheme == "http" and where.token
    if open_line and not is_loopback(Address(parsed.host, parsed.port or 80)):
        raise ConfigurationError([Mistake("--url", f"{url} would show the token to others", "https://")])


def _context(where: Where) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if where.ca is None else str(where.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if where.cert is not None:
            context.load_cert_chain(where.cert, where.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in (where.ca, where.cert, where.key) if file is not None)
        problem = f"{files} cannot be used: {error}"
        raise ConfigurationError([Mistake("--ca, --cert, --key", problem, "files in PEM")]) from error
    return context
