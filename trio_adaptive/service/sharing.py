"""A maximum that several clusters share: who may have how many workers of it, kept up to date while they run.

Claims are renewed with each record of a cluster. The division itself is done only when somebody is held back by its part,
and what one is to give up goes to others only once it is free: see `trio_adaptive.decision.fairness`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio
from attrs import define, evolve, field

from trio_adaptive.decision.fairness import Claim, caps, is_held_back
from trio_adaptive.errors import ScalerStoppedError
from trio_adaptive.runtime.adaptive import Adaptive

PAUSE: Final = 0.05
"""Seconds between two divisions at the least; many clusters change at the same time."""

SHOWN: Final = 3
"""So many others are named in a reason."""


@define(eq=False)
class Sharing:
    """The division of a maximum.

    Attributes:
        total: workers that all may have together; infinite for no such bound.
    """

    total: float
    _scalers: dict[str, Adaptive] = field(factory=dict[str, Adaptive], init=False)
    _claims: dict[str, Claim] = field(factory=dict[str, Claim], init=False)
    _told: dict[str, int | None] = field(factory=dict[str, "int | None"], init=False)
    _held_back: set[str] = field(factory=set[str], init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    def joining(self, name: str, weight: float) -> Callable[[Adaptive], None]:
        """What tells a scaler its part before it begins, so that it never has more."""

        def prepare(scaler: Adaptive) -> None:
            self._scalers[name] = scaler
            least = scaler.settings.minimum
            self._claims[name] = Claim(name, least, least, weight)
            self.divide()

        return prepare

    def leave(self, name: str) -> None:
        """What it had is free from now on."""
        for known in (self._scalers, self._claims, self._told):
            known.pop(name, None)
        self._held_back.discard(name)
        self._news.set()

    def set_total(self, total: float) -> None:
        """Share another maximum from now on."""
        self.total = total
        self.divide()

    def set_weight(self, name: str, weight: float) -> None:
        """Let one count for more, or less, from now on."""
        if name in self._claims:
            self._claims[name] = evolve(self._claims[name], weight=weight)
            self.divide()

    def follow(self, name: str, scaler: Adaptive) -> None:
        """Renew the claim of a cluster with each of its records from now on."""

        def heard(_event: object, _record: object) -> None:
            if self._renew(name, scaler):
                self._news.set()

        scaler.listen(heard)

    async def run(self) -> None:
        """Divide whenever that is due, for ever."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            self.divide()
            await trio.sleep(PAUSE)

    def divide(self) -> None:
        """Tell each cluster its part, where that has changed."""
        if math.isinf(self.total):
            for name in self._scalers:
                self._tell(name, None)
            return
        claims = list(self._claims.values())
        for name, n in caps(int(self.total), claims).items():
            self._tell(name, n)

    def _renew(self, name: str, scaler: Adaptive) -> bool:
        """Whether there is a reason for a new division: something has changed, and somebody waits for that."""
        before = self._claims.get(name)
        if before is None or math.isinf(self.total) or self._scalers.get(name) is not scaler:
            return False
        now = scaler.statistics()
        size = now.unit_size
        known = [cap for cap in (now.share, self._told.get(name)) if cap is not None]
        claim = evolve(
            before,
            wanted=before.wanted if now.claimed is None else now.claimed * size,
            minimum=now.minimum,
            existing=now.existing * size,
            cap=max(known, default=None),
        )
        self._claims[name] = claim
        # Counted here, since looking at all of them each time one has changed would take too long with many.
        (self._held_back.add if is_held_back(claim) else self._held_back.discard)(name)
        return claim != before and bool(self._held_back)

    def _tell(self, name: str, n: int | None) -> None:
        if self._told.get(name) == n:
            return
        with suppress(ScalerStoppedError):
            self._scalers[name].share(n, self._words(name))
            self._told[name] = n
            claim = self._claims[name]
            if n is not None:
                self._claims[name] = evolve(claim, cap=max(n, claim.cap or 0))

    def _words(self, name: str) -> str:
        others = [claim for claim in self._claims.values() if claim.name != name]
        if not others:
            return f"of {self.total:g} that are shared"
        wanted = sum(claim.ceiling for claim in others)
        shown = ", ".join(f"{claim.name} wants {claim.ceiling}" for claim in others[:SHOWN])
        who = shown if len(others) <= SHOWN else f"{len(others)} other clusters want {wanted}"
        return f"of {self.total:g} that are shared; {who}"
