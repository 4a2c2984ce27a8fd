"""A maximum that several clusters share, on real scalers and a virtual clock."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from attrs import frozen

from trio_adaptive import adaptive
from trio_adaptive.service.sharing import Sharing
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.trio

OPTIONS = {"interval": 1, "idle_timeout": 0, "wait_count": 1}


@frozen
class Town:
    sharing: Sharing
    clusters: dict[str, FakeCluster]
    scalers: dict

    @property
    def sizes(self):
        return {name: len(cluster.ids()) for name, cluster in self.clusters.items()}


@asynccontextmanager
async def town(total, weights, **clusters):
    """Scalers of these clusters that share so many workers; how many there are together is checked all the time."""
    sharing = Sharing(total)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sharing.run)
        place = Town(sharing, clusters, {})
        async with trio.open_nursery() as adapting:
            for name, cluster in clusters.items():
                await adapting.start(_adapt, place, name, cluster, weights.get(name, 1))
            nursery.start_soon(_guard, place)
            yield place
            adapting.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


async def _adapt(place, name, cluster, weight, *, task_status):
    prepare = place.sharing.joining(name, weight)
    async with adaptive(cluster, prepare=prepare, **OPTIONS) as scaler:
        place.scalers[name] = scaler
        place.sharing.follow(name, scaler)
        task_status.started()
        await trio.sleep_forever()


async def _guard(place):
    while True:
        assert sum(place.sizes.values()) <= place.sharing.total
        await trio.sleep(0.01)


async def test_each_gets_its_part_of_what_all_want(autojump_clock):
    async with town(13, {"a": 2}, a=FakeCluster(20), b=FakeCluster(20), c=FakeCluster(1)) as place:
        await trio.sleep(20)
        assert place.sizes == {"a": 8, "b": 4, "c": 1}
        decision = place.scalers["b"].statistics()
        assert any(
            reason.startswith("shared maximum: 4 of 13 that are shared; a wants 20")
            for reason in decision.reasons
        )


async def test_what_one_does_not_need_is_for_the_others(autojump_clock):
    a, b = FakeCluster(10), FakeCluster(0)
    async with town(10, {}, a=a, b=b) as place:
        await trio.sleep(20)
        assert place.sizes == {"a": 10, "b": 0}
        b.want(10)
        await trio.sleep(20)
        assert place.sizes == {"a": 5, "b": 5}
        a.want(0)
        await trio.sleep(20)
        assert place.sizes == {"a": 0, "b": 10}


async def test_a_slow_drain_keeps_what_it_has(autojump_clock):
    a, b = FakeCluster(10, drain_time=100), FakeCluster(0)
    async with town(10, {}, a=a, b=b) as place:
        await trio.sleep(20)
        b.want(10)
        await trio.sleep(50)
        assert place.sizes == {"a": 10, "b": 0}
        await trio.sleep(200)
        assert place.sizes == {"a": 5, "b": 5}


async def test_one_that_goes_leaves_its_part_to_the_others(autojump_clock):
    a, b = FakeCluster(10), FakeCluster(10)
    async with town(10, {}, a=a, b=b) as place:
        await trio.sleep(20)
        place.scalers["b"].set_limits(maximum=0)
        await trio.sleep(20)
        place.scalers["b"].stop()
        await place.scalers["b"].wait_stopped()
        place.sharing.leave("b")
        await trio.sleep(20)
        assert place.sizes == {"a": 10, "b": 0}


async def test_another_maximum_counts_at_once(autojump_clock):
    async with town(10, {}, a=FakeCluster(10), b=FakeCluster(10)) as place:
        await trio.sleep(20)
        place.sharing.set_total(20)
        await trio.sleep(20)
        assert place.sizes == {"a": 10, "b": 10}


async def test_while_all_have_enough_nobody_is_told_anything_new(autojump_clock):
    a, b = FakeCluster(1), FakeCluster(1)
    async with town(100, {}, a=a, b=b) as place:
        await trio.sleep(10)
        for n in range(2, 30):
            a.want(n)
            await trio.sleep(2)
        told = [record for record in place.scalers["a"].history if record.kind == "command"]
        assert len(told) <= 2


@pytest.mark.parametrize("total", [1, 7])
async def test_whole_units_are_rounded_down(autojump_clock, total):
    async with town(total, {}, a=FakeCluster(20, size=4)) as place:
        await trio.sleep(10)
        assert len(place.clusters["a"].ids()) == total // 4
