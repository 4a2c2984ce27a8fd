"""Where the service listens: an address, and whether that is one of this machine only."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from attrs import frozen

from trio_adaptive.errors import ConfigurationError, Mistake

PORTS = 65535


@frozen
class Address:
    """A host, as it was written, and a port; 0 for any."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


DEFAULT_ADDRESS = Address("127.0.0.1", 8788)
"""Where nothing else is said. When the port is taken, it is another one."""


def parse_address(text: str) -> Address:
    """``HOST:PORT``, with an IPv6 address in brackets.

    Raises:
        ValueError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise ValueError(f"{text!r} is not HOST:PORT")
    if not (port.isascii() and port.isdigit()) or int(port) > PORTS:
        raise ValueError(f"{port!r} is no port from 0 to {PORTS}")
    return Address(host[1:-1] if bracketed else host, int(port))


@frozen
class Listen:
    """What has been asked for.

    Attributes:
        address: where.
        may_move: whether another port will do when this one is taken.
        cert: the server's certificate, and what lies between it and its authority, in PEM; None for no TLS.
        key: that of the certificate.
        client_ca: the authorities whose client certificates count; None for no client certificates.
        tokens: the file with tokens and roles; None for no tokens.
    """

    address: Address = DEFAULT_ADDRESS
    may_move: bool = True
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    tokens: Path | None = None


def is_loopback(address: Address) -> bool:
    """Whether only this machine reaches it: every address that the name stands for is one of loopback.

    Raises:
        ConfigurationError: the name stands for nothing.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        allowed = "a name or an address of this machine"
        raise ConfigurationError([Mistake("--listen", f"{address.host!r}: {error}", allowed)]) from error
    return all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)
