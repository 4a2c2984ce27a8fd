"""Workers that have to stay for what they do: an actor, a task that has left its thread, a P2P shuffle."""

from __future__ import annotations

import anyio.to_thread
import dask.array
import distributed
import numpy as np
import pytest
from gallery_scenes import a_scene, looks, observed, outcomes, until_so
from real_dask import until

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.3}


async def test_a_worker_that_holds_an_actor_is_never_drained():
    """dask/distributed#7072."""

    class Counter:
        n = 0

        def up(self):
            self.n += 1
            return self.n

    async with a_scene() as scene, adaptive(scene.cluster, minimum=3, maximum=3, **OPTIONS) as scaler:
        await scene.until_running(3)
        holder = sorted(await scene.roster())[1]
        holding = scene.client.submit(Counter, actor=True, workers=[holder])  # or it would be released
        actor = await scene.gather(holding)

        def up():
            with scene.client.as_current():
                return actor.up().result(timeout=5)

        assert await anyio.to_thread.run_sync(up) == 1
        scaler.set_limits(minimum=0, maximum=0)
        await until_so(scaler, lambda: observed(scaler) == 1)
        await looks(scaler, 10)
        assert set(await scene.roster()) == {holder}
        assert await anyio.to_thread.run_sync(up) == 2
        assert {holder} & {
            unit for o in outcomes(scaler, "drain") if o.result == "done" for unit in o.units
        } == set()


@pytest.mark.parametrize("leaving", ["secede", "worker_client"])
async def test_a_worker_whose_task_has_left_its_thread_is_never_drained(counting, leaving):
    """dask/distributed#7481."""
    work = counting.gated_task()

    def seceding(key):
        if leaving == "secede":
            distributed.secede()
            return work(key)
        with distributed.worker_client() as client:
            return work(client.gather(client.submit(lambda: key, pure=False)))

    async with a_scene() as scene, adaptive(scene.cluster, minimum=2, maximum=2, **OPTIONS) as scaler:
        await scene.until_running(2)
        holder = min(await scene.roster())
        future = scene.client.submit(seceding, "t", workers=[holder], allow_other_workers=True, pure=False)
        await counting.wait(1)
        scaler.set_limits(minimum=0, maximum=0)
        await until_so(scaler, lambda: observed(scaler) == 1)
        await looks(scaler, 10)
        assert set(await scene.roster()) == {holder}
        counting.open_gate()
        assert await scene.gather(future) == "t"
        assert counting.executions == {"t": 1}
        del future  # whose value has to stay somewhere
        await until_so(scaler, lambda: observed(scaler) == 0)


async def test_who_takes_part_in_a_p2p_shuffle_is_never_drained(counting):
    """dask/distributed#8579, dask/distributed#8610; the shuffle is real."""
    work = counting.gated_task()

    def block(block_id=None):
        if block_id == (5, 0):
            work("the last block")
        return np.full((10, 60), block_id[0])

    rows, columns = ((10,) * 6, (60,)), ((60,), (10,) * 6)
    array = dask.array.map_blocks(block, chunks=rows, dtype=int)
    # Blocks as small as these would be put together before they are shuffled.
    shuffled = array.rechunk(columns, method="p2p", block_size_limit=10 * 60 * array.dtype.itemsize)
    async with a_scene() as scene, adaptive(scene.cluster, minimum=3, maximum=3, **OPTIONS) as scaler:
        await scene.until_running(3)
        future = scene.client.compute(shuffled.sum())

        def in_shuffles(dask_scheduler):
            active = dask_scheduler.plugins["shuffle"].active_shuffles.values()
            return [len(shuffle.participating_workers) for shuffle in active]

        in_shuffles.__module__ = "__main__"  # so that it is sent by value

        async def all_take_part():
            return await anyio.to_thread.run_sync(scene.client.run_on_scheduler, in_shuffles) == [3]

        await until(all_take_part)
        scaler.set_limits(minimum=1, maximum=1)
        await looks(scaler, 10)
        assert len(await scene.roster()) == 3
        assert {outcome.result for outcome in outcomes(scaler, "drain")} <= {"refused"}
        assert await all_take_part()
        counting.open_gate()
        assert await scene.gather(future) == sum(range(6)) * 600
        assert counting.executions == {"the last block": 1}
        await until_so(scaler, lambda: observed(scaler) == 1)
