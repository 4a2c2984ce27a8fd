"""What upstream has mended over the years stays mended here."""

from __future__ import annotations

import anyio
import distributed
import pytest
from distributed.deploy.local import LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin
from gallery_scenes import REFUSAL, a_dask_scene, given_back, looks, observed, outcomes, threads, until_so

from trio_adaptive import adaptive
from trio_adaptive.errors import ClusterClosed

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.3}


def alive(scene):
    """Names of the workers that run."""
    return {name for name, worker in scene.cluster.workers.items() if worker.status.name == "running"}


async def test_in_the_long_tail_idle_workers_leave_and_busy_ones_stay(counting):
    """dask/distributed#1807, dask/distributed#2330; idle is who has no tasks: dask/distributed#1609."""
    options = OPTIONS | {"target_duration": 0.01}
    async with a_dask_scene(threads(3)) as scene, adaptive(scene.cluster, **options) as scaler:
        future = scene.client.submit(counting.gated_task(), "t", workers=[1], pure=False)
        await until_so(scaler, lambda: observed(scaler) == 1)
        await looks(scaler, 5)
        assert alive(scene) == {1}
        counting.open_gate()
        assert await scene.gather(future) == "t"
        assert counting.executions == {"t": 1}
        assert not any("up" in entry["status"] for _, entry in scaler.log)


