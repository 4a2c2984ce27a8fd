"""Beginning and end: what starts it, what ends it, what leaves it, what is left."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.lowlevel import checkpoint
from scenes import AT_ONCE, LIMIT, at, outcomes, running, started, tasks_alive, until

from trio_adaptive import Adaptive, ScalerStoppedError, adaptive
from trio_adaptive.errors import ClusterClosed
from trio_adaptive.runtime import lifetime
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


def assert_over(scaler, cluster):
    assert scaler.statistics().stage == "stopped"
    assert cluster.in_flight == []
    assert cluster.draining == set()
    assert len(tasks_alive()) == len(tasks_before)


tasks_before: set[object] = set()


@pytest.fixture(autouse=True)
async def _tasks(anyio_backend):
    tasks_before.clear()
    tasks_before.update(tasks_alive())


async def test_making_one_starts_nothing():
    cluster = FakeCluster(1)
    scaler = Adaptive(cluster)
    await anyio.sleep(10)
    assert cluster.calls == []
    assert scaler.statistics().stage == "created"
    assert (scaler.statistics().wanted, scaler.statistics().target) == (None, None)


async def test_leaving_the_block_ends_it():
    cluster = FakeCluster(2)
    async with running(cluster) as scaler:
        assert scaler.statistics().stage == "running"
        await scaler.wait_for(2)
    assert_over(scaler, cluster)
    assert scaler.statistics().stop_reason == "its block has ended"
    calls = len(cluster.calls)
    await anyio.sleep(100)
    assert len(cluster.calls) == calls
    assert len(cluster.ids("registered")) == 2


async def test_stop_ends_it_and_may_be_repeated():
    cluster = FakeCluster(2)
    async with running(cluster) as scaler:
        await scaler.wait_for(2)
        scaler.stop("enough")
        scaler.stop("really")
        await scaler.wait_stopped()
        scaler.stop("again")
        assert scaler.statistics().stop_reason == "enough"
        assert scaler.statistics().stage == "stopped"
        await anyio.sleep(10)  # the block goes on
    assert_over(scaler, cluster)


async def test_run_is_ready_when_it_takes_commands_and_ends_with_stop():
    cluster = FakeCluster()
    scaler = Adaptive(cluster)
    async with anyio.create_task_group() as tasks:
        same = await tasks.start(scaler.run)
        assert same is scaler
        scaler.request(1)
        await scaler.wait_for(1)
        scaler.stop()
    assert_over(scaler, cluster)


@pytest.mark.parametrize(
    "error", [LookupError("mine"), KeyboardInterrupt(), SystemExit(3), ExceptionGroup("g", [OSError()])]
)
async def test_what_the_block_raises_leaves_as_itself(error):
    cluster = FakeCluster(2, accept=1)
    with pytest.raises(BaseException) as caught:  # noqa: PT011, PT012 - which one is compared below
        async with running(cluster) as scaler:
            await until(lambda: cluster.in_flight)
            raise error
    assert caught.value is error
    assert error.__cause__ is None
    assert_over(scaler, cluster)


@pytest.mark.parametrize("call", ["look", "target", "launch", "drain", "cancel"])
async def test_a_mistake_in_the_adapter_leaves_as_a_group_and_ends_the_block(call):
    cluster = FakeCluster(2)
    entered = []
    with pytest.RaisesGroup(pytest.RaisesExc(NotImplementedError, match="a mistake"), flatten_subgroups=True):
        async with running(cluster, **AT_ONCE) as scaler:
            if call == "cancel":
                cluster.startup = 1000
            elif call != "launch":
                await scaler.wait_for(2)
            cluster.fail(call, NotImplementedError("a mistake"))
            if call == "cancel":
                await until(lambda: cluster.ids("requested"))
            if call != "launch":
                cluster.want(0)
            entered.append(scaler)
            await anyio.sleep_forever()
    assert_over(entered[0], cluster)


async def test_a_watch_that_breaks_leaves_as_a_group():
    class Broken(FakeCluster):
        async def watch(self, wake):
            await anyio.sleep(3)
            raise LookupError("a mistake")

    cluster = Broken(1)
    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with running(cluster):
            await anyio.sleep_forever()
    assert cluster.in_flight == []


async def test_what_the_block_raises_wins_over_what_went_wrong_inside():
    cluster = FakeCluster(1)
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012 - two things go wrong
        async with running(cluster):
            cluster.fail("look", NotImplementedError("a mistake"))
            try:
                await anyio.sleep_forever()
            finally:
                raise LookupError("mine")


async def test_a_cluster_that_has_been_closed_ends_it():
    cluster = FakeCluster(1)
    async with running(cluster) as scaler:
        await scaler.wait_for(1)
        cluster.fail("look", ClusterClosed("the cluster has been closed"))
        await scaler.wait_stopped()
        assert scaler.statistics().stop_reason == "the cluster has been closed"
        with pytest.raises(ScalerStoppedError, match="ended before there were 2 workers"):
            await scaler.wait_for(2)
    assert_over(scaler, cluster)


async def test_one_cannot_run_twice_at_once():
    scaler = Adaptive(FakeCluster())
    async with started(scaler):
        with pytest.raises(RuntimeError, match="running already"):
            await scaler.run()
        assert scaler.statistics().stage == "running"


async def test_one_can_run_again_as_if_it_were_new():
    cluster = FakeCluster(2)
    scaler = Adaptive(cluster, on_exit="close")
    async with started(scaler):
        scaler.request(3)
        scaler.pause("shrinking")
        await scaler.wait_for(3)
        first = cluster.ids()
    assert_over(scaler, cluster)
    assert cluster.ids() == []
    samples = scaler.statistics().samples
    async with started(scaler):
        assert scaler.statistics().samples < samples
        assert (scaler.statistics().floor, scaler.statistics().paused) == (None, ())
        assert scaler.statistics().stop_reason == ""
        await scaler.wait_for(2)
        await anyio.sleep(5)
        assert len(cluster.ids()) == 2
        assert not set(first) & set(cluster.ids())
    assert_over(scaler, cluster)


# What is in flight


async def test_a_cancellation_gives_what_is_in_flight_its_time():
    cluster = FakeCluster(3, drain_time=3)
    with anyio.move_on_after(LIMIT) as scope:
        async with running(cluster, shutdown_timeout=5, **AT_ONCE) as scaler:
            await scaler.wait_for(3)
            cluster.want(2)
            await until(lambda: cluster.draining)
            cluster.accept = 4
            cluster.want(4)
            cluster.want(2)
            begun = anyio.current_time()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert anyio.current_time() - begun == pytest.approx(3, abs=0.1)
    assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"]
    assert len(cluster.ids("registered")) == 2
    assert scaler.statistics().stop_reason == "cancelled"
    assert_over(scaler, cluster)


async def test_then_drains_are_called_off_and_launches_cancelled():
    cluster = FakeCluster(2, drain_time=1000)
    with anyio.move_on_after(LIMIT) as scope:
        async with running(cluster, shutdown_timeout=5, **AT_ONCE) as scaler:
            await scaler.wait_for(2)
            units = cluster.ids()
            cluster.want(0)
            await until(lambda: len(cluster.draining) == 2)
            cluster.hang("launch")
            cluster.drain_time = 0
            scaler.request(3)
            await until(lambda: len(cluster.in_flight) > 0 and len(cluster.ids()) == 3)
            begun = anyio.current_time()
            scope.cancel()
            await anyio.sleep_forever()
    assert anyio.current_time() - begun == pytest.approx(5)
    assert cluster.ids() == units
    assert {outcome.result for outcome in outcomes(scaler, "drain")} == {"recalled"}
    (_, launch) = outcomes(scaler, "launch")
    assert (launch.result, launch.detail) == ("timed out", "adapting ended first")
    assert_over(scaler, cluster)


async def test_drains_in_flight_are_called_off_at_the_end():
    cluster = FakeCluster(2, drain_time=1000)
    async with running(cluster, shutdown_timeout=5, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.want(0)
        await until(lambda: len(cluster.draining) == 2)
        begun = anyio.current_time()
    assert anyio.current_time() - begun == pytest.approx(5)
    assert len(cluster.ids("registered")) == 2
    assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["recalled"] * 2
    assert_over(scaler, cluster)


async def test_with_no_time_to_shut_down_there_is_none():
    cluster = FakeCluster(2, drain_time=1000)
    async with running(cluster, shutdown_timeout=0, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.want(0)
        await until(lambda: len(cluster.draining) == 2)
        begun = anyio.current_time()
    assert anyio.current_time() == begun
    assert len(cluster.ids("registered")) == 2
    assert_over(scaler, cluster)


async def test_a_look_or_a_question_that_hangs_does_not_delay_the_end():
    cluster = FakeCluster(2)
    async with running(cluster, call_timeout=60, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.hang("suggest")
        cluster.want(0)
        await until(lambda: any(call.name == "suggest" for call in cluster.in_flight))
        cluster.hang("look")
        await until(lambda: any(call.name == "look" for call in cluster.in_flight))
        begun = anyio.current_time()
    assert anyio.current_time() == begun
    assert_over(scaler, cluster)


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_cancellation_of_asyncio_gets_through_the_shield_and_still_leaves_nothing(anyio_backend):
    cluster = FakeCluster(1, drain_time=1000)
    scaler = Adaptive(cluster, shutdown_timeout=50, **AT_ONCE)
    task = asyncio.create_task(scaler.run())
    await scaler.wait_for(1)
    cluster.want(0)
    await until(lambda: cluster.draining)
    scaler.stop()
    await anyio.sleep(1)
    begun = anyio.current_time()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert anyio.current_time() == begun
    assert len(cluster.ids("registered")) == 1
    assert_over(scaler, cluster)


# The workers


async def test_keeping_the_workers_is_the_default():
    cluster = FakeCluster(3)
    async with running(cluster, minimum=1) as scaler:
        await scaler.wait_for(3)
    assert len(cluster.ids("registered")) == 3


@pytest.mark.parametrize(("on_exit", "left"), [("close", 0), ("minimum", 2)])
async def test_the_workers_can_go_at_the_end(on_exit, left):
    cluster = FakeCluster(5, startup=1, drain_time=2)
    cluster.add("theirs", ours=False)
    async with running(cluster, minimum=2, on_exit=on_exit) as scaler:
        await scaler.wait_for(5)
        cluster.startup = 1000
        cluster.want(7)
        await until(lambda: cluster.ids("requested"))
    ours = [unit for unit in cluster.units if unit.ours]
    assert len(ours) == left
    assert "theirs" in cluster.ids()
    assert_over(scaler, cluster)


async def test_units_of_several_workers_go_whole_at_the_end():
    class Curious(FakeCluster):
        async def suggest(self, target, options):
            self.asked = target
            return await super().suggest(target, options)

    cluster = Curious(12, size=4)
    async with running(cluster, minimum=1, on_exit="minimum") as scaler:
        await scaler.wait_for(12)
    assert cluster.asked == 4
    assert len(cluster.ids("registered")) == 1


async def test_who_goes_at_the_end_is_the_choice_of_the_class():
    class Oldest(Adaptive):
        async def workers_to_close(self, target):
            return sorted(self.cluster.ids())[: 3 - target]

    cluster = FakeCluster(3)
    async with started(Oldest(cluster, minimum=1, on_exit="minimum")) as scaler:
        await scaler.wait_for(3)
        newest = sorted(cluster.ids())[-1:]
    assert cluster.ids() == newest


async def test_workers_that_do_not_finish_in_time_stay():
    cluster = FakeCluster(3, drain_time=1000)
    async with running(cluster, on_exit="close", shutdown_timeout=20) as scaler:
        await scaler.wait_for(3)
        begun = anyio.current_time()
    assert anyio.current_time() - begun == pytest.approx(20)
    assert len(cluster.ids("registered")) == 3
    assert_over(scaler, cluster)


@pytest.mark.parametrize("call", ["look", "suggest", "drain"])
async def test_a_cluster_that_does_not_answer_does_not_delay_the_end(call):
    cluster = FakeCluster(3)
    async with running(cluster, minimum=1, on_exit="minimum", shutdown_timeout=20, call_timeout=5) as scaler:
        await scaler.wait_for(3)
        await until(lambda: not cluster.in_flight)
        cluster.hang(call)
        begun = anyio.current_time()
    assert anyio.current_time() - begun == pytest.approx(20 if call == "drain" else 5)
    assert_over(scaler, cluster)


@pytest.mark.parametrize("call", ["look", "suggest", "drain"])
async def test_a_cluster_that_fails_at_the_end_is_left_alone(call):
    cluster = FakeCluster(3)
    async with running(cluster, minimum=1, on_exit="minimum") as scaler:
        await scaler.wait_for(3)
        await until(lambda: not cluster.in_flight)
        cluster.fail(call, "gone", times=10)
    assert len(cluster.ids("registered")) == 3
    assert_over(scaler, cluster)


async def test_commands_while_the_line_to_the_cluster_is_being_closed(monkeypatch):
    @asynccontextmanager
    async def slowly_opened(cluster):
        yield cluster
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1)

    monkeypatch.setattr(lifetime, "opened", slowly_opened)
    cluster = FakeCluster()
    async with running(cluster) as scaler:
        scaler.stop()
        await at(anyio.current_time() + 0.5)
        assert scaler.statistics().stage == "stopping"
        scaler.stop()
        with pytest.raises(ScalerStoppedError):
            scaler.request(1)
        with pytest.raises(RuntimeError, match="running already"):
            await scaler.run()
    assert_over(scaler, cluster)


async def test_a_line_that_cannot_be_opened(monkeypatch):
    @asynccontextmanager
    async def failing(cluster):
        await checkpoint()
        raise ClusterClosed("gone")
        yield

    monkeypatch.setattr(lifetime, "opened", failing)
    scaler = Adaptive(FakeCluster())
    with pytest.raises(ClusterClosed):
        await scaler.run()
    assert scaler.statistics().stage == "stopped"
    with pytest.RaisesGroup(ClusterClosed):
        async with adaptive(FakeCluster()):
            pytest.fail("must not be entered")


async def test_stopped_while_the_cluster_is_being_opened_it_never_begins(monkeypatch):
    opening, opened = anyio.Event(), anyio.Event()

    @asynccontextmanager
    async def slowly(cluster):
        opening.set()
        await opened.wait()
        yield cluster

    monkeypatch.setattr(lifetime, "opened", slowly)
    cluster = FakeCluster(2)
    scaler = Adaptive(cluster, minimum=2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scaler.run)
        await opening.wait()
        scaler.stop("never mind")
        scaler.stop("really")
        opened.set()
        await scaler.wait_stopped()
    assert scaler.statistics().stop_reason == "never mind"
    assert cluster.calls == []
    assert_over(scaler, cluster)
