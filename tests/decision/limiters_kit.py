"""What the tests of the limiters share: a core with limits that gives back at the first tick, and its town."""

from __future__ import annotations

from decision_worlds import Core, Town

from trio_adaptive.decision.limits import Limits, Rate
from trio_adaptive.decision.model import Decision
from trio_adaptive.decision.rules import Rules


def limited(*, core: dict[str, object] | None = None, pending_timeout: float | None = None, **limits: object):
    """A core that has no patience, with these limits."""
    rules = Rules(idle_timeout=0, wait_count=1, pending_timeout=pending_timeout, limits=Limits(**limits))
    return Core(rules, **(core or {}))


def town(**options: object) -> Town:
    """A town with a limited core; it begins empty."""
    place = {name: options.pop(name) for name in ("startup", "size") if name in options}
    return Town(limited(**options), **place)


def sizes(place: Town, target: int, ticks: int, *, after: float = 1.0) -> list[int]:
    """How many units there are after each of so many looks, when so much is asked for."""
    found = []
    for _ in range(ticks):
        place.tick(target, after=after)
        found.append(len(place.units))
    return found


def rate(amount: float, period: float) -> Rate:
    return Rate(amount, percent=False, period=period)


def percent(amount: float, period: float) -> Rate:
    return Rate(amount, percent=True, period=period)


def decided(place: Town) -> Decision:
    """What was decided last."""
    return next(record.decision for record in reversed(place.core.records) if record.decision)
