"""How often somebody may ask: a bucket of tokens for each address, refilled at a steady rate."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from attrs import define, field

ADDRESSES: Final = 4096
"""So many addresses are remembered; whoever is forgotten, the longest silent first, begins with a full bucket."""


@define
class Buckets:
    """One kind of limit.

    Attributes:
        rate: so many in a second, in the long run.
        burst: so many at once.
    """

    rate: float
    burst: float
    _left: OrderedDict[str, tuple[float, float]] = field(factory=OrderedDict[str, tuple[float, float]])

    def wait(self, peer: str, now: float) -> float:
        """How long a peer has to wait, in seconds; 0 where it need not. Takes nothing."""
        return max(0.0, (1.0 - self._now(peer, now)) / self.rate)

    def take(self, peer: str, now: float) -> None:
        """Count one."""
        self._left[peer] = (self._now(peer, now) - 1.0, now)
        self._left.move_to_end(peer)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)

    def _now(self, peer: str, now: float) -> float:
        left, at = self._left.get(peer, (self.burst, now))
        return min(self.burst, left + (now - at) * self.rate)


def peer_of(host: str) -> str:
    """Whom an address stands for: in IPv6 everybody has a whole network of 64 bits."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:  # noqa: PLR2004 - the version
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
