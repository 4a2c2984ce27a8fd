"""Clusters beside each other: what goes wrong in one stays there."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import pytest
import trio

from trio_adaptive import adaptive
from trio_adaptive.config import Settings
from trio_adaptive.errors import ClusterClosed
from trio_adaptive.service.config_file.reading import Hosting
from trio_adaptive.service.elastic import Elastic
from trio_adaptive.service.several import LONGEST_PAUSE, Several
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.trio


class Scene:
    """Clusters by name; a hosting opens the one of its name, or does what stands there in its place."""

    def __init__(self, **clusters):
        self.clusters = clusters
        self.opened = dict.fromkeys(clusters, 0)
        self.seen = []
        self.several = Several(
            self.opening, lambda h, _: self.seen.append(h.name), lambda h: self.seen.append(f"-{h.name}")
        )

    @asynccontextmanager
    async def opening(self, hosting):
        self.opened[hosting.name] += 1
        cluster = self.clusters[hosting.name]
        if not isinstance(cluster, FakeCluster):
            await cluster(self.opened[hosting.name])
            cluster = FakeCluster()
        async with adaptive(cluster, settings=Settings(maximum=5)) as scaler:
            yield Elastic("", "", scaler, list)

    @asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            for name in self.clusters:
                nursery.start_soon(self.several.host, Hosting(name, plan=None))
            yield self
            nursery.cancel_scope.cancel()


async def hang(_):
    await trio.sleep_forever()


async def fail(_):
    raise ClusterClosed("no queue of that name")


async def fail_with_a_bug(_):
    raise ZeroDivisionError("never mind")


async def fail_twice(attempt):
    if attempt <= 2:
        raise ExceptionGroup("", [ClusterClosed("not yet")])


@pytest.mark.parametrize("bad", [hang, fail, fail_with_a_bug])
async def test_one_that_cannot_be_opened_touches_no_other(autojump_clock, bad):
    good = FakeCluster(3)
    async with Scene(bad=bad, good=good).running() as scene:
        await trio.sleep(30)
        assert len(good.ids("registered")) == 3
        good.want(5)
        await trio.sleep(5)
        assert len(good.ids("registered")) == 5
        assert scene.seen == ["good"]


async def test_one_whose_calls_hang_touches_no_other(autojump_clock):
    bad, good = FakeCluster(3), FakeCluster(3)
    for call in ("look", "target", "launch"):
        bad.hang(call)
    async with Scene(bad=bad, good=good).running():
        await trio.sleep(30)
        assert len(good.ids("registered")) == 3
        times = good.times("look")
        assert max(after - before for before, after in itertools.pairwise(times)) <= 1.01


async def test_one_that_failed_is_tried_again_after_pauses_that_grow(autojump_clock):
    async with Scene(bad=fail_twice).running() as scene:
        await trio.sleep(0.5)
        assert scene.opened["bad"] == 1
        assert "not yet" in scene.several.trouble["bad"]
        await trio.sleep(1)
        assert scene.opened["bad"] == 2
        await trio.sleep(2)
        assert scene.opened["bad"] == 3
        assert scene.seen == ["bad"]
        assert not scene.several.trouble


async def test_the_pauses_have_an_end(autojump_clock):
    async with Scene(bad=fail).running() as scene:
        await trio.sleep(1000)
        before = scene.opened["bad"]
        await trio.sleep(10 * LONGEST_PAUSE)
        assert scene.opened["bad"] - before in {9, 10, 11}


async def test_all_end_together(autojump_clock):
    async with Scene(a=FakeCluster(1), b=FakeCluster(1)).running() as scene:
        await trio.sleep(5)
    assert sorted(scene.seen) == ["-a", "-b", "a", "b"]
    assert not scene.several.up
