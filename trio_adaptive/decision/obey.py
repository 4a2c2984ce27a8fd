"""Commands: what each changes of what the decision remembers."""

from __future__ import annotations

from attrs import evolve

from trio_adaptive.decision.model import (
    AddRequest,
    Command,
    SetHold,
    SetLimits,
    SetPause,
    SetPolicy,
    SetRules,
    SetSchedule,
    SetShare,
    Stop,
)
from trio_adaptive.decision.patience import forget
from trio_adaptive.decision.shadows.follow import promoted
from trio_adaptive.decision.state import Floor, Hold, State


def obey(state: State, command: Command) -> State:  # noqa: PLR0911 - one case for each command
    """The state after a command of the user; it shows in the next sample's decision."""
    match command:
        case SetLimits(minimum=minimum, maximum=maximum):
            return evolve(
                state,
                minimum=state.minimum if minimum is None else minimum,
                maximum=state.maximum if maximum is None else maximum,
            )
        case SetHold(n=n, until=until):
            return evolve(state, hold=None if n is None else Hold(n, until))
        case AddRequest(at=at, n=n, until=until):
            alive = tuple(floor for floor in state.floors if floor.until > at)
            return evolve(state, floors=(*alive, Floor(n, until)))
        case SetPause(direction=direction, paused=paused):
            return evolve(
                state,
                paused_growing=state.paused_growing if direction == "shrinking" else paused,
                paused_shrinking=state.paused_shrinking if direction == "growing" else paused,
            )
        case SetSchedule(windows=windows):
            return evolve(state, windows=windows)
        case SetRules(rules=rules):
            return evolve(state, rules=rules)
        case SetShare(share=share):
            return evolve(state, share=share)
        case SetPolicy(name=name, policy=policy):
            return promoted(state, name, policy)
        case Stop(reason=reason):
            return forget(evolve(state, stopping=reason or "stopped"))
