"""What protects the service, as it is at the moment: read from files, and read again when they change."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import trio

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.http.identity import LOCAL, Who
from trio_adaptive.service.http.tls import Certificate, Tls, TlsFiles, load_tls
from trio_adaptive.service.http.tokens import Roles, read_roles
from trio_adaptive.service.listen import Listen, is_loopback

logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""So often, in seconds, it is looked whether a file has changed."""


class Access:
    """Who may come in.

    Attributes:
        tls: for new connections; None for none.
        roles: who may do what.
        authenticates: whether anybody has to prove who they are.

    Args:
        listen: what has been asked for.

    Raises:
        ConfigurationError: naming all that is wrong or missing.
    """

    def __init__(self, listen: Listen) -> None:
        mistakes = _missing(listen)
        self.tls: Tls | None = None
        self.roles = Roles()
        self.authenticates = listen.tokens is not None or listen.client_ca is not None
        self._tokens = listen.tokens
        self._files = (
            TlsFiles(listen.cert, listen.key, listen.client_ca) if listen.cert and listen.key else None
        )
        self._seen = self._look()  # before they are read, so that no change is missed
        try:
            self._load()
        except ConfigurationError as error:
            mistakes += error.mistakes
        if mistakes:
            raise ConfigurationError(mistakes)

    def who(self, secret: str | None, certificate: Certificate | None) -> Who | None:
        """Who has this token, or showed this certificate; None where neither will do."""
        if not self.authenticates:
            return LOCAL
        if secret is not None:
            token = self.roles.token(secret)
            return None if token is None else Who(token.name, token.role, lambda: token in self.roles.tokens)
        if certificate is None:
            return None
        role = self.roles.certificate(certificate.names)
        if role is None:
            return None
        return Who(certificate.names[0], role, lambda: self.roles.certificate(certificate.names) == role)

    async def watch(self) -> NoReturn:
        """Read the files again whenever they have changed; what is wrong with them then is told, and nothing changed."""
        while True:
            await trio.sleep(LOOK)
            now = await trio.to_thread.run_sync(self._look)
            if now != self._seen:
                self._seen = now
                await self.reload()

    async def reload(self) -> None:
        """Read the files again now."""
        try:
            await trio.to_thread.run_sync(self._load)
        except ConfigurationError as error:
            logger.warning("Certificates and tokens stay as they were: %s", error)
        else:
            logger.info("Certificates and tokens have been read again")

    def _load(self) -> None:
        mistakes: list[Mistake] = []
        tls, roles = self.tls, self.roles
        try:
            tls = load_tls(self._files, required=self._tokens is None) if self._files else None
        except ConfigurationError as error:
            mistakes += error.mistakes
        try:
            roles = read_roles(self._tokens) if self._tokens else Roles()
        except ConfigurationError as error:
            mistakes += error.mistakes
        if mistakes:
            raise ConfigurationError(mistakes)
        self.tls, self.roles = tls, roles

    def _look(self) -> list[object]:
        files = [*(self._files.all if self._files else ()), *([self._tokens] if self._tokens else [])]
        return _signatures(files)


def _signatures(files: Iterable[Path]) -> list[object]:
    found: list[object] = []
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:
            found.append(error.errno)
        else:
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found


def _missing(listen: Listen) -> list[Mistake]:
    """What is not there and has to be."""
    mistakes: list[Mistake] = []
    if (listen.cert is None) != (listen.key is None):
        name = "--tls-cert" if listen.cert is None else "--tls-key"
        mistakes.append(Mistake(name, "is missing", "a certificate and its key, or neither"))
    if listen.client_ca is not None and listen.cert is None:
        mistakes.append(
            Mistake("--tls-client-ca", "is of no use without TLS", "--tls-cert and --tls-key as well")
        )
    if is_loopback(listen.address):
        return mistakes
    beyond = f"is missing, and {listen.address} can be reached by other machines"
    if listen.cert is None and listen.key is None:
        mistakes.append(
            Mistake("--tls-cert, --tls-key", beyond, "both, or an address such as 127.0.0.1:8788")
        )
    if listen.client_ca is None and listen.tokens is None:
        allowed = "one of them, or an address such as 127.0.0.1:8788"
        mistakes.append(Mistake("--tls-client-ca, --tokens", beyond, allowed))
    return mistakes
