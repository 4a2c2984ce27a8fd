"""Ours: buys what will still be of use when it has started, and keeps what will be needed again soon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from attrs import evolve, field, frozen

from trio_adaptive.decision.amounts import counted
from trio_adaptive.decision.model import Work
from trio_adaptive.decision.policy import Advice, View
from trio_adaptive.decision.targets.arrivals import Arrivals
from trio_adaptive.decision.targets.classes import share_of
from trio_adaptive.decision.targets.durations import Kind, Remembered, kinds
from trio_adaptive.decision.targets.growth import AHEAD, cleared, more_workers, queue_of
from trio_adaptive.decision.targets.levels import Levels, keep_time
from trio_adaptive.decision.targets.plan import Terms, needed_soon, planned_size
from trio_adaptive.decision.targets.simple import as_told
from trio_adaptive.decision.targets.work import Demand, beside

FIRST: Final = 5
"""So many workers at most for tasks of which nothing is known, until something is."""

CURIOUS: Final = 4
"""How fast that grows with the number n of submissions: ``CURIOUS * (sqrt(n - 1) - 1)`` more."""

USUAL_STARTUP: Final = 10.0
"""Seconds that a start takes until one has been measured."""

KEPT_STARTUPS: Final = 0.5
"""For so many start-up times a worker that may be needed again is kept at least, whatever its gaps were."""

GIVEN_BACK: Final = 0.25
"""Workers are given back at multiples of so many start-up times: several at once, rather than one after the other."""


@frozen
class Scene:
    """One look, as far as it has been thought through.

    Attributes:
        view: the look.
        work: what there is to do.
        every: all kinds of tasks that are not done.
        startup: seconds until a new worker is there.
        per: threads of a worker.
        pending: tasks that no worker has and a new one could run.
        in_line: tasks that workers have beyond their threads, and a new one could run.
    """

    view: View
    work: Work
    every: Sequence[Kind]
    startup: float
    per: float
    pending: int
    in_line: int

    @property
    def here(self) -> int:
        """Workers that are there or on their way."""
        return self.view.registered + len(self.view.starting)

    @property
    def coming(self) -> bool:
        """Whether tasks wait for others."""
        return any(kind.group.coming for kind in self.every)

    @property
    def at_rest(self) -> bool:
        """Whether all tasks that there are run already."""
        return not (self.work.queued or self.work.waiting or self.coming) and self.work.processing <= max(
            self.work.threads, 0
        )


@frozen
class Adaptive:
    """Buys by what a worker is good for once it has started, and gives back by what keeping it is good for.

    Growing. As long as all that there ever was came in one submission, it is one graph, and the size is the one with
    the least ``cost * time`` for what is left of it (`trio_adaptive.decision.targets.plan`). Otherwise one thread for
    each task that will still be waiting after a start-up time, see `trio_adaptive.decision.targets.growth`. Durations
    are means by kind, see `trio_adaptive.decision.targets.durations`; as long as nothing is known of any kind at
    hand, five workers are asked for, and a few more as more is submitted.

    Keeping. The k-th worker is kept for as long as would have been best for its past gaps, see
    `trio_adaptive.decision.targets.levels`, where closing it costs ``S * (billed + v * max(1 / b, b / n))`` for a start-up time S,
    the value v of time, b tasks in a submission and n levels that were ever needed: what it would have done within S lets
    all of them wait by S / n longer. Of a graph, those are kept that a stage needs that
    begins within S. A start is called off only when a graph is done and nothing else has ever come.

    What other reasons ask for (resources, stored data, scattering) is asked for as well, see
    `trio_adaptive.decision.targets.work`.

    Attributes:
        target_duration: no faster than this in seconds, where starts are faster; shorter buys more.
        value_of_time: what a second of one waiting task is worth, in worker-seconds.
        startup_billed: whether a worker costs something while it starts.
        startup: seconds that a start takes, as far as is known before one has been measured.
        remembered: durations by kind from earlier runs.
        levels: what is remembered of the pool.
        arrivals: what is remembered of submissions.
    """

    target_duration: float = 5.0
    value_of_time: float = 2.0
    startup_billed: bool = True
    startup: float | None = None
    remembered: Mapping[str, Remembered] = field(factory=dict[str, Remembered])
    levels: Levels = field(factory=Levels)
    arrivals: Arrivals = field(factory=Arrivals)

    def advise(self, view: View) -> tuple[Adaptive, Advice]:
        """How many workers, and until when that holds if nothing happens."""
        work = view.load.work
        if work is None or (not work.groups and work.queued + work.waiting + work.processing):
            return self, as_told(view)
        share = share_of(work, view.load.offers)
        per = work.threads / work.workers if work.workers else 1.0
        every = kinds(work.groups, self.remembered)
        in_line = max(0, share.tasks - share.pending - work.threads)
        scene = Scene(view, work, every, self._startup(view), per, share.pending, in_line)
        arrivals = self.arrivals.see(view.at, work.submissions, work.submitted, scene.startup)
        needed, why = self._needed(scene, arrivals)
        needed = int(min(max(needed, work.busy), view.maximum))
        levels = self.levels.see(needed, view.at)
        kept, until = self._kept(scene, arrivals, levels)
        demands: tuple[Demand, ...] = (
            (needed, why),
            (kept, f"{counted(kept - needed, 'worker')} may be needed again soon"),
            beside(work, share, self.target_duration),
        )
        target, why = max(demands, key=lambda demand: demand[0])
        done = not (work.queued or work.waiting or work.processing or scene.coming) and arrivals.single
        policy = evolve(self, levels=levels, arrivals=arrivals)
        return policy, Advice(target, why, 0.0, cancels=done, until=until if scene.at_rest else view.at)

    def _startup(self, view: View) -> float:
        if view.startups:
            return max(median(view.startups), 0.01)
        waited = view.at - view.starting[0] if view.starting else 0.0
        return max(USUAL_STARTUP if self.startup is None else self.startup, waited, 0.01)

    @property
    def _price(self) -> float:
        return 1.0 if self.startup_billed else 0.0

    def _needed(self, scene: Scene, arrivals: Arrivals) -> Demand:
        """How many workers there is work for."""
        work, view, here = scene.work, scene.view, scene.here
        queue = queue_of(work, scene.pending, scene.in_line, scene.every)
        if not queue.tasks:
            return work.busy, f"so many have work: {counted(work.processing, 'task')}"
        most = work.busy + math.ceil(queue.tasks / scene.per)
        if not queue.known:
            curious = FIRST + int(CURIOUS * max(0.0, math.sqrt(max(0, work.submissions - 1)) - 1))
            why = f"nothing is known yet of the duration of {counted(queue.tasks, 'task')}"
            return min(most, max(here, curious)), why
        if arrivals.single:
            size = planned_size(scene.every, here, self._terms(scene))
            return min(most, max(here, size)), "the best size for what is left of the graph"
        startup = scene.startup
        usual = work.finished_seconds / work.finished if work.finished else queue.each
        least_work = max(AHEAD * startup * self._price, min(self.target_duration, startup))
        more = more_workers(
            queue,
            cleared(work, view, scene.every, startup, queue.each),
            arriving=arrivals.rate(view.at) * usual,
            # What those that are here could have done in that time is no work for more.
            recent=max(0.0, arrivals.recent(view.at) * usual - here * scene.per * arrivals.span),
            startup=startup,
            least_work=least_work,
        )
        why = f"{counted(queue.tasks, 'task')} of {queue.each:.2f} s wait, and a start takes {startup:.0f} s"
        return min(most, here + math.ceil(more / scene.per)), why

    def _terms(self, scene: Scene) -> Terms:
        startup = scene.startup
        maximum = scene.view.maximum * scene.per
        return Terms(startup, startup * self._price, self.value_of_time, self.target_duration, maximum)

    def _kept(self, scene: Scene, arrivals: Arrivals, levels: Levels) -> tuple[int, float]:
        """How many workers to keep, and until when that holds."""
        needed, at, startup = levels.needed, scene.view.at, scene.startup
        here = int(min(scene.here, scene.view.maximum))
        if here <= needed:
            return needed, math.inf
        if arrivals.single:
            if not scene.coming:
                return needed, math.inf
            ahead = max(AHEAD * startup * self._price, self.target_duration)
            return max(needed, min(here, needed_soon(scene.every, here, startup, ahead))), at
        for level in range(here, needed, -1):
            last = at - levels.unneeded(level - 1, at)
            least = self._round(last + KEPT_STARTUPS * startup, scene)
            if at < least:  # until then there is nothing to be worked out
                return level, least
            waiting = max(1 / arrivals.burst, arrivals.burst / levels.most)
            restart = startup * (self._price + self.value_of_time * waiting)
            below = levels.gaps_of(level - 2) if level > 1 else ()
            if at < (
                until := self._round(last + keep_time(levels.gaps_of(level - 1), restart, below), scene)
            ):
                return level, until
        return needed, math.inf

    @staticmethod
    def _round(until: float, scene: Scene) -> float:
        """When a worker goes that is kept until then: the decision itself waits a little, and several go at once."""
        if until == -math.inf:
            return until
        step = GIVEN_BACK * scene.startup
        return math.ceil((until - scene.view.confirmation) / step) * step
