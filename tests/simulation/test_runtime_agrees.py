"""The whole real runtime on a virtual clock decides as the simulator does: the same model, the same ticks."""

from __future__ import annotations

import math

import anyio
import pytest
import trio
from trio.testing import MockClock

from trio_adaptive import adaptive
from trio_adaptive.decision.model import Cancel, Drain, Finished, Launch
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.simulation.cluster import Hardware, ModelCluster
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.generated import generate
from trio_adaptive.simulation.workloads.model import Workload

TARGET_DURATION = 5.0
HARDWARE = Hardware(startup=7.5, seed=3)
MAXIMUM = 24


class ModelPort:
    """The port to a `ModelCluster` whose time is the event loop's; it tells of nothing by itself."""

    name = "a model"
    unit_size = 1

    def __init__(self, workload, done):
        self.model = ModelCluster(workload, HARDWARE)
        self.done = done
        self._gone = anyio.Event()
        self._begun = anyio.current_time()

    def proceed(self):
        for event in self.model.advance(anyio.current_time() - self._begun):
            assert isinstance(event, Finished)
            self._gone.set()
            self._gone = anyio.Event()
        if self.model.tasks.all_done:
            self.done.set()

    async def look(self, *, refresh):
        return self.model.sample("interval", TARGET_DURATION).units

    async def target(self, target_duration):
        self.proceed()
        return self.model.sample("interval", target_duration).load

    async def suggest(self, target, options):
        return self.model._ranked(target)

    async def launch(self, units):
        list(self.model.obey(Launch(tuple(units))))

    async def cancel(self, units):
        list(self.model.obey(Cancel(tuple(units))))

    async def drain(self, unit, terms):
        list(self.model.obey(Drain((unit,))))
        while unit in self.model._workers:
            await self._gone.wait()

    async def watch(self, wake):
        await anyio.sleep_forever()


def told(record):
    """A decision, without the names of units."""
    decision = record.decision
    sizes = [(type(action).__name__, len(getattr(action, "units", ()))) for action in decision.actions]
    return (round(record.at, 6), record.kind, decision.raw, decision.final, decision.active, sizes)


def by_the_runtime(workload, policy):
    records = []

    async def main():
        begun = anyio.current_time()
        done = anyio.Event()
        port = ModelPort(workload, done)
        # Looks between two ticks are what the model does not have: the least interval leaves no room for them.
        options = {"interval": 1, "min_interval": 1, "maximum": MAXIMUM, "target_duration": TARGET_DURATION}
        async with adaptive(port, policy=policy, log_length=100_000, **options) as scaler:
            await done.wait()
            records.extend(scaler.history)
        assert begun == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return [told(record) for record in records if record.decision is not None]


def by_the_simulator(workload, policy):
    records = []
    setup = Setup(
        named_policy(policy, target_duration=TARGET_DURATION),
        HARDWARE,
        maximum=MAXIMUM,
        target_duration=TARGET_DURATION,
        skip=False,
    )
    simulate(workload, setup, lambda _, __, record: records.append(record))
    return [told(record) for record in records if record.decision is not None]


@pytest.mark.parametrize("policy", ["dask", "adaptive", "count", "demand"])
@pytest.mark.parametrize("family", ["trickle", "bursts", "chains"])
def test_the_same_decisions(family, policy):
    whole = generate(family)
    workload = Workload(family, tuple(t for t in whole.tasks if t.submit < 400 or math.isinf(t.submit)))
    real, simulated = by_the_runtime(workload, policy), by_the_simulator(workload, policy)
    assert len(real) > 60
    assert real == simulated[: len(real)]
    assert any(sizes for *_, sizes in real)
