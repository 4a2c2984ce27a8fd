"""The decision core: ``decide(state, event) -> (state, actions, record)``.

Rules of this file: no clock (the time is in the event), no I/O, no randomness, and every set is put into an order
before it decides anything. One event, one record; replaying the events gives the same records again.

The rule is that of `distributed.deploy.adaptive_core.AdaptiveCore`: compare the wanted size with the plan; larger:
grow at once and forget whom one meant to close; smaller: name units that have not registered first, then those that
the scheduler suggests, and close those named ``wait_count`` times in a row. What is added: whole units, drains that
can be recalled and be refused, patience in seconds, and a back-off after failed launches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, get_args

from attrs import evolve

from trio_adaptive.decision.chosen import chosen_in_words
from trio_adaptive.decision.consult import advised, consult
from trio_adaptive.decision.grow import grow, recallable
from trio_adaptive.decision.lifecycle import overdue_units
from trio_adaptive.decision.limiters import Facts, Limited, is_due, limit, listen, remember, silence, spend
from trio_adaptive.decision.model import (
    Action,
    Cancel,
    Command,
    Counts,
    Decision,
    Drain,
    Event,
    Finished,
    Load,
    Record,
    RecordKind,
    Sample,
    Sampled,
    SampleFailed,
    Suggested,
)
from trio_adaptive.decision.obey import obey
from trio_adaptive.decision.observe import landed, observe
from trio_adaptive.decision.patience import forget
from trio_adaptive.decision.refusals import unwelcome
from trio_adaptive.decision.shadows.follow import follow, told
from trio_adaptive.decision.shrink import Excess, shrink, take_suggestion
from trio_adaptive.decision.state import LEAVING, Census, State, ended_units, take_census, units_for

DRAINING: Final = LEAVING - {"cancel"}

Step = tuple[State, tuple[Action, ...], Record]


def decide(state: State, event: Event) -> Step:
    """Take one event in; returns the new state, what to do, and the record of it.

    Args:
        state: what `decide` returned last, or a fresh `State`.
        event: what has happened. Its time must not be earlier than that of the event before.
    """
    step = _alone(state, event)
    return _with_shadows(step, event) if step[0].shadows else step


def _alone(state: State, event: Event) -> Step:
    return _HANDLERS[type(event)](state, event)


def _with_shadows(step: Step, event: Event) -> Step:
    state, actions, record = step
    shadows = tuple(follow(shadow, event, state, _alone) for shadow in state.shadows)
    return evolve(state, shadows=shadows), actions, evolve(record, shadows=tuple(map(told, shadows)))


def _on_sample(state: State, event: Sampled) -> Step:
    sample = event.sample
    before = state = _take_in(state, sample)
    late = overdue_units(state)
    state = state.with_flights(late, "cancel", sample.at) if late else state
    census = take_census(state, sample)
    wanted = _wanted(state, sample, census)
    limited = _limit(state, sample, census, wanted, sample.at)
    state, final = limited.state, limited.final
    cleaning = ended_units(state, sample)
    if cleaning:
        state = state.with_flights(cleaning, "cancel", sample.at)
    ended = (*cleaning, *late)
    actions: tuple[Action, ...] = (Cancel(ended, ended=True),) if ended else ()
    note = state.stopping
    if not state.stopping:
        state, more, note = _towards(state, sample, census, final)
        actions += more
        state, more = _send_away(state, sample)
        actions += more
    state = remember(state, sample.at, actions)
    chosen = chosen_in_words(before, sample, actions, sample.at)
    note = "; ".join(filter(None, (_unknown(state, sample), note)))
    decision = Decision(
        sample.at,
        wanted,
        final,
        census.active,
        limited.reasons,
        actions,
        note,
        chosen,
        advised(state, sample),
    )
    kind: RecordKind = "sample failed" if sample.load.missing else "sample"
    record = Record(sample.at, kind, counts(state, sample), decision, error=sample.load.missing)
    return state, actions, record


def _take_in(state: State, sample: Sample) -> State:
    missing = sample.load.missing
    state = listen(observe(state, sample), sample.at, known=not missing)
    state = state if missing else consult(state, sample)
    return spend(evolve(state, last_error=missing) if missing else state, sample)


def _wanted(state: State, sample: Sample, census: Census) -> int:
    return census.active if sample.load.missing else units_for(state.advice.target, sample.unit_size)


def _unknown(state: State, sample: Sample) -> str:
    quiet = silence(state, sample.at)
    return "" if quiet is None else f"the load has not been known for {quiet:.0f} s"


def _limit(state: State, sample: Sample, census: Census, wanted: int, at: float) -> Limited:
    # Looked up only where it counts: there may be a hundred thousand that are leaving.
    counts_starts = math.isfinite(state.rules.limits.max_launching)
    drains = len(recallable(state, sample)) if counts_starts else 0
    return limit(state, Facts(at, census.active, census.launching, drains), wanted)


def _send_away(state: State, sample: Sample) -> tuple[State, tuple[Action, ...]]:
    strangers = () if state.paused_shrinking else unwelcome(state, sample)
    if not strangers:
        return state, ()
    return state.with_flights(strangers, "drain", sample.at), (Drain(strangers),)


def _towards(
    state: State, sample: Sample, census: Census, final: int
) -> tuple[State, tuple[Action, ...], str]:
    if final > census.active:
        return grow(forget(state), sample, census, final)
    if final < census.active:
        return shrink(state, Excess(sample, census, final, sample.at, ticks=sample.cause == "interval"))
    return forget(state), (), ""


def _on_suggestion(state: State, event: Suggested) -> Step:
    question = state.question
    sample = state.sample
    if question is None or sample is None or question.number != event.question:
        return state, (), Record(event.at, "suggestion", error="answer to an older question")
    state = evolve(state, question=None)
    if event.workers is None:
        return state, (), Record(event.at, "suggestion", counts(state, sample), error=event.error)
    # Anew, since looks and commands may have come between the question and its answer.
    census = take_census(state, sample)
    wanted = _wanted(state, sample, census)
    limited = _limit(state, sample, census, wanted, event.at)
    before, final = limited.state, limited.final
    excess = Excess(sample, census, final, event.at, ticks=question.ticks)
    state, actions, note = take_suggestion(before, excess, event.workers)
    state = remember(state, event.at, actions)
    chosen = chosen_in_words(before, sample, actions, event.at)
    decision = Decision(
        event.at, wanted, final, census.active, limited.reasons, actions, note, chosen, advised(state, sample)
    )
    return state, actions, Record(event.at, "suggestion", counts(state, sample), decision)


def _on_sample_failed(state: State, event: SampleFailed) -> Step:
    # Hold: what cannot be seen is not shrunk, and patience with it starts anew.
    state = listen(forget(evolve(state, last_error=event.error)), event.at, known=False)
    if state.sample is None or state.stopping or not is_due(state, event.at):
        return state, (), Record(event.at, "sample failed", error=event.error)
    # What was launched since the last look that was answered counts as well, so that growing is safe.
    sample = evolve(state.sample, at=event.at, load=Load(0, missing=event.error))
    census = take_census(state, sample)
    limited = _limit(state, sample, census, census.active, event.at)
    final = max(limited.final, census.active)
    state, actions, note = grow(limited.state, sample, census, final)
    state = remember(state, event.at, actions)
    note = "; ".join(filter(None, (_unknown(state, sample), note)))
    decision = Decision(
        event.at, census.active, final, census.active, limited.reasons, actions, note, load=sample.load
    )
    return (
        state,
        actions,
        Record(event.at, "sample failed", counts(state, sample), decision, error=event.error),
    )


def _on_finished(state: State, event: Finished) -> Step:
    outcome = event.outcome
    state = landed(state, outcome)
    return state, (), Record(outcome.at, "outcome", counts(state, state.sample), outcome=outcome)


def _on_command(state: State, event: Command) -> Step:
    state = obey(state, event)
    return state, (), Record(event.at, "command", counts(state, state.sample), command=event)


def counts(state: State, sample: Sample | None) -> Counts:
    """Units by state, for records and the status: Dask's three sets, what leaves, and what works."""
    if sample is None:
        return Counts()
    registered = sample.by_state.get("registered", 0)
    requested = sample.by_state.get("requested", 0)
    leaving = [unit for unit, flight in state.flights.items() if flight.kind in DRAINING]
    return Counts(
        plan=registered + requested + sample.by_state.get("planned", 0),
        requested=registered + requested,
        observed=registered,
        draining=sum(u in sample.by_id and sample.by_id[u].state == "registered" for u in leaving),
        busy=min(registered, units_for(sample.busy, sample.unit_size)),
    )


_HANDLERS: Final[dict[type[Any], Callable[[State, Any], Step]]] = {
    Sampled: _on_sample,
    SampleFailed: _on_sample_failed,
    Suggested: _on_suggestion,
    Finished: _on_finished,
    **dict.fromkeys(get_args(Command), _on_command),
}
