"""What the probe tells of tasks by kind: counts, durations, and what they wait for."""

from __future__ import annotations

import pytest
from test_probe_load import a_world, anyio_backend, busy, gate, gated, gates  # noqa: F401 - fixtures

from trio_adaptive.dask.answers import work_of

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def kinds_of(world):
    return {each.name: each for each in work_of(world.load).groups}


async def test_what_is_done_is_measured_and_not_told_of():
    async with a_world(a={}) as world:
        await world.client.gather(world.client.map(busy, [0.02] * 3, pure=False))
        assert kinds_of(world) == {}
        work = work_of(world.load)
        assert (work.submissions, work.submitted, work.finished) == (1, 3, 3)
        assert work.finished_seconds > 0.05


async def test_a_kind_tells_of_its_tasks_and_their_durations(gate):  # noqa: F811 - the fixture
    async with a_world(a={}) as world:
        await world.client.submit(busy, 0.05, pure=False)
        first = world.client.submit(gated, gate, pure=False)
        waiting = world.client.map(busy, [0.0] * 2, [first] * 2, pure=False)
        await world.until(lambda: kinds_of(world).keys() == {"gated", "busy"})
        kinds = kinds_of(world)
        late = kinds["busy"]
        assert (late.ready, late.running, late.coming, late.after) == (0, 0, 2, ("gated",))
        assert late.measured == 1
        assert late.mean == pytest.approx(late.average)
        assert late.mean >= 0.05
        assert (kinds["gated"].measured, kinds["gated"].average) == (0, -1)
        # How long something has been running comes with a heartbeat.
        await world.until(lambda: kinds_of(world)["gated"].elapsed)
        running = kinds_of(world)["gated"]
        assert (running.running, len(running.elapsed)) == (1, 1)
        assert running.longest >= running.elapsed[0] > 0
        gates[gate].set()
        del waiting


async def test_tasks_without_a_worker_are_ready():
    async with a_world() as world:
        futures = world.client.map(busy, [0.0] * 5, pure=False)
        await world.until(lambda: work_of(world.load).submitted == 5)
        assert kinds_of(world)["busy"].ready == 5
        del futures
