"""Step by step the same verdict as `distributed.deploy.adaptive_core.AdaptiveCore`, the rule that the core follows.

Two worlds with the same workers get the same targets and the same accidents. In each, what its own judge has
recommended is done between the steps, so a single different verdict drives the worlds apart for the rest of the run.

One unit is one worker here: units of several workers are where the two differ on purpose (dask/distributed#1632).
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Iterable
from typing import Any

from attrs import define, field, frozen
from decision_worlds import Core, of_kind, unit
from distributed.deploy.adaptive_core import AdaptiveCore
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.decision.model import Cancel, Drain, Launch, Suggest, Suggested, Unit
from trio_adaptive.decision.rules import Rules

Verdict = tuple[Any, ...]
"""("same",), ("up", number of workers wanted in all) or ("down", set of names)."""


@frozen
class Accident:
    """What happens between two steps without being asked for."""

    kind: str
    choice: int


@define
class World:
    """Workers on their way from planned to requested to observed, in the order in which they were planned."""

    plan: list[str] = field(factory=list)
    requested: set[str] = field(factory=set)
    observed: set[str] = field(factory=set)
    busy: set[str] = field(factory=set)
    named: int = 0

    def grow(self, n: int) -> None:
        for _ in range(n - len(self.plan)):
            self.plan.append(f"w{self.named:03}")
            self.named += 1

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self.plan.remove(name)
            for group in (self.requested, self.observed, self.busy):
                group.discard(name)

    def suffer(self, accident: Accident) -> None:
        stages = {
            "request": [w for w in self.plan if w not in self.requested],
            "register": [w for w in self.plan if w in self.requested - self.observed],
            "vanish": self.plan,
            "work": sorted(self.observed - self.busy),
            "rest": sorted(self.busy),
        }
        if accident.kind == "appear":
            self.grow(len(self.plan) + 1)
        elif candidates := stages[accident.kind]:
            name = candidates[accident.choice % len(candidates)]
            match accident.kind:
                case "request":
                    self.requested.add(name)
                case "register":
                    self.observed.add(name)
                case "vanish":
                    self.remove([name])
                case "work":
                    self.busy.add(name)
                case "rest":
                    self.busy.remove(name)

    def workers_to_close(self, target: int) -> list[str]:
        """As `Scheduler.workers_to_close(target=...)`: idle ones first, ``len(observed) - target`` of them."""
        order = sorted(self.observed, key=lambda name: (name in self.busy, name))
        return order[: max(0, len(order) - target)]

    def units(self) -> list[Unit]:
        return [unit(name, self.state(name), executing=int(name in self.busy)) for name in self.plan]

    def state(self, name: str) -> Any:
        if name in self.observed:
            return "registered"
        return "requested" if name in self.requested else "planned"


class NewestFirst(set[str]):
    """AdaptiveCore takes pending workers in the order of a set, so whichever; here: our order, the newest first."""

    def __sub__(self, other: Any) -> Any:
        return sorted(set(self) - set(other), reverse=True)


class Theirs(AdaptiveCore):
    """Dask's judge over a world, its verdicts read where everybody reads them: what it scales, and its log."""

    def __init__(self, minimum: int, maximum: float, wait_count: int) -> None:
        super().__init__(minimum, maximum, wait_count)
        self.world = World()
        self.wanted = 0

    plan = property(lambda self: set(self.world.plan))
    requested = property(lambda self: NewestFirst(self.world.requested))
    observed = property(lambda self: set(self.world.observed))

    async def target(self) -> int:
        return self.wanted

    async def workers_to_close(self, target: int) -> list[str]:
        return self.world.workers_to_close(target)

    async def scale_up(self, n: int) -> None:
        self.world.grow(n)

    async def scale_down(self, workers: Iterable[str]) -> None:
        self.world.remove(workers)

    def step(self, target: int) -> Verdict:
        self.wanted = target
        self.log.clear()
        without_waiting(self.adapt())
        for _, said in self.log:
            return ("up", said["n"]) if said["status"] == "up" else ("down", set(said["workers"]))
        return ("same",)


def without_waiting(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that never really waits: an event loop would be the slowest part of this test."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the coroutine waits for something")


class Ours:
    """Our judge over a world of its own; whatever it orders has been done when the next look is taken."""

    def __init__(self, minimum: int, maximum: float, wait_count: int) -> None:
        rules = Rules(idle_timeout=0, interval=1, wait_count=wait_count)
        self.core = Core(rules, minimum=minimum, maximum=maximum)
        self.world = World()
        self.now = 0.0

    def step(self, target: int) -> Verdict:
        actions = self.core.look(self.now, self.world.units(), target)
        if actions and isinstance(actions[-1], Suggest):
            question = actions[-1]
            answer = tuple(self.world.workers_to_close(question.target))
            actions = self.core.feed(Suggested(self.now, question.question, answer))
        started, cancelled, drained = (of_kind(actions, kind) for kind in (Launch, Cancel, Drain))
        verdict: Verdict = ("same",)
        if started:
            assert not cancelled + drained
            verdict = ("up", len(self.world.plan) + len(started))
            self.world.grow(len(self.world.plan) + len(started))
            self.core.finish(self.now, "launch", started)
        elif leaving := cancelled + drained:
            verdict = ("down", set(leaving))
            self.world.remove(leaving)
            self.core.finish(self.now, "cancel", cancelled)
            self.core.finish(self.now, "drain", drained)
        self.now += 1
        return verdict


accidents = st.builds(
    Accident,
    # Most of what is asked for arrives; some of it by itself, some never.
    st.sampled_from(["request"] * 3 + ["register"] * 3 + ["work", "work", "rest", "vanish", "appear"]),
    st.integers(0, 7),
)
stretches = st.tuples(st.integers(0, 9), st.lists(st.lists(accidents, max_size=4), min_size=1, max_size=6))
"""A target that stays for some steps, and what happens before each of them."""


@settings(max_examples=200)
@given(
    minimum=st.integers(0, 3),
    more=st.integers(0, 5) | st.just(math.inf),
    wait_count=st.integers(1, 4),
    run=st.lists(stretches, min_size=1, max_size=8),
)
def test_same_verdicts_as_adaptive_core(minimum, more, wait_count, run):
    theirs = Theirs(minimum, minimum + more, wait_count)
    ours = Ours(minimum, minimum + more, wait_count)
    for target, steps in run:
        for before in steps:
            for accident in before:
                theirs.world.suffer(accident)
                ours.world.suffer(accident)
            assert ours.step(target) == theirs.step(target)
            assert ours.world == theirs.world


def test_the_two_worlds_meet_every_verdict():
    # The comparison above is worth something only where its worlds see growing, taking back and closing.
    theirs, ours = Theirs(0, 4, 2), Ours(0, 4, 2)
    seen = []
    for target, before in [
        (9, ""),  # grows to the maximum
        (9, "request request request register register work"),
        (1, ""),
        (1, ""),  # one that is pending and one that is idle have been named twice
        (0, ""),
        (0, "rest"),
        (0, ""),
    ]:
        for world in (theirs.world, ours.world):
            for kind in before.split():
                world.suffer(Accident(kind, 0))
        verdict = theirs.step(target)
        assert ours.step(target) == verdict
        seen.append(verdict)
    assert seen == [
        ("up", 4),
        ("same",),
        ("same",),
        ("down", {"w001", "w002"}),
        ("same",),
        ("down", {"w000"}),
        ("same",),
    ]
