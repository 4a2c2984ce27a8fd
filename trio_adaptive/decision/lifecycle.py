"""The life of a unit, from the wish for it to its end, and how long each part of it may take.

`LIFE` says what may follow upon what, as it can be seen: a look comes now and then, and what lies between two looks is
skipped. A unit gets its name with the request; names are never given twice, so that nothing follows upon ``gone``.

| stage      | what it is                                             | may last             | and then                       |
|------------|--------------------------------------------------------|----------------------|--------------------------------|
| wanted     | missing, without a name as yet                         | the pause of retries | requested                      |
| requested  | asked for, the resource manager has not answered       | ``request_timeout``  | the request has failed         |
| starting   | accepted, or in its queue; nothing has registered      | ``startup_timeout``  | timed out                      |
| registered | in service                                             | for ever             |                                |
| draining   | no new tasks; finishes, moves its data; can come back  | ``drain_timeout``    | stopping, or in service again  |
| stopping   | on its way out for good                                | ``stop_timeout``     | seen anew: gone, or not        |
| timed out  | did not register in time, and is being ended           | ``stop_timeout``     | asked to end once more         |
| failed     | ended before it registered                             | ``stop_timeout``     | cleaned up once more           |
| lost       | ended unasked after that                               | ``stop_timeout``     | cleaned up once more           |
| gone       | nothing of it is left                                  | for ever             |                                |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from attrs import evolve

from trio_adaptive.decision.model import Sample, UnitId, UnitState
from trio_adaptive.decision.retries import failed
from trio_adaptive.decision.state import State

Stage: TypeAlias = Literal[
    "wanted",
    "requested",
    "starting",
    "registered",
    "draining",
    "stopping",
    "timed out",
    "failed",
    "lost",
    "gone",
]

_ENDS: Final = frozenset[Stage]({"failed", "lost", "gone"})

LIFE: Final[Mapping[Stage, frozenset[Stage]]] = {
    "wanted": frozenset({"requested"}),
    "requested": frozenset({"starting", "registered", "draining", "stopping", "timed out", *_ENDS}),
    # It may be taken back while it starts; and a worker that registers may be asked to leave at the same look.
    "starting": frozenset({"registered", "draining", "stopping", "timed out", *_ENDS}),
    # A worker that starts anew, by its nanny, is starting again.
    "registered": frozenset({"starting", "draining", "stopping", *_ENDS}),
    "draining": frozenset({"registered", "stopping", *_ENDS}),
    # The end of a unit may have been refused, or have failed: then it is what it was.
    "stopping": frozenset({"starting", "registered", "draining", "timed out", *_ENDS}),
    # It may have registered at the last moment.
    "timed out": frozenset({"registered", "stopping", *_ENDS}),
    # While it is cleaned up it is on its way out.
    "failed": frozenset({"stopping", "gone"}),
    "lost": frozenset({"stopping", "gone"}),
    "gone": frozenset(),
}
"""Which stage may follow upon which."""

PENDING: Final[frozenset[UnitState]] = frozenset({"planned", "requested"})
"""The states of a unit that may register."""

FIRST_LIMIT: Final = 600.0
"""Seconds that a unit may take to register while nothing is known of this cluster, where nobody has said."""

LEAST_LIMIT: Final = 60.0
LEARNED_FACTOR: Final = 10.0
LEARNED_FROM: Final = 3
"""From so many starts on, the limit is ten times what 95 of 100 of them took at most, but not below a minute: a
machine under load may well take several times as long as one at rest, and a start that is given up is paid for."""


def startup_limit(state: State) -> float:
    """How long a unit may take to register, in seconds."""
    if state.rules.startup_timeout is not None:
        return state.rules.startup_timeout
    if state.startup_p95 is None or len(state.startups) < LEARNED_FROM:
        return FIRST_LIMIT
    return max(LEAST_LIMIT, LEARNED_FACTOR * state.startup_p95)


def time_out(state: State, sample: Sample) -> State:
    """The state after those have been given up that have not registered in time; together they are one failure."""
    state = _forgotten(state, sample)
    limit = startup_limit(state)
    if not state.launched_at or math.isinf(limit):
        return state
    late = [
        unit_id
        for unit_id, since in state.launched_at.items()
        if sample.at - since > limit and unit_id in sample.by_id and sample.by_id[unit_id].state in PENDING
    ]
    if not late:
        return state
    waiting = {unit_id: since for unit_id, since in state.launched_at.items() if unit_id not in late}
    overdue = {**state.overdue, **dict.fromkeys(late, sample.at)}
    more = f", and {len(late) - 1} more" if len(late) > 1 else ""
    state = evolve(state, launched_at=waiting, overdue=overdue)
    return failed(state, sample.at, f"{late[0]} did not register within {limit:g} s{more}")


def _forgotten(state: State, sample: Sample) -> State:
    if not state.overdue:
        return state
    units = sample.by_id
    kept = {u: at for u, at in state.overdue.items() if u in units and units[u].state in PENDING}
    return state if len(kept) == len(state.overdue) else evolve(state, overdue=kept)


def overdue_units(state: State) -> tuple[UnitId, ...]:
    """Those that have been given up, and that nobody is ending."""
    return tuple(u for u in state.overdue if u not in state.flights) if state.overdue else ()


def stage_of(state: State, unit_id: UnitId) -> Stage:
    """Where in its life a unit is that has a name, as far as is known."""
    unit = None if state.sample is None else state.sample.by_id.get(unit_id)
    flight = state.flights.get(unit_id)
    if unit is None:
        return "gone" if flight is None or flight.kind != "launch" else "requested"
    match unit.state:
        case "failed" | "lost":
            return unit.state
        case "leaving":
            return "stopping"
        case _ if unit_id in state.overdue:
            return "timed out"
        case _:
            pass
    if flight is not None and flight.kind != "launch":
        return "draining" if flight.kind in {"drain", "recall"} else "stopping"
    return "registered" if unit.state == "registered" else "starting"
