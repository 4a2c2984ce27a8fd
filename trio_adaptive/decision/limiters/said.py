"""What a user has said of the size: a hold, floors that expire, and the calendar. The earlier is the stronger."""

from __future__ import annotations

import math

from trio_adaptive.decision.limiters.passage import Passage, remaining, up_to, workers
from trio_adaptive.decision.limits import Window
from trio_adaptive.decision.state import units_for


def hold(passage: Passage) -> tuple[Passage, str]:
    """Exactly the size that a user holds."""
    state, now = passage.state, passage.facts.at
    if state.hold is None or state.hold.until <= now:
        return passage, ""
    units = units_for(state.hold.n, state.unit_size)
    why = f"held at {workers(state, state.hold.n)} {remaining(state.hold.until, now)}"
    return passage.within(units, units), why


def requests(passage: Passage) -> tuple[Passage, str]:
    """At least the highest floor that has been requested and has not expired."""
    state, now = passage.state, passage.facts.at
    floors = [floor for floor in state.floors if floor.until > now]
    if not floors:
        return passage, ""
    highest = max(floors, key=lambda floor: (floor.n, floor.until))
    why = f"requested at least {workers(state, highest.n)} {remaining(highest.until, now)}"
    return passage.within(units_for(highest.n, state.unit_size), math.inf), why


def schedules(passage: Passage) -> tuple[Passage, str]:
    """Between the highest floor and the lowest cap of all windows that are open now; a floor above a cap gives way."""
    state = passage.state
    if not state.windows:
        return passage, ""
    caps = [(window.maximum, window) for window in state.windows if window.maximum is not None]
    floors = [(window.minimum, window) for window in state.windows if window.minimum is not None]
    cap, by_cap = min(caps, key=_order, default=(math.inf, None))
    floor, by_floor = max(floors, key=_order, default=(0, None))
    high = up_to(state, cap)
    low = int(min(units_for(floor, state.unit_size), high))
    after = passage.within(low, high)
    if after.n < passage.n and by_cap is not None:
        return after, f"at most {workers(state, cap)} by the schedule {by_cap.words}"
    if after.n > passage.n and by_floor is not None:
        return after, f"at least {workers(state, floor)} by the schedule {by_floor.words}"
    return after, ""


def _order(said: tuple[int, Window]) -> tuple[int, str]:
    return said[0], said[1].words
