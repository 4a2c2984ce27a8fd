"""The size for one graph: how it would go with so many workers, stage by stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from trio_adaptive.decision.targets.durations import Kind

STEP: Final = 1.15
"""From one size that is tried to the next."""


@frozen
class Stage:
    """Kinds of tasks whose predecessors are equally far: they can run together.

    Attributes:
        tasks: how many are left.
        seconds: work in them that is left.
        whole: work in them, with what has been done of those that run.
        longest: seconds that the longest of them takes, or still takes.
    """

    tasks: int
    seconds: float
    whole: float
    longest: float


@frozen
class Terms:
    """What a plan is to be good for.

    Attributes:
        startup: seconds until a new worker is there.
        price: what a start costs, in worker-seconds.
        value: of time against cost: with 2, a percent of time is worth a percent of cost.
        target_duration: seconds in which the work is to be done at the earliest.
        maximum: number of workers.
    """

    startup: float
    price: float
    value: float
    target_duration: float
    maximum: float


def stages(every: Sequence[Kind]) -> list[Stage]:
    """The stages that are left, the present one first."""
    depths = _depths(every)
    found: dict[int, Stage] = {}
    for kind in every:
        group = kind.group
        tasks = group.ready + group.running + group.coming
        done = sum(min(elapsed, 0.9 * kind.duration) for elapsed in group.elapsed)
        longest = kind.duration
        if not group.ready and not group.coming and len(group.elapsed) >= group.running > 0:
            longest = max(longest - group.elapsed[-1], 0.1 * longest)
        before = found.get(depths[group.name], Stage(0, 0.0, 0.0, 0.0))
        found[depths[group.name]] = Stage(
            before.tasks + tasks,
            before.seconds + max(tasks * kind.duration - done, 0.0),
            before.whole + tasks * kind.duration,
            max(before.longest, longest),
        )
    return [found[depth] for depth in sorted(found)]


def _depths(every: Sequence[Kind]) -> dict[str, int]:
    """How many kinds have to come before each; what can run now is first, whatever else of its kind is to come."""
    after = {
        kind.group.name: () if kind.group.ready or kind.group.running else kind.group.after for kind in every
    }
    depths = dict.fromkeys(after, 0)
    for _ in every:  # as often as the longest chain may be; kinds in a circle end there
        deeper = {
            name: max((depths[a] + 1 for a in names if a in depths and a != name), default=0)
            for name, names in after.items()
        }
        if deeper == depths:
            break
        depths = deeper
    return depths


def forecast(parts: Sequence[Stage], now: int, more: int, delay: float) -> tuple[float, float]:
    """What is left costs so many worker-seconds and takes so many seconds, as a fluid.

    Args:
        parts: what is left; each stage begins when the one before has ended.
        now: workers that are there.
        more: workers that come after the delay.
        delay: in seconds.
    """
    time = cost = 0.0
    for part in parts:
        left, rest = part.seconds, min(part.longest, part.seconds)
        if time < delay:
            here = min(now, part.tasks)
            took = max(left / here, rest) if here else math.inf
            if took <= delay - time:
                time, cost = time + took, cost + here * took
                continue
            took = delay - time
            time, cost, left = delay, cost + here * took, max(left - here * took, 0.0)
            rest = max(rest - took, 0.0) if here else rest
        both = min(now + more, part.tasks)
        took = max(left / both, rest)
        time, cost = time + took, cost + both * took
    return cost, time


def planned_size(every: Sequence[Kind], here: int, terms: Terms) -> int:
    """The size with the least ``cost * time ** (value / 2)``, never less than there is.

    For one graph of work W, a start-up S and n workers that is ``(n S + W) * (S + W / n)``, which is least for
    ``n = W / S``: each worker pays for its start by as much work. The width of the stages makes it fewer.

    Args:
        every: all kinds that are not done.
        here: workers that are there or on their way.
        terms: see `Terms`.
    """
    parts = stages(every)
    work = sum(part.whole for part in parts)
    widest = max((part.tasks for part in parts), default=0)
    most = int(min(widest, terms.maximum, max(1, math.ceil(work / terms.target_duration))))
    best, least = here, math.inf
    for size in _sizes(max(here, 1), most):
        cost, time = forecast(parts, here, size - here, terms.startup)
        score = (cost + size * terms.price) * time ** (terms.value / 2)
        if score < least * (1 - 1e-9):
            best, least = size, score
    return best


def _sizes(least: int, most: int) -> Iterator[int]:
    size = float(least)
    yield least
    while size < most:
        size = max(size * STEP, int(size) + 1.0)
        yield min(int(size), most)


def needed_soon(every: Sequence[Kind], workers: int, within: float, ahead: float) -> int:
    """How many workers the later stages need that begin within so many seconds.

    Args:
        every: all kinds that are not done.
        workers: that are there.
        within: in seconds.
        ahead: so many seconds of work each of them is to have.
    """
    time, most = 0.0, 0
    for number, part in enumerate(stages(every)):
        if time > within:
            break
        if number:
            most = max(most, min(part.tasks, math.ceil(part.seconds / ahead)))
        time += max(part.seconds / max(1, min(workers, part.tasks)), min(part.longest, part.seconds))
    return most
