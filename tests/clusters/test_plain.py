"""An object of a user's own whose calls take long, hang, or overlap: growing does not wait for them."""

from __future__ import annotations

import anyio
import pytest
from virtual_clock import virtual

from trio_adaptive import adaptive
from trio_adaptive.clusters.base import Terms
from trio_adaptive.clusters.plain import TURN, PlainCluster

pytestmark = pytest.mark.anyio

LIMIT = 100.0


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual(request.param)


class Sized:
    """Knows nothing but a size; while ``slow``, its calls take that long, in the order of their coming."""

    def __init__(self):
        self.size = 0
        self.slow = 0.0
        self.calls = []
        self.most_at_once = self._at_once = 0

    async def scale(self, n):
        await self._take_long(n)
        self.size = n

    async def _take_long(self, what):
        self.calls.append((anyio.current_time(), what))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await anyio.sleep(self.slow)
        finally:
            self._at_once -= 1


class Named(Sized):
    """Has names, and closes by name."""

    def __init__(self):
        super().__init__()
        self.workers = []
        self.wanted = 0

    async def target(self):  # a plain one runs in a thread, which the virtual clock does not wait for
        return self.wanted

    async def scale(self, n):
        new = [f"w{number}" for number in range(100) if f"w{number}" not in self.workers]
        self.workers += new[: max(0, n - len(self.workers))]
        self.calls.append((anyio.current_time(), n))

    async def scale_down(self, names):
        await self._take_long(names)
        self.workers = [name for name in self.workers if name not in names]


async def names(port):
    return [unit.id for unit in await port.look(refresh=True)]


async def test_growing_does_not_wait_for_a_scale_down_that_hangs():
    cluster = Named()
    cluster.wanted = 3
    options = {"interval": 1, "wait_count": 1, "idle_timeout": 0, "stop_timeout": 50}
    with anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options) as scaler:
            await scaler.wait_for(3)
            cluster.slow, cluster.wanted = 1000.0, 1
            while len(cluster.calls) < 2:
                await anyio.sleep(0.01)
            hanging, now = cluster.calls[1][1], anyio.current_time()
            cluster.wanted = 5
            while len(cluster.workers) < 5:
                await anyio.sleep(0.01)
            assert anyio.current_time() - now <= 1 + 2 * TURN
            assert set(hanging) < set(cluster.workers)


async def test_growing_does_not_wait_for_a_launch_that_hangs():
    cluster = Sized()
    port = PlainCluster(cluster)
    cluster.slow = 1000.0
    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(port.launch, ["a"])
            await anyio.sleep(0.01)
            cluster.slow = 0.0
            await port.launch(["b"])
            assert cluster.size == 2
            tasks.cancel_scope.cancel()
    assert await names(port) == ["b"]


async def test_calls_that_are_quick_come_one_after_the_other():
    cluster = Sized()
    cluster.slow = TURN / 10
    port = PlainCluster(cluster)
    async with anyio.create_task_group() as tasks:
        for name in "abcdef":
            tasks.start_soon(port.launch, [name])
    assert cluster.most_at_once == 1
    assert sorted(await names(port)) == list("abcdef")
    assert cluster.size == 6


async def test_sizes_that_overlap_agree_in_the_end():
    cluster = Sized()
    port = PlainCluster(cluster)
    await port.launch(["a", "b", "c"])
    cluster.slow = 1.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(port.cancel, ["b"])
        await anyio.sleep(0.01)
        tasks.start_soon(port.launch, ["d", "e"])
        await anyio.sleep(0.3)
        tasks.start_soon(port.drain, "a", Terms())
    assert [size for _, size in cluster.calls] == [3, 2, 4, 3]
    assert cluster.size == 3
    assert await names(port) == ["c", "d", "e"]


async def test_names_that_turn_up_late_are_given_to_whoever_has_asked_first():
    cluster = Named()
    port = PlainCluster(cluster)
    real = cluster.scale

    async def late(n):
        await anyio.sleep(1.0)
        await real(n)

    cluster.scale = late
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(port.launch, ["a", "b"])
        await anyio.sleep(0.01)
        tasks.start_soon(port.launch, ["c"])
    assert [size for _, size in cluster.calls] == [2, 3]
    assert cluster.workers == ["w0", "w1", "w2"]
    assert await names(port) == ["a", "b", "c"]


async def test_one_that_closes_without_names_is_not_believed_to_be_larger_than_it_will_be():
    class Shrinking(Sized):
        workers = ()

        async def scale(self, n):
            await self._take_long(n)
            self.workers = [f"w{number}" for number in range(n)]

    cluster = Shrinking()
    port = PlainCluster(cluster)
    await port.launch(["a", "b", "c"])
    cluster.slow = 1.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(port.cancel, ["c"])
        await anyio.sleep(0.01)
        tasks.start_soon(port.launch, ["d"])
    assert [size for _, size in cluster.calls] == [3, 2, 3]
    assert cluster.workers == ["w0", "w1", "w2"]
