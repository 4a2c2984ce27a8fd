"""Which units leave: a total order, so that the same input always names the same units; whole units only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from trio_adaptive.decision.model import Candidate, Unit, UnitId, WorkerName

Rank: TypeAlias = tuple[bool, int, int, int, int, float, str]
"""Busy, minus the doublings of the idle time, bytes to move, bytes stored, tasks, minus the seconds idle, name: the
smallest leaves first."""


def newest_first(units: Sequence[Unit]) -> list[Unit]:
    """Pending units in the order in which they are taken back: the ones asked for last go first.

    Adapters list units in the order of asking. A unit that has waited longest is nearest to its turn in a queue.
    """
    return list(reversed(units))


def whole_units(suggested: Sequence[WorkerName], candidates: Sequence[Unit]) -> list[UnitId]:
    """Units all of whose workers are suggested, in the order in which the last of them was suggested."""
    owners = {worker: unit for unit in candidates for worker in unit.workers}
    missing = {unit.id: len(unit.workers) for unit in candidates}
    complete: list[UnitId] = []
    for worker in dict.fromkeys(suggested):
        if (unit := owners.get(worker)) is not None:
            missing[unit.id] -= 1
            if not missing[unit.id]:
                complete.append(unit.id)
    return complete


def ranked(candidates: Iterable[Candidate], units: Sequence[Unit], target: int) -> list[WorkerName]:
    """The workers of the units that may leave, the best unit first.

    Idle units come before busy ones, those idle for longest first. Of those idle for about as long (up to twice, from a
    second on) the cheapest to lose: the least bytes to move, the least bytes stored, the fewest tasks; then by the idle
    time to the last digit, and by name. A unit stays as a whole where one of its workers has to, or where
    nothing is known of one.

    Args:
        candidates: what is known of the registered workers.
        units: what there is; only those registered are looked at. They count as complete, since the rest of them is
            to be expected.
        target: how many workers are to stay at least.
    """
    known = {candidate.name: candidate for candidate in candidates}
    registered = [unit for unit in units if unit.state == "registered"]
    staying = sum(unit.size for unit in registered)
    going: list[WorkerName] = []
    ranks = [(rank, unit) for unit in registered if (rank := _rank(unit, known)) is not None]
    for _, unit in sorted(ranks, key=lambda ranked_unit: ranked_unit[0]):
        if staying - unit.size >= target:
            staying -= unit.size
            going += unit.workers
    return going


def _rank(unit: Unit, known: Mapping[WorkerName, Candidate]) -> Rank | None:
    workers = [known.get(name) for name in unit.workers]
    members = [worker for worker in workers if worker is not None and not worker.stays]
    if not members or len(members) < len(unit.workers):
        return None
    idle = [member.idle for member in members if member.idle is not None]
    busy = len(idle) < len(members)
    return (
        busy,
        0 if busy else -_doublings(min(idle)),
        sum(member.unique for member in members),
        sum(member.stored for member in members),
        sum(member.processing for member in members),
        0.0 if busy else -min(idle),
        unit.id,
    )


def _doublings(seconds: float) -> int:
    """How many times one second fits doubled into it: moving gigabytes for a difference of milliseconds is not worth it."""
    return int(seconds).bit_length()
