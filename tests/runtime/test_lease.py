"""A cluster with one driver at a time: refused at once, taken over in the middle, given back at the end."""

from __future__ import annotations

import os
import socket
from contextlib import asynccontextmanager

import anyio
import pytest
from attrs import define, field
from scenes import AT_ONCE, running, until

from trio_adaptive import Adaptive, AlreadyDriven
from trio_adaptive.clusters.base import Leased
from trio_adaptive.runtime.lease import default_driver
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


@define(eq=False)
class LeasedCluster(FakeCluster):
    """A fake cluster that has one driver at a time.

    Attributes:
        driver: who drives it.
        history: who has come, and what the cluster was doing when they went.
    """

    driver: str = field(default="", kw_only=True)
    history: list[tuple[str, object]] = field(factory=list)
    _taken: anyio.Event = field(factory=anyio.Event)
    _taken_by: str = ""

    @asynccontextmanager
    async def lease(self, driver, *, take_over):
        await anyio.lowlevel.checkpoint()
        if self.driver and not take_over:
            raise AlreadyDriven(f"driven by {self.driver}")
        self.driver = driver
        self.history.append((driver, len(self.calls)))
        try:
            yield
        finally:
            self.history.append(("", list(self.in_flight)))
            self.driver = ""

    def take(self, by):
        self._taken_by = by
        self._taken.set()

    async def watch(self, wake):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(FakeCluster.watch, self, wake)
            await self._taken.wait()
            tasks.cancel_scope.cancel()
        raise AlreadyDriven(f"taken over by {self._taken_by}")


def test_the_fake_is_one():
    assert isinstance(LeasedCluster(), Leased)
    assert not isinstance(FakeCluster(), Leased)


async def test_it_drives_from_before_the_first_question_until_nothing_is_in_flight():
    cluster = LeasedCluster(2, drain_time=0.5)
    async with running(cluster, driver="us", on_exit="close", **AT_ONCE) as scaler:
        assert cluster.driver == "us"
        assert scaler.holds_lease
        await scaler.wait_for(2)
    assert scaler.holds_lease is None
    assert cluster.history == [("us", 0), ("", [])]
    assert cluster.ids() == []


async def test_a_second_one_is_refused_as_itself_before_it_asks_anything():
    cluster = LeasedCluster(2, driver="them")
    with pytest.raises(AlreadyDriven, match="driven by them"):
        async with running(cluster):
            pytest.fail("there are two")
    scaler = Adaptive(cluster)
    with pytest.raises(AlreadyDriven, match="driven by them"):
        await scaler.run()
    assert scaler.statistics().stage == "stopped"
    assert cluster.calls == []
    assert cluster.driver == "them"


async def test_taking_over_is_asked_for_by_an_option():
    cluster = LeasedCluster(1, driver="them")
    async with running(cluster, take_over=True) as scaler:
        await scaler.wait_for(1)
        assert cluster.driver == default_driver()


@pytest.mark.parametrize(("on_exit", "left"), [("keep", 3), ("minimum", 3), ("close", 0)])
async def test_being_taken_over_is_a_stop_and_leaves_the_size_to_the_other_one(on_exit, left):
    cluster = LeasedCluster(3)
    async with running(cluster, minimum=1, on_exit=on_exit) as scaler:
        await scaler.wait_for(3)
        cluster.add("a stranger", ours=False)
        cluster.take("the night shift")
        await scaler.wait_stopped()
        assert scaler.statistics().stop_reason == "taken over by the night shift"
        assert scaler.taken_over
        assert scaler.holds_lease is False
        await anyio.sleep(100)  # the block goes on
    assert len(cluster.ids("registered")) == left + 1


async def test_a_drain_under_way_is_called_off_when_somebody_takes_over():
    cluster = LeasedCluster(1, drain_time=1000)
    async with running(cluster, shutdown_timeout=1, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: cluster.draining)
        cluster.take("another")
        await scaler.wait_stopped()
    assert cluster.draining == set()
    assert len(cluster.ids("registered")) == 1


async def test_stopped_otherwise_it_was_not_taken_over():
    cluster = LeasedCluster(1)
    async with running(cluster) as scaler:
        await scaler.wait_for(1)
    assert not scaler.taken_over


def test_the_name_by_default_says_where_to_look(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/opt/jobs/train.py", "--fast"])
    monkeypatch.setenv("LOGNAME", "ann")
    assert default_driver() == f"train.py (ann@{socket.gethostname()}, pid {os.getpid()})"


def test_a_name_is_found_for_a_user_without_one(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert f"({os.getuid()}@" in default_driver()
