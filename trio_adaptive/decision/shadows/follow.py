"""A policy that only advises: the whole decision once more, in a cluster that is only estimated."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import evolve

from trio_adaptive.decision.model import (
    Action,
    AddRequest,
    Event,
    Record,
    Sample,
    Sampled,
    SetHold,
    SetLimits,
    SetPause,
    SetRules,
    SetSchedule,
    SetShare,
    Shadowed,
)
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.shadows.cluster import USUAL_STARTUP, after, first_echo, obeyed
from trio_adaptive.decision.shadows.echo import Echo
from trio_adaptive.decision.shadows.fluid import pass_time
from trio_adaptive.decision.shadows.looks import look
from trio_adaptive.decision.state import Shadow, State

Decide: TypeAlias = Callable[[State, Event], tuple[State, tuple[Action, ...], Record]]

FOLLOWED: Final = (SetLimits, SetHold, AddRequest, SetPause, SetSchedule, SetRules, SetShare)
"""The commands that hold there as well."""


def follow(shadow: Shadow, event: Event, real: State, decide: Decide) -> Shadow:
    """The shadow after an event in the real cluster.

    Args:
        shadow: before it.
        event: what has happened.
        real: what the real decision remembers after it.
        decide: the decision.
    """
    if shadow.error:
        return shadow
    if isinstance(event, Sampled) and not event.sample.load.missing:
        try:
            return _looked(shadow, event.sample, real, decide)
        except Exception as error:  # noqa: BLE001 - somebody's own policy that only advises must not end the run
            return evolve(shadow, error=f"{type(error).__name__}: {error}")
    if shadow.state is not None and isinstance(event, FOLLOWED):
        return evolve(shadow, state=decide(shadow.state, event)[0])
    return shadow


def _begun(shadow: Shadow, sample: Sample, real: State) -> tuple[State, Echo]:
    """The decision and its cluster at the first look: as the real ones are, but for what the shadow has of its own."""
    own = (
        evolve(real, policy=shadow.policy, policy_name=shadow.name) if shadow.state is None else shadow.state
    )
    state = evolve(
        own,
        shadows=(),
        flights={},
        refusals={},
        question=None,
        overdue={},
        failures=0,
        retry_at=-math.inf,
    )
    return state, first_echo(own, sample)


def _looked(shadow: Shadow, sample: Sample, real: State, decide: Decide) -> Shadow:
    if shadow.state is None or shadow.echo is None:
        state, echo = _begun(shadow, sample, real)
    else:
        state, echo = shadow.state, after(shadow.echo, sample, _startup(real))
    state = evolve(state, startups=real.startups)
    events: deque[Event] = deque([Sampled(look(echo, sample, state.rules.target_duration))])
    target = shadow.target
    while events:
        state, actions, record = decide(state, events.popleft())
        target = target if record.decision is None else record.decision.final
        for action in actions:
            echo, more = obeyed(echo, action)
            events.extend(more)
    return evolve(shadow, state=state, echo=echo, target=target)


def _startup(real: State) -> float:
    """How long a start takes there: as long as in fact; none has come there before the first has in fact."""
    if real.startup is not None:
        return real.startup
    return math.inf if real.launched_at else USUAL_STARTUP


def told(shadow: Shadow) -> Shadowed:
    """What is told of it in records: rounded, so that a record in which nothing changes says nothing new."""
    echo = shadow.echo
    if echo is None:
        return Shadowed(shadow.name, error=shadow.error)
    cost, waiting = echo.sums.cost - echo.fact_sums.cost, echo.sums.waiting - echo.fact_sums.waiting
    return Shadowed(
        shadow.name, shadow.target, len(echo.units), round(cost, 1), round(waiting, 1), shadow.error
    )


def until(shadow: Shadow, at: float) -> Shadow:
    """With the time up to then added up."""
    return shadow if shadow.echo is None else evolve(shadow, echo=pass_time(shadow.echo, at))


def promoted(state: State, name: str, policy: Policy) -> State:
    """Another policy decides: a shadow of that name with what it has seen; the one before takes its place and advises."""
    chosen = next((shadow for shadow in state.shadows if shadow.name == name), None)
    if chosen is None:
        return evolve(state, policy=policy, policy_name=name)
    shadows = tuple(Shadow(state.policy_name, state.policy) if s is chosen else s for s in state.shadows)
    knows = chosen.policy if chosen.state is None else chosen.state.policy
    return evolve(state, policy=policy if chosen.error else knows, policy_name=name, shadows=shadows)
