"""What one decision costs, from 10 to 100 000 workers, without any scheduler or process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median

from attrs import evolve, frozen
from common import alternating, check, progress, table
from distributed.deploy.adaptive_core import AdaptiveCore

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.limits import Change, Limits, Memory, Rate, Spending, Window, Wish
from trio_adaptive.decision.model import (
    Drain,
    Finished,
    Launch,
    Load,
    Outcome,
    Sample,
    Sampled,
    Suggest,
    Suggested,
    TaskGroup,
    Unit,
    UnitId,
    Work,
    WorkerName,
)
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import Floor, Shadow, State
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.arrivals import Arrivals
from trio_adaptive.decision.targets.levels import Levels
from trio_adaptive.decision.targets.simple import Count, Dask

SIZES = (10, 1_000, 10_000, 100_000)
Step = Callable[[], object]


@frozen
class World:
    """``n`` registered workers, and what the decision knew before."""

    n: int
    units: tuple[Unit, ...]
    state: State

    @classmethod
    def of(cls, n: int) -> World:
        names = [f"adaptive-{number}" for number in range(n)]
        units = tuple(Unit(UnitId(name), "registered", (WorkerName(name),)) for name in names)
        # No patience: what is superfluous goes at once, so that one decision is the whole story.
        state = State(Rules(wait_count=1, idle_timeout=0.0), prefix="fresh")
        state, actions, _ = decide(state, Sampled(Sample(0, 0, "interval", units, Load(n, processing=n))))
        check(not actions, "nothing was to be done")
        return cls(n, units, state)

    def sampled(self, target: int, processing: int) -> Sampled:
        """A look that nobody has seen yet."""
        return Sampled(Sample(1, 1, "interval", self.units, Load(target, processing=processing)))


def steady(world: World) -> Step:
    """As many wanted as there are."""

    def step():
        _, actions, _ = decide(world.state, world.sampled(world.n, world.n))
        check(not actions, "nothing was to be done")

    return step


def growing(world: World) -> Step:
    """Twice as many wanted: each new unit gets its name."""

    def step():
        _, (action,), _ = decide(world.state, world.sampled(2 * world.n, world.n))
        check(isinstance(action, Launch) and len(action.units) == world.n, "a launch of as many")

    return step


def shrinking(world: World) -> Step:
    """All idle, none wanted: the look, the question, its answer, and all of them leave."""
    answer = tuple(unit.workers[0] for unit in world.units)

    def step():
        state, (question,), _ = decide(world.state, world.sampled(0, 0))
        check(isinstance(question, Suggest), "a question")
        _, (action,), _ = decide(state, Suggested(1, question.question, answer))
        check(isinstance(action, Drain) and len(action.units) == world.n, "a drain of all")

    return step


def outcome(world: World) -> Step:
    """All are leaving, and one of them has left."""
    flying = world.state.with_flights(tuple(unit.id for unit in world.units), "drain", 1)
    event = Finished(Outcome(2, "drain", (world.units[0].id,), "done"))

    def step():
        state, _, _ = decide(flying, event)
        flight = state.flights[world.units[0].id]
        check(flight.settled == event.outcome.at, "an end")

    return step


def recalling(world: World) -> Step:
    """All are leaving, and all are wanted again."""
    flying = world.state.with_flights(tuple(unit.id for unit in world.units), "drain", 0.5)

    def step():
        _, (action,), _ = decide(flying, world.sampled(world.n, world.n))
        check(len(action.units) == world.n, "a recall of all")

    return step


PERCENT = Rate(10, percent=True, period=60)
LIMITS = Limits(
    stabilization_up=300,
    stabilization_down=300,
    rate_up=(PERCENT, Rate(4, percent=False, period=15)),
    rate_down=(PERCENT, Rate(4, percent=False, period=15)),
    max_launching=100_000,
    tolerance_up=0.01,
    tolerance_down=0.01,
    budget=1e9,
    budget_period=86400,
    fallback="static",
    fallback_size=5,
)


def limited(world: World) -> State:
    """Every limiter is on and has much to remember: a load that has risen and fallen for minutes, changes all the while."""
    n = world.n
    state = evolve(world.state, maximum=10 * n, minimum=1, hold=None)
    state = evolve(state, floors=tuple(Floor(i, 1e9) for i in range(10)))
    state = evolve(state, windows=tuple(Window(f"window {i}", i, 5 * n) for i in range(10)))
    memory = Memory(
        peaks=tuple(Wish(second - 300, 3 * n - second) for second in range(300)),
        dips=tuple(Wish(second - 300, second - 300 + n) for second in range(300)),
        changes=tuple(Change(second - 60, added=0, removed=0) for second in range(60)),
        spending=Spending(0, n, tuple((piece, 1.0) for piece in range(-60, 1))),
    )
    return evolve(state, rules=evolve(state.rules, limits=LIMITS), memory=memory)


def steady_limited(world: World) -> Step:
    """As many wanted as there are, through every limiter."""
    state = limited(world)

    def step():
        after, actions, record = decide(state, world.sampled(world.n, world.n))
        check(not actions and record.decision.final == world.n, "nothing was to be done")
        check(len(after.memory.dips) > 1 and len(after.memory.spending.pieces) > 1, "a memory")

    return step


def growing_limited(world: World) -> Step:
    """Twice as many wanted, for long: the rates let a tenth of them start."""
    state = limited(world)
    wishes = range(max(2 * world.n - 300, 3 * world.n // 2), 2 * world.n)
    dips = tuple(Wish(wish - 2 * world.n, wish) for wish in wishes)
    state = evolve(state, memory=evolve(state.memory, dips=dips, peaks=()))

    def step():
        _, (action,), record = decide(state, world.sampled(2 * world.n, world.n))
        names = {reason.limiter for reason in record.decision.reasons}
        check(
            len(action.units) == max(4, -(-world.n // 10)) and "rate" in names, "a tenth of it, by the rate"
        )

    return step


def busy_work(n: int) -> Work:
    """Each worker has a task, some wait, of twenty kinds."""
    groups = tuple(
        TaskGroup(
            f"kind-{i}", 5, n // 20, 3, (f"kind-{i - 1}",) if i else (), 1000, 4.0, 4.0, 9.0, (3.0,) * 32
        )
        for i in range(20)
    )
    running = 20 * (n // 20)
    return Work(
        n, running, n, running, 100, seconds=4.0 * running, groups=groups, submissions=500, submitted=90_000
    )


def steady_adaptive(world: World) -> Step:
    """Every limiter on, and the policy that learns, with a hundred gaps of each level to learn from."""
    state = evolve(limited(world), policy=learned(world.n), startups=(30.0,) * 16)
    return _with_work(world, state)


def steady_shadowed(world: World) -> Step:
    """The same, while two policies advise."""
    shadows = (Shadow("dask", Dask()), Shadow("count", Count()))
    state = evolve(limited(world), policy=learned(world.n), startups=(30.0,) * 16, shadows=shadows)
    look = Sample(
        0.5, 0.5, "interval", world.units, Load(world.n, processing=world.n, work=busy_work(world.n))
    )
    state, _, _ = decide(state, Sampled(look))
    return _with_work(world, evolve(state, shadows=state.shadows))


def learned(n: int) -> Adaptive:
    """A policy that has seen each of its levels come and go."""
    gaps = tuple(tuple(float(10 + (level + i) % 97) for i in range(24)) for level in range(n))
    levels = Levels(n // 2, tuple(-float(level % 60) for level in range(n)), gaps)
    buckets = tuple((float(-i), 480 - i, 80_000 - i) for i in range(40, 0, -1))
    return Adaptive(startup=30.0, levels=levels, arrivals=Arrivals(buckets, 480, 80_000, 300.0))


def _with_work(world: World, state: State) -> Step:
    work = busy_work(world.n)

    def step():
        load = Load(world.n, processing=world.n, work=work)
        _, _, record = decide(state, Sampled(Sample(1, 1, "interval", world.units, load)))
        check(record.decision.final >= world.n // 2, "a size")
        check(len(record.shadows) == len(state.shadows), "all of them advise")

    return step


class Upstream(AdaptiveCore):
    """The rule of distributed's own, on sets that are there already."""

    def __init__(self, n: int) -> None:
        super().__init__(wait_count=1)
        self._plan = {f"adaptive-{number}" for number in range(n)}
        self._all = list(self._plan)

    plan = requested = observed = property(lambda self: self._plan)

    async def target(self) -> int:
        return len(self._plan)

    async def workers_to_close(self, target: int) -> list[str]:
        return self._all[target:]

    async def scale_up(self, n) -> None: ...

    async def scale_down(self, workers) -> None: ...


