"""Running the real decision against a model cluster, on a virtual clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import evolve, field, frozen

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.limits import Limits
from trio_adaptive.decision.model import Cancel, Drain, Event, Launch, Recall, Record, Sampled
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import Shadow, State
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.simulation.account import Account
from trio_adaptive.simulation.cluster import Hardware, ModelCluster
from trio_adaptive.simulation.workloads.model import Workload

NO_LIMITS: Final = Limits()

Watch: TypeAlias = Callable[[Event, State, Record], None]


@frozen
class Setup:
    """How a run is set up.

    Attributes:
        policy: says how many workers.
        hardware: what these are like.
        minimum, maximum: bounds, in workers.
        rules: of the decision; ``rules.interval`` is the tick.
        target_duration: of the load's own target.
        skip: leave out ticks at which nothing can change; the decisions are the same, only sooner there.
        shadows: policies that only advise.
        limit: seconds of virtual time after which the run is ended whatever there is.
    """

    policy: Policy
    hardware: Hardware = field(factory=Hardware)
    minimum: int = 0
    maximum: float = math.inf
    rules: Rules = field(factory=Rules)
    target_duration: float = 5.0
    skip: bool = True
    shadows: tuple[Shadow, ...] = ()
    limit: float = 1e9


@frozen
class Run:
    """What became of it.

    Attributes:
        workload: what was to be done.
        setup: how.
        account: what it has cost.
        waited: seconds that tasks were ready and did not run, all together.
        finished: whether all tasks were done.
        decisions: how many there were.
        measured: durations by kind.
        state: what the decision remembers at the end.
    """

    workload: Workload
    setup: Setup
    account: Account
    waited: float
    finished: bool
    decisions: int
    measured: Mapping[str, Remembered]
    state: State


def _unwatched(event: Event, before: State, record: Record) -> None:
    """Nobody looks on."""


def simulate(workload: Workload, setup: Setup, watch: Watch = _unwatched) -> Run:
    """Run a workload to its end: until all tasks are done, and nobody is left who is going to leave.

    Args:
        workload: what is to be done.
        setup: how.
        watch: is shown each event, what the decision remembered before it, and its record.
    """
    return _Simulator(workload, setup, watch).run()


class _Simulator:
    def __init__(self, workload: Workload, setup: Setup, watch: Watch) -> None:
        self._workload, self._setup, self._watch = workload, setup, watch
        self._cluster = ModelCluster(workload, setup.hardware)
        self._state = State(
            evolve(setup.rules, target_duration=setup.target_duration),
            setup.policy,
            minimum=setup.minimum,
            maximum=setup.maximum,
            prefix="worker",
            shadows=setup.shadows,
        )
        self._decisions = 0

    def run(self) -> Run:
        interval = self._setup.rules.interval
        tick = 0
        while True:
            at = tick * interval
            for event in self._cluster.advance(at):
                self._take(event)
            self._take(Sampled(self._cluster.sample("interval", self._setup.target_duration)))
            if self._is_over(at):
                break
            tick = self._next_tick(tick)
        self._cluster.close()
        tasks = self._cluster.tasks
        return Run(
            self._workload,
            self._setup,
            self._cluster.account,
            tasks.waited,
            tasks.all_done,
            self._decisions,
            tasks.measured(),
            self._state,
        )

    def _take(self, event: Event) -> None:
        """Let the decision take this in, and all that follows from it at this moment."""
        events = deque((event,))
        while events:
            self._decisions += 1
            event, before = events.popleft(), self._state
            self._state, actions, record = decide(before, event)
            self._watch(event, before, record)
            changes = [a for a in actions if isinstance(a, Launch | Cancel | Drain | Recall)]
            self._cluster.account.operations += bool(changes)
            for action in actions:
                events.extend(self._cluster.obey(action))

    def _is_over(self, at: float) -> bool:
        if at >= self._setup.limit:
            return True
        if not self._cluster.tasks.all_done:
            return False
        return self._cluster.size <= self._setup.minimum or self._quiet_until(at) == math.inf

    def _quiet_until(self, at: float) -> float:
        """Until when another look would change nothing."""
        state = self._state
        # A flight that has settled is forgotten at the next look; names are counted at each.
        if state.flights or state.nominations or state.question is not None or state.retry_at > at:
            return at
        cluster = self._cluster
        return max(at, min(cluster.next_event, state.advice.until, cluster.tasks.steady_until(at)))

    def _next_tick(self, tick: int) -> int:
        # Limiters may count and wait by themselves; where there are none, nothing but the policy does.
        if not self._setup.skip or self._setup.shadows or self._setup.rules.limits != NO_LIMITS:
            return tick + 1
        interval = self._setup.rules.interval
        until = min(self._quiet_until(tick * interval), self._setup.limit)
        return max(tick + 1, math.ceil(until / interval - 1e-9))


def with_policy(setup: Setup, policy: Policy) -> Setup:
    """The same for another policy."""
    return evolve(setup, policy=policy)
