"""Much is wanted at once, or wanted less for a moment, of whoever starts workers only slowly."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import distributed
import pytest
from gallery_jobs import Job, Queue, spec_cluster
from gallery_scenes import a_dask_scene, decided, launched, looks, observed, outcomes, threads, until_so

from trio_adaptive import adaptive
from trio_adaptive.decision.model import Cancel, Drain, Launch
from trio_adaptive.runtime.lifetime import RETRY_JITTER

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

AT_ONCE = 3


@pytest.fixture
def slow_to_come():
    """Workers that take a moment to start, and count how many are at it."""

    class SlowToCome(distributed.Worker):
        starting = 0
        most = 0

        async def start_unsafe(self):
            SlowToCome.starting += 1
            SlowToCome.most = max(SlowToCome.most, SlowToCome.starting)
            await asyncio.sleep(0.1)  # part of the scene
            try:
                return await super().start_unsafe()
            finally:
                SlowToCome.starting -= 1

    return SlowToCome


@pytest.mark.parametrize("asked", ["by the load", "by the minimum"])
async def test_never_more_than_so_many_start_at_once(slow_to_come, counting, asked):
    """dask/dask-kubernetes#733, dask/dask-jobqueue#190: all were launched in one go."""
    n = 12
    options = {
        "maximum": n,
        "max_launching": AT_ONCE,
        "interval": 0.1,
        "idle_timeout": 60,
        "target_duration": 0.1,
    }
    async with (
        a_dask_scene(threads(kind=slow_to_come)) as scene,
        adaptive(scene.cluster, **options) as scaler,
    ):
        if asked == "by the minimum":
            scaler.set_limits(minimum=n)
        else:
            names = [f"t{i}" for i in range(100)]
            futures = scene.client.map(counting.gated_task(), names, pure=False)
        await until_so(scaler, lambda: observed(scaler) == n)
        assert slow_to_come.most == AT_ONCE
        assert max(len(units) for _, units in decided(scaler, Launch)) == AT_ONCE
        assert launched(scaler) == n
        told = {reason.limiter for r in scaler.history if r.decision for reason in r.decision.reasons}
        assert "launching" in told
        if asked == "by the load":
            counting.open_gate()
            assert await scene.gather(futures) == names


class Throttled(Job):
    """Refused at first, as by a provider that throttles."""

    refusals = 3

    async def start(self):
        self.queue.asked.append(asyncio.get_running_loop().time())
        if len(self.queue.asked) <= self.refusals:
            raise OSError("throttled: too many requests")
        await super().start()

    async def close(self):
        if self.running is not None:
            await super().close()


class AskedQueue(Queue):
    """Remembers when it was asked for a job."""

    def __init__(self):
        super().__init__()
        self.asked = []


async def test_a_provider_that_throttles_is_asked_ever_later():
    queue = AskedQueue()
    options = {"minimum": 2, "maximum": 2, "max_launching": 1, "interval": 0.1, "retry_delay": 0.3}
    opening = spec_cluster(Throttled, {"queue": queue, "suffixes": [""]})
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        failed = [outcome.result for outcome in outcomes(scaler, "launch")]
        assert failed == ["failed"] * Throttled.refusals + ["done"] * 2
        gaps = [later - earlier for earlier, later in pairwise(queue.asked[: Throttled.refusals + 1])]
        shortest = (1 - RETRY_JITTER) * options["retry_delay"]
        assert all(gap > 0.95 * shortest * 2**i for i, gap in enumerate(gaps))  # by two clocks


@pytest.fixture
def waiting_job():
    """Jobs that wait in the queue until ``gate`` is set."""

    class WaitingJob(Job):
        gate = threading.Event()

        async def run(self):
            while not self.gate.is_set():
                await asyncio.sleep(0.01)
            await super().run()

    yield WaitingJob
    WaitingJob.gate.set()


async def test_a_dip_of_the_demand_costs_no_place_in_the_queue(waiting_job, counting):
    """dask/dask-jobqueue#190."""
    queue = Queue()
    options = {
        "maximum": 2,
        "interval": 0.1,
        "idle_timeout": 0.1,
        "pending_timeout": 60,
        "target_duration": 0.1,
    }
    opening = spec_cluster(waiting_job, {"queue": queue, "suffixes": [""]})
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, **options) as scaler:
        work = (["a", "b", "c", "d"], [0.05] * 4)
        futures = scene.client.map(counting.task(), *work, pure=False)
        await until_so(scaler, lambda: len(queue.jobs) == 2)
        del futures
        await until_so(scaler, lambda: scaler.statistics().wanted == 0)
        await looks(scaler, 20)  # far more than an idle worker would be given
        assert decided(scaler, Cancel) == []
        futures = scene.client.map(counting.task(), *work, pure=False)
        waiting_job.gate.set()
        assert await scene.gather(futures) == work[0]
        assert len(queue.jobs) == 2


async def test_those_that_wait_in_the_queue_go_before_any_that_works(waiting_job, counting):
    """dask/dask-kubernetes#659: busy ones were closed, while others had not even started."""
    running, most = 2, 8

    class FewAtOnce(waiting_job):
        async def start(self):
            self.is_early = len(self.queue.jobs) < running
            await super().start()

        async def run(self):
            await (Job.run(self) if self.is_early else super().run())

    queue, names = Queue(), [f"t{i}" for i in range(40)]
    options = {"maximum": most, "interval": 0.1, "idle_timeout": 0.1, "target_duration": 0.1}
    opening = spec_cluster(FewAtOnce, {"queue": queue, "suffixes": [""]})
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, **options) as scaler:
        futures = scene.client.map(counting.gated_task(), names, pure=False)
        await until_so(scaler, lambda: len(queue.jobs) == most)
        await counting.wait(running)
        await until_so(scaler, lambda: observed(scaler) == running)
        busy = [job for job in queue.jobs if job.processes]
        scaler.set_limits(minimum=0, maximum=running)
        await until_so(scaler, lambda: sum(not job.over for job in queue.jobs) == running)
        await looks(scaler, 10)
        assert [job for job in queue.jobs if not job.over] == busy
        assert decided(scaler, Drain) == []
        counting.open_gate()
        assert await scene.gather(futures) == names
        assert set(counting.executions.values()) == {1}
