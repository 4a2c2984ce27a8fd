"""TLS of the service: 1.2 or newer, and client certificates where an authority for them is named."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import trio
from attrs import frozen

from trio_adaptive.errors import ConfigurationError, Mistake

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy, authenticated; TLS 1.3 has no others."""

HANDSHAKE: Final = 10.0
"""How long a handshake may take, in seconds."""


@frozen
class Certificate:
    """A client's, which has been checked against the authority.

    Attributes:
        names: its common name first, then the alternative ones.
    """

    names: tuple[str, ...]


@frozen
class TlsFiles:
    """Where the parts are, in PEM."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """The files."""
        return (self.cert, self.key, *([self.client_ca] if self.client_ca else []))


@frozen
class Tls:
    """What a connection begins with.

    Attributes:
        context: of the server.
        names: for which hosts its certificate is.
    """

    context: ssl.SSLContext
    names: frozenset[str]


def load_tls(files: TlsFiles, *, required: bool) -> Tls:
    """Read the files, and try the certificate.

    Args:
        files: where they are.
        required: whether a client without a certificate is refused at once; else there are tokens as well.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    mistakes: list[Mistake] = []
    context = _server_context()
    try:
        # Without a password it would ask for that of an encrypted key at the terminal.
        context.load_cert_chain(files.cert, files.key, password="")
    except (OSError, ValueError) as error:
        problem = f"{files.cert} and {files.key} cannot be used: {_words(error)}"
        allowed = "a certificate and its key, in PEM, not encrypted"
        mistakes.append(Mistake("--tls-cert, --tls-key", problem, allowed))
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(files.client_ca)
        except (OSError, ValueError) as error:
            problem = f"{files.client_ca} cannot be used: {_words(error)}"
            mistakes.append(Mistake("--tls-client-ca", problem, "certificates of authorities, in PEM"))
    if mistakes:
        raise ConfigurationError(mistakes)
    return Tls(context, _tried(files))


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # No session outlives its connection: a certificate that has been withdrawn is looked at again.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _tried(files: TlsFiles) -> frozenset[str]:
    """The names in the certificate, from a handshake in memory with a client that trusts this certificate alone.

    Raises:
        ConfigurationError: it is no certificate for a server, or not valid now.
    """
    server_side, client_side = _server_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side.check_hostname = False  # it is asked which names there are
    client_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        server_side.load_cert_chain(files.cert, files.key, password="")
        client_side.load_verify_locations(files.cert)
        server = server_side.wrap_bio(to_server, to_client, server_side=True)
        client = client_side.wrap_bio(to_client, to_server)
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        told = client.getpeercert() or {}
    except (OSError, ValueError) as error:
        problem = f"{files.cert} would be refused: {_words(error)}"
        raise ConfigurationError(
            [Mistake("--tls-cert", problem, "a certificate for a server, valid now")]
        ) from error
    return frozenset(name.lower() for name in _names(told))


def _words(error: Exception) -> str:
    return getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)


def _names(told: Any) -> list[str]:
    common = [value for part in told.get("subject", ()) for key, value in part if key == "commonName"]
    return [*common, *(value for _, value in told.get("subjectAltName", ()))]


async def encrypted(stream: trio.SocketStream, tls: Tls) -> trio.SSLStream[trio.SocketStream]:
    """The stream after its handshake.

    Raises:
        trio.BrokenResourceError, trio.TooSlowError: the peer does not know how, has no certificate that counts, or is slow.
    """
    wrapped = trio.SSLStream(stream, tls.context, server_side=True, https_compatible=True)
    with trio.fail_after(HANDSHAKE):
        await wrapped.do_handshake()
    return wrapped


def certificate_of(stream: trio.SSLStream[trio.SocketStream]) -> Certificate | None:
    """What the client has shown; None for nothing."""
    told = stream.getpeercert()
    return Certificate(tuple(_names(told)) or ("a certificate without a name",)) if told else None


def is_for(host: str, names: frozenset[str]) -> bool:
    """Whether a certificate with these names is for a host; ``*`` stands for one label at the beginning."""
    return host in names or f"*.{host.partition('.')[2]}" in names