async def test_leaving_makes_no_task_suspicious(counting):
    """dask/distributed#1607, dask/distributed#8234."""
    keys = [f"t{i}" for i in range(6)]
    options = OPTIONS | {"minimum": 2, "maximum": 2}
    async with a_dask_scene(threads(2)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        futures = scene.client.map(counting.gated_task(), keys, pure=False)
        await counting.wait(2)
        scaler.set_limits(minimum=1, maximum=1)
        await until_so(scaler, lambda: scaler.statistics().counts.draining == 1)
        counting.open_gate()
        assert await scene.gather(futures) == keys
        await until_so(scaler, lambda: observed(scaler) == 1)
        assert counting.executions == dict.fromkeys(keys, 1)
        assert {task.suspicious for task in scene.cluster.scheduler.tasks.values()} == {0}


async def test_a_busy_member_keeps_its_group(counting):
    """dask/distributed#1632, dask/distributed#1992; the key is called on the scheduler: dask/distributed#2064."""
    options = OPTIONS | {"worker_key": lambda worker: int(worker.name) // 2}
    async with a_dask_scene(threads(4)) as scene, adaptive(scene.cluster, **options) as scaler:
        future = scene.client.submit(counting.gated_task(), "t", workers=[2], pure=False)
        await until_so(scaler, lambda: observed(scaler) == 2)
        await looks(scaler, 5)
        assert alive(scene) == {2, 3}
        counting.open_gate()
        assert await scene.gather(future) == "t"


async def test_a_task_that_has_seceded_keeps_its_worker(counting):
    """dask/distributed#7481."""
    work = counting.gated_task()

    def seceding(key):
        distributed.secede()
        return work(key)

    async with a_dask_scene(threads(2)) as scene, adaptive(scene.cluster, **OPTIONS) as scaler:
        future = scene.client.submit(seceding, "t", workers=[0], pure=False)
        await counting.wait(1)
        scaler.hold(0)
        await until_so(scaler, lambda: observed(scaler) == 1)
        await looks(scaler, 5)
        assert alive(scene) == {0}
        counting.open_gate()
        assert await scene.gather(future) == "t"
        del future  # whose value has to stay somewhere
        await until_so(scaler, lambda: observed(scaler) == 0)
        assert counting.executions == {"t": 1}


class Shuffle(SchedulerPlugin):
    """Says which workers take part, as the one for P2P shuffles does."""

    def valid_workers_downscaling(self, scheduler, workers):
        return [worker for worker in workers if worker.name != 1]


async def test_who_takes_part_in_a_shuffle_stays():
    """dask/distributed#8610, dask/distributed#8579."""
    async with a_dask_scene(threads(3)) as scene:
        await scene.on_loop(scene.cluster.scheduler.add_plugin, Shuffle())
        async with adaptive(scene.cluster, **OPTIONS) as scaler:
            scaler.hold(0)
            await until_so(scaler, lambda: observed(scaler) == 1)
            await looks(scaler, 5)
            assert alive(scene) == {1}


class Counter:
    n = 0

    def up(self):
        self.n += 1
        return self.n


async def test_an_actor_keeps_its_worker():
    """dask/distributed#7072."""
    async with a_dask_scene(threads(2)) as scene, adaptive(scene.cluster, **OPTIONS) as scaler:
        future = scene.client.submit(Counter, actor=True, workers=[1])
        actor = await scene.gather(future)
        assert await anyio.to_thread.run_sync(actor.up().result) == 1
        await until_so(scaler, lambda: observed(scaler) == 1)
        scaler.hold(0)
        await looks(scaler, 5)
        assert alive(scene) == {1}
        assert await anyio.to_thread.run_sync(actor.up().result) == 2
        assert future.status == "finished"


async def test_no_memory_limit_is_not_a_full_memory():
    """dask/distributed#4397."""
    opening = threads(1, memory_limit=0)
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, minimum=1, **OPTIONS) as scaler:
        kept = await anyio.to_thread.run_sync(scene.client.scatter, [b"x" * 1000])
        await looks(scaler, 5)
        assert (scaler.statistics().wanted, observed(scaler)) == (1, 1)
        assert kept[0].status == "finished"


class SecondFails(distributed.Worker):
    """The second one that is started fails."""

    attempts = 0

    async def start_unsafe(self):
        type(self).attempts += 1
        if type(self).attempts == 2:
            raise OSError(REFUSAL)
        return await super().start_unsafe()


async def test_one_that_fails_to_start_takes_none_of_the_others_with_it(monkeypatch):
    """dask/distributed#8233."""
    monkeypatch.setattr(SecondFails, "attempts", 0)
    options = OPTIONS | {"minimum": 3, "maximum": 3, "retry_delay": 0.2}
    async with a_dask_scene(threads(kind=SecondFails)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        others = {worker for worker in scene.cluster.workers.values() if worker.status.name == "running"}
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert others < set(scene.cluster.workers.values())
        assert SecondFails.attempts == 4


class InPairs(LocalCluster):
    """One specification of a new worker is two of them."""

    def new_worker_spec(self):
        first = super().new_worker_spec()
        return first | {f"{name}-twin": spec for name, spec in first.items()}


async def test_a_specification_of_several_workers_is_counted_as_it_comes():
    """dask/distributed#3013."""
    opening = threads(cluster=InPairs)
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, minimum=1, **OPTIONS) as scaler:
        scaler.request(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        await looks(scaler, 5)
        assert alive(scene) == {0, "0-twin"}
        assert given_back(scaler) == []


async def test_each_adapting_starts_from_the_defaults():
    """dask/distributed#3915, dask/distributed#8807: options of an earlier adapt() stuck."""
    async with a_dask_scene(threads()) as scene:
        async with adaptive(scene.cluster, minimum=2, maximum=2, interval=0.1) as first:
            await until_so(first, lambda: observed(first) == 2)
        async with adaptive(scene.cluster, **OPTIONS) as second:
            assert (second.statistics().minimum, second.settings.wait_count) == (0, 3)
            await until_so(second, lambda: len(outcomes(second, "drain")) == 2)
        assert first.statistics().stage == "stopped"


async def test_a_cluster_that_is_closed_ends_adapting_and_is_not_adapted_again():
    """dask/distributed#4720."""
    async with a_dask_scene(threads()) as scene:
        async with adaptive(scene.cluster, minimum=1, **OPTIONS) as scaler:
            await until_so(scaler, lambda: observed(scaler) == 1)
            await anyio.to_thread.run_sync(scene.client.close)
            await anyio.to_thread.run_sync(scene.cluster.close)
            await scaler.wait_stopped()
            assert "closed" in scaler.statistics().stop_reason
        with pytest.RaisesGroup(pytest.RaisesExc(ClusterClosed, match="LocalCluster has been closed")):
            async with adaptive(scene.cluster, minimum=1, **OPTIONS):
                pytest.fail("it started")
