"""Failed launches: a pause that grows, and a breaker.

| breaker   | failures in a row           | what is launched                                                |
|-----------|-----------------------------|-----------------------------------------------------------------|
| closed    | fewer than breaker_failures | all that is missing, once the pause after the latest one is over |
| open      | as many or more             | nothing, until the pause is over                                |
| half-open | the same, the pause is over | one unit, alone: it registers -> closed, it fails -> open       |

A launch has failed when the request for it has, when the unit ended before it registered, or when it did not register in
time. Launches of one round fail together: that is one failure. One registration makes good for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias
from zlib import crc32

from attrs import evolve

from trio_adaptive.decision.state import State

Breaker: TypeAlias = Literal["closed", "open", "half-open"]

STARTUPS_KEPT: Final = 64
"""How many start-up times are remembered: of the latest 16 the median, of all the 95th percentile."""

MANY: Final = 60
"""Failures are counted up to this; a pause doubled as often is longer than any."""


def breaker(state: State, now: float) -> Breaker:
    """Where the breaker is, see the table."""
    if state.failures < state.rules.breaker_failures:
        return "closed"
    return "open" if now < state.retry_at else "half-open"


def failed(state: State, now: float, error: str) -> State:
    """The state after a launch has failed."""
    if now < state.retry_at:
        return evolve(state, last_error=error)
    rules = state.rules
    delay = min(rules.retry_delay * 2.0**state.failures, rules.retry_delay_max)
    delay *= 1 - rules.retry_jitter * _fraction(state)
    return evolve(state, failures=min(state.failures + 1, MANY), retry_at=now + delay, last_error=error)


def _fraction(state: State) -> float:
    """Between 0 and 1: no chance is at work, but two programs have two of them, since their units have two names."""
    return crc32(f"{state.prefix} {state.failures} {state.units_named}".encode()) / 2**32


def registered(state: State, startups: Sequence[float]) -> State:
    """The state after units have registered, so many seconds after their launch."""
    kept = (*state.startups, *startups)[-STARTUPS_KEPT:]
    return evolve(state, startups=kept, failures=0, retry_at=-math.inf)


def allowed(state: State, now: float, number: int) -> tuple[int, str]:
    """How many of so many units may be launched now, and why no more of them."""
    if number and now < state.retry_at:
        broken = breaker(state, now) == "open"
        alone = f", of one alone after {state.failures} failures in a row" if broken else ", after a failure"
        return 0, f"next launch in {state.retry_at - now:.1f} s{alone}: {state.last_error}"
    if number and breaker(state, now) == "half-open":
        if state.launched_at:
            return 0, f"waiting for one launch to succeed, after {state.failures} failures in a row"
        return 1, f"one launch is tried, after {state.failures} failures in a row: {state.last_error}"
    return number, ""
