"""Whether the decisions of a journal come out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import define, evolve, field

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import Record
from trio_adaptive.decision.state import State
from trio_adaptive.journal.lines import End, Entry, ForeignPolicy, Header
from trio_adaptive.journal.reading import Damage, Difference, Read

GOING_ON = frozenset({"rotated", "again"})
"""Headers before which nothing is missing."""


@define
class Proof:
    """What has come out so far.

    Attributes:
        runs: stretches without a gap.
        events: all that was decided again.
        decisions: how many of them were looks, or answers, with a decision.
        began: time of the first event, in seconds since 1970.
        ended: that of the last one.
        differences: the events whose record came out otherwise.
        damages: what cannot be read.
        foreign: policies that are not part of this program, and whose decisions cannot be made again.
        headers: how many of the states that were written down were another one than the events lead to.
    """

    runs: int = 0
    events: int = 0
    decisions: int = 0
    began: float = 0.0
    ended: float = 0.0
    differences: list[Difference] = field(factory=list[Difference])
    damages: list[Damage] = field(factory=list[Damage])
    foreign: set[str] = field(factory=set[str])
    headers: int = 0


@define
class Replayed:
    """One event that was decided again.

    Attributes:
        entry: as it was recorded.
        before: what the decision remembered before it.
        after: what it remembers after it.
        fresh: whether something is missing before it.
    """

    entry: Entry
    before: State
    after: State
    fresh: bool


def prove(lines: Iterable[Read], proof: Proof) -> Iterator[Replayed]:
    """Decide again on every event, from the state that was written down first, and keep what came out in ``proof``.

    Where something is missing, it goes on from the next state that was written down. Policies of a user's own cannot decide
    again here: those that only advise are left out, and where one decides, what it has decided is passed over.
    """
    state: State | None = None
    fresh = True
    for line in lines:
        match line:
            case Header():
                known = _without_foreign(line.state, proof)
                goes_on = line.reason in GOING_ON and state is not None
                proof.headers += goes_on and known != state
                fresh = fresh or not goes_on
                state = known
            case Damage() | End():
                proof.damages += [line] if isinstance(line, Damage) else []
                state, fresh = None, True
            case Entry() if state is not None:
                before = state
                state = _decided(state, line, proof)
                yield Replayed(line, before, state, fresh)
                proof.runs += fresh
                fresh = False
                state = _without_foreign(state, proof)
            case _:
                pass  # without a state nothing can be decided


def _decided(state: State, entry: Entry, proof: Proof) -> State:
    after, _, record = decide(state, entry.event)
    if not _alike(record, entry.record, proof):
        proof.differences.append(Difference(entry, Entry(entry.time, entry.event, record)))
    proof.began = proof.began if proof.events else entry.time
    proof.ended = entry.time
    proof.events += 1
    proof.decisions += record.decision is not None
    return after


def _alike(again: Record, recorded: Record, proof: Proof) -> bool:
    if proof.foreign and recorded.shadows:
        known = tuple(shadow for shadow in recorded.shadows if shadow.name not in proof.foreign)
        return again == evolve(recorded, shadows=known)
    return again == recorded


def _without_foreign(state: State, proof: Proof) -> State | None:
    foreign = {shadow.name for shadow in state.shadows if isinstance(shadow.policy, ForeignPolicy)}
    if isinstance(state.policy, ForeignPolicy):
        proof.foreign.add(state.policy_name)
        return None
    proof.foreign |= foreign
    return (
        evolve(state, shadows=tuple(s for s in state.shadows if s.name not in foreign)) if foreign else state
    )
