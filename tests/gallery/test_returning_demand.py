"""Work comes while workers leave: nobody waits for the leaving, and who has not left yet works again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import anyio
import distributed
import pytest
from distributed.deploy.spec import SpecCluster
from gallery_jobs import Job, Queue, spec_cluster
from gallery_scenes import (
    a_dask_scene,
    a_scene,
    dask_workers,
    decided,
    launched,
    observed,
    outcomes,
    until_so,
)
from real_dask import until

from trio_adaptive import adaptive
from trio_adaptive.decision.model import Launch, Recall

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.2, "idle_timeout": 0.3, "target_duration": 0.1}
BURST = ([f"t{i}" for i in range(40)], [0.05] * 40)
INTO_THE_DRAIN = 0.5
"""Seconds; part of the scene, and no wait for anything."""


class Hanging(SpecCluster):
    """Gives nothing back before it is let."""

    def __init__(self, *arguments, **options):
        self.gate = asyncio.Event()
        self.asked = 0
        super().__init__(*arguments, **options)

    def scale_down(self, *_):
        self.asked += 1
        return self.gate.wait()


@pytest.mark.parametrize("when", ["while it hangs", "when it has timed out"])
async def test_a_hung_scale_down_delays_no_scale_up(counting, when):
    """dask/distributed#6223, dask/distributed#5919: upstream has no more workers for ever."""
    opening = spec_cluster(Job, {"queue": Queue(), "suffixes": [""]}, cluster=Hanging)
    options = OPTIONS | {"minimum": 1, "maximum": 1, "stop_timeout": 2}
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 1)
        scaler.set_limits(minimum=0)
        await until_so(scaler, lambda: scene.cluster.asked == 1)
        if when == "when it has timed out":
            await until_so(scaler, lambda: outcomes(scaler, "drain"))
        scaler.set_limits(maximum=2)
        futures = scene.client.map(counting.task(), *BURST, pure=False)
        await until_so(scaler, lambda: launched(scaler) > 1)
        assert (outcomes(scaler, "drain") == []) == (when == "while it hangs")
        assert await scene.gather(futures) == BURST[0]
        assert counting.executions == dict.fromkeys(BURST[0], 1)
        await until_so(scaler, lambda: outcomes(scaler, "drain"))
        outcome = outcomes(scaler, "drain")[0]
        assert (outcome.result, outcome.took >= 2) == ("timed out", True)
        await scene.on_loop(scene.cluster.gate.set)


async def test_a_retirement_that_hangs_delays_no_scale_up(counting):
    """dask/distributed#6223: the data is on a worker that stands still."""
    options = OPTIONS | {"minimum": 2, "maximum": 2}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        await scene.until_running(2)
        kept = await scene.scatter([1, 2])
        pids = list(scene.cluster.pids.values())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        scaler.set_limits(minimum=1, maximum=1)
        await until_so(scaler, lambda: scaler.statistics().counts.draining == 1)
        scaler.set_limits(minimum=1, maximum=3)
        futures = scene.client.map(counting.task(), *BURST, pure=False)
        await until_so(scaler, lambda: launched(scaler) == 3)
        await until_so(scaler, lambda: observed(scaler) == 3)  # those that stand still are called back
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["recalled"]
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert await scene.gather(futures) == BURST[0]
        assert await scene.gather(kept) == [1, 2]
        assert counting.executions == dict.fromkeys(BURST[0], 1)


def gated_data(folder):
    """A class whose instances (sent by value) cannot be moved before there is a gate in this folder."""

    class Data:
        def __sizeof__(self):
            return 100_000_000  # so much that a worker writes it in a thread, and goes on working

        def __reduce__(self):
            Path(folder, "moving").touch()
            end = time.monotonic() + 60
            while not Path(folder, "gate").exists() and time.monotonic() < end:
                time.sleep(0.005)
            return str, ("moved",)

    return Data


async def test_a_burst_calls_a_leaving_worker_back(counting, tmp_path, record_testsuite_property):
    """Half a second into a drain that takes as long as its data is moved; upstream scales when it is over."""
    work = counting.task()

    def where(key, seconds):
        work(key, seconds)
        return distributed.get_worker().name

    options = OPTIONS | {"minimum": 2, "maximum": 4}
    template = dask_workers("--memory-limit", "0")
    async with a_scene(template) as scene, adaptive(scene.cluster, **options) as scaler:
        await scene.until_running(2)
        # Whoever is to leave has something to move.
        names = sorted(await scene.roster())
        kept = [scene.client.submit(gated_data(tmp_path), workers=[name], pure=False) for name in names]

        async def are_kept():
            return all(data.status == "finished" for data in kept)

        await until(are_kept)
        scaler.set_limits(minimum=0)
        await until_so(scaler, (tmp_path / "moving").exists)
        assert scaler.statistics().counts.draining == 1
        await anyio.sleep(INTO_THE_DRAIN)
        begun = anyio.current_time()
        futures = scene.client.map(where, *BURST, pure=False)
        await until_so(scaler, lambda: decided(scaler, Recall) and launched(scaler) > 2)
        [(recalled_at, recalled)], launched_at = decided(scaler, Recall), decided(scaler, Launch)[-1][0]
        assert set(recalled) < set(names)
        assert set(await scene.gather(futures)) >= set(names)  # it computes again
        assert not (tmp_path / "gate").exists()  # and its data has not been moved yet
        [drain] = outcomes(scaler, "drain")[:1]
        assert (drain.result, drain.units) == ("recalled", recalled)
        assert counting.executions == dict.fromkeys(BURST[0], 1)
        words = f"recalled after {recalled_at - begun:.3f} s, launched after {launched_at - begun:.3f} s"
        record_testsuite_property("a_burst_into_a_drain", words)
        (tmp_path / "gate").touch()
        assert await are_kept()