async def upstream(n: int, target: int, repeat: int) -> list[float]:
    core = Upstream(n)
    took = []
    for _ in range(repeat):
        begun = time.perf_counter()
        answer = await core.recommendations(target)
        took.append(time.perf_counter() - begun)
        expected = {0: "down", n: "same"}.get(target, "up")
        check(answer["status"] == expected, f"{answer['status']} instead of {expected}")
    return took


SITUATIONS: dict[str, tuple[Callable[[World], Step], Callable[[int], int] | None]] = {
    "steady": (steady, lambda n: n),
    "growing, twice as many": (growing, lambda n: 2 * n),
    "shrinking, all leave": (shrinking, lambda _: 0),
    "recalling, all come back": (recalling, None),
    "one of all that leave has left": (outcome, None),
    "steady, every limiter on": (steady_limited, None),
    "growing by a tenth, every limiter on": (growing_limited, None),
    "policy `adaptive`, every limiter on": (steady_adaptive, None),
    "the same, and two shadows": (steady_shadowed, None),
}


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rounds = 2 if quick else 5
    found: dict[tuple[str, str, int], list[float]] = {}
    for n in SIZES:
        world = World.of(n)
        repeat = max(2, min(200, 200_000 // n))
        for round_ in range(rounds):
            progress(f"decision, {n} workers, round {round_ + 1} of {rounds}")
            for situation, (make, target) in SITUATIONS.items():
                step = make(world)
                for who in alternating(("ours", "theirs"), round_):
                    took = found.setdefault((situation, who, n), [])
                    if who == "ours":
                        took += _times(step, repeat)
                    elif target is not None:
                        took += asyncio.run(upstream(n, target(n), repeat))
    head = ("one decision, ms", *(f"{n:,} workers".replace(",", " ") for n in SIZES))
    return table(head, _rows(found))


def _times(step: Step, repeat: int) -> list[float]:
    took = []
    for _ in range(repeat):
        begun = time.perf_counter()
        step()
        took.append(time.perf_counter() - begun)
    return took


def _rows(found: dict[tuple[str, str, int], list[float]]) -> list[Sequence[str]]:
    rows = []
    for situation in SITUATIONS:
        for who, name in (("ours", "`decide`"), ("theirs", "`AdaptiveCore.recommendations`")):
            cells = [found[situation, who, n] for n in SIZES]
            if all(cells):
                rows.append((f"{situation}: {name}", *(f"{1000 * median(took):.3g}" for took in cells)))
    return rows
