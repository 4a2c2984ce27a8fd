"""The estimated cluster obeys, and lets time pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from attrs import evolve

from trio_adaptive.decision.model import (
    Action,
    Cancel,
    Drain,
    Event,
    Finished,
    Launch,
    Outcome,
    Recall,
    Sample,
    Suggest,
    Suggested,
    UnitId,
    WorkerName,
)
from trio_adaptive.decision.shadows.echo import Echo, EchoUnit
from trio_adaptive.decision.shadows.fluid import fact_of, first_kinds, flow, pass_time
from trio_adaptive.decision.shadows.looks import at_work
from trio_adaptive.decision.state import LEAVING, State

USUAL_STARTUP: Final = 10.0
"""Seconds that a start takes until one has been measured."""


def first_echo(state: State, sample: Sample) -> Echo:
    """The estimated cluster at its beginning: the real one before the decision on this look, without what was leaving."""
    units: list[EchoUnit] = []
    flights = {unit: flight for unit, flight in state.flights.items() if flight.begun < sample.at}
    leaving = {unit for unit, flight in flights.items() if flight.kind in LEAVING}
    for unit in sample.units:
        if unit.id in leaving or unit.state not in {"planned", "requested", "registered"}:
            continue
        idle = None if unit.idle is None else sample.at - unit.idle
        registered = unit.state == "registered"
        units.append(
            EchoUnit(
                unit.id, state.launched_at.get(unit.id, sample.at), registered, idle if registered else None
            )
        )
    unseen = [u for u, flight in flights.items() if flight.kind == "launch" and u not in sample.by_id]
    units += [EchoUnit(name, state.launched_at.get(name, sample.at)) for name in unseen]
    work = sample.load.work
    per = work.threads / work.workers if work is not None and work.workers else 1.0
    return Echo(sample.at, tuple(units), sample.unit_size, per, first_kinds(work), fact_of(sample))


def after(echo: Echo, sample: Sample, startup: float) -> Echo:
    """The estimated cluster at the time of a real look."""
    elapsed = sample.at - echo.at
    work = sample.load.work
    kinds = echo.kinds if work is None else flow(echo, work, elapsed)
    per = work.threads / work.workers if work is not None and work.workers else echo.per
    echo = pass_time(echo, sample.at)
    units = [
        evolve(u, registered=True, idle=sample.at)
        if not u.registered and sample.at - u.requested >= startup
        else u
        for u in echo.units
    ]
    size = sample.unit_size if not echo.units else echo.size
    return dispatched(evolve(echo, units=tuple(units), kinds=kinds, per=per, size=size, fact=fact_of(sample)))


def dispatched(echo: Echo) -> Echo:
    """With its tasks on its first units, and the others idle."""
    busy = -(-at_work(echo) // echo.size)
    units: list[EchoUnit] = []
    for unit in echo.units:
        if unit.registered and busy:
            busy -= 1
            units.append(unit if unit.idle is None else evolve(unit, idle=None))
        elif unit.registered and unit.idle is None:
            units.append(evolve(unit, idle=echo.at))
        else:
            units.append(unit)
    return evolve(echo, units=tuple(units))


def obeyed(echo: Echo, action: Action) -> tuple[Echo, tuple[Event, ...]]:
    """After an action, which ends at once, and what the decision is told of it."""
    at = echo.at
    match action:
        case Launch(units=units):
            new = tuple(EchoUnit(name, at) for name in units)
            return evolve(echo, units=(*echo.units, *new)), (Finished(Outcome(at, "launch", units, "done")),)
        case Cancel(units=units):
            return _without(echo, units), (Finished(Outcome(at, "cancel", units, "done")),)
        case Drain(units=units):
            return _without(echo, units), (Finished(Outcome(at, "drain", units, "done")),)
        case Recall(units=units):
            return echo, (Finished(Outcome(at, "recall", units, "refused")),)
        case Suggest(question=question, target=target):
            return echo, (Suggested(at, question, _longest_idle(echo, target)),)
        case _:
            assert_never(action)


def _without(echo: Echo, units: Iterable[UnitId]) -> Echo:
    gone = set(units)
    return evolve(echo, units=tuple([unit for unit in echo.units if unit.id not in gone]))


def _longest_idle(echo: Echo, target: int) -> tuple[WorkerName, ...]:
    here = [unit for unit in echo.units if unit.registered]
    going = max(0, len(here) - -(-target // echo.size))
    order = sorted(here, key=lambda u: (u.idle is None, u.idle or 0.0, u.id))
    if echo.size == 1:
        return tuple([WorkerName(unit.id) for unit in order[:going]])
    return tuple([WorkerName(f"{unit.id}.{i}") for unit in order[:going] for i in range(echo.size)])
