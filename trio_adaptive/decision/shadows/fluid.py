"""What becomes of the tasks in the estimated cluster, from one look to the next.

What comes is taken from the real looks. Let n be the tasks of a kind that are ready or run in the estimated cluster, m those in
fact, e the executions that have been measured, N and M the tasks of all kinds, and T and U the threads for them; a prime
marks the later look:

- ``a = max(0, m' - m, m' + e' - m - e)`` have come, in fact and there; ``m + a - m'`` have ended in fact;
- ``(n + a) * min(1, T / (N + A))`` run there, all kinds alike, and ``(m + a) * min(1, U / (M + A))`` in fact;
- each that runs there ends as often as one in fact: ``(m + a - m') * running there / running in fact``. Where none of that
  kind runs in fact, it is ``running there * time / mean duration``.

So a policy that does what the real one does has the same tasks, to the last one. ``max(0, N - T)`` tasks wait there and
``max(0, M - U)`` in fact; workers are paid from request to release. Both are added up by the same rule: what was at a look
counts until the next one. The later tasks of a graph come when they came in fact, however early the estimated cluster would have
been, and no worker is lost there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import evolve

from trio_adaptive.decision.model import Sample, TaskGroup, Work
from trio_adaptive.decision.shadows.echo import Echo, Fact, Kind
from trio_adaptive.decision.targets.durations import UNKNOWN

REMEMBERED = 1000
"""So many kinds are remembered, those that are not done first."""


def tasks_of(work: Work) -> tuple[TaskGroup, ...]:
    """The kinds of tasks; all of them as one where nobody tells them apart."""
    if work.groups or not work.queued + work.waiting + work.processing:
        return work.groups
    mean = work.finished_seconds / work.finished if work.finished else 0.0
    ready = work.queued + work.waiting
    return (TaskGroup("", ready, work.processing, measured=work.finished, mean=mean),)


def fact_of(sample: Sample) -> Fact:
    """The real cluster as a look shows it."""
    work = sample.load.work
    paid = sum([u.size for u in sample.units if u.state in {"requested", "registered", "leaving"}])
    if work is None:
        return Fact(paid)
    return Fact(paid, sum([g.ready + g.running for g in tasks_of(work)]), work.threads)


def pass_time(echo: Echo, at: float) -> Echo:
    """Add up what the time since the latest look has cost."""
    elapsed, fact = max(0.0, at - echo.at), echo.fact
    return evolve(
        echo,
        at=at,
        sums=echo.sums.plus(elapsed, len(echo.units) * echo.size, max(0.0, echo.tasks - echo.threads)),
        fact_sums=echo.fact_sums.plus(elapsed, fact.paid, max(0, fact.tasks - fact.threads)),
    )


def flow(echo: Echo, work: Work, elapsed: float) -> Mapping[str, Kind]:
    """The tasks after the time since the latest look, as far as this one has it."""
    told = {group.name: _after(echo, group) for group in tasks_of(work)}
    # What is done in fact is told no more, and may not be done here.
    for name, kind in echo.kinds.items():
        if name not in told:
            told[name] = (kind, Kind(kind.there, 0, kind.ended + kind.seen, kind.mean))
    came = {name: _came(kind, after) for name, (kind, after) in told.items()}
    total = sum(came.values())
    share, fact_share = (
        _share(echo.threads, echo.tasks + total),
        _share(echo.fact.threads, echo.fact.tasks + total),
    )
    kinds: dict[str, Kind] = {}
    for name, (kind, after) in told.items():
        there, seen = kind.there + came[name], kind.seen + came[name]
        running, in_fact = there * share, seen * fact_share
        if in_fact:
            ended = (seen - after.seen) * running / in_fact
        else:
            ended = running * elapsed / (after.mean or UNKNOWN)
        kinds[name] = evolve(after, there=max(0.0, there - ended))
    return _remembered(kinds)


def _after(echo: Echo, group: TaskGroup) -> tuple[Kind, Kind]:
    """What was known of a kind, and what is known of it now."""
    before = echo.kinds.get(group.name)
    if before is None:  # of what had been measured before, nothing was seen
        before = Kind(0.0, 0, group.measured)
    return before, Kind(0.0, group.ready + group.running, group.measured, group.mean or group.longest)


def _came(before: Kind, after: Kind) -> int:
    # A scheduler that has been restarted has measured fewer than before.
    more = after.seen - before.seen
    return max(0, more, more + after.ended - before.ended)


def _share(threads: float, tasks: float) -> float:
    return min(1.0, threads / tasks) if tasks else 0.0


def _remembered(kinds: dict[str, Kind]) -> Mapping[str, Kind]:
    if len(kinds) <= REMEMBERED:
        return kinds
    latest = sorted(kinds.items(), key=lambda each: -(each[1].there + each[1].seen))
    return dict(latest[:REMEMBERED])


def first_kinds(work: Work | None) -> Mapping[str, Kind]:
    """The tasks at the beginning: those in fact."""
    if work is None:
        return {}
    return {
        g.name: Kind(float(g.ready + g.running), g.ready + g.running, g.measured, g.mean or g.longest)
        for g in tasks_of(work)
    }


def whole(tasks: float) -> int:
    """So many tasks, rounded: less than half a one is none."""
    return math.floor(tasks + 0.5)
