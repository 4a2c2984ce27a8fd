"""Telling systemd how the service is doing: ready, reloading, stopping, and that it has not hung.

The protocol is that of sd_notify(3): lines of text in a datagram to the socket that NOTIFY_SOCKET names. Where there is none,
nothing is told. A datagram that cannot be sent is lost: nothing here may hold up the service.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import Final

import trio
from attrs import frozen

PARTS: Final = 3
"""The watchdog hears from us so many times in the time that it allows; twice is the least that systemd asks for."""


@frozen
class Notifier:
    """A line to systemd.

    Attributes:
        address: of its socket; empty where there is none. A leading ``@`` stands for Linux's abstract names.
        watchdog: seconds within which it wants to hear from us; None where it does not watch.
    """

    address: str = ""
    watchdog: float | None = None

    def tell(self, *lines: str) -> None:
        """Send lines such as ``READY=1``."""
        if not self.address:
            return
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto("\n".join(lines).encode(), address)

    def ready(self, status: str) -> None:
        """The service is up, or has read its configuration again."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """It is reading its configuration; `ready` ends that."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It ends."""
        self.tell("STOPPING=1")

    async def keep_alive(self) -> None:
        """Feed the watchdog for ever, from the event loop: when that hangs, systemd starts the service anew."""
        while self.watchdog is not None:
            self.tell("WATCHDOG=1")
            await trio.sleep(self.watchdog / PARTS)


def notifier_of_environment() -> Notifier:
    """As systemd has set it up. The variables are taken away, since children are not to speak for us."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    limit, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
    ours = limit.isascii() and limit.isdigit() and int(limit) > 0 and pid in {"", str(os.getpid())}
    return Notifier(address, int(limit) / 1e6 if ours else None)
