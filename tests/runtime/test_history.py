"""What can be seen of it: statistics, records, upstream's log, waiting for workers."""

from __future__ import annotations

import math
import time

import anyio
import attrs
import pytest
from scenes import AT_ONCE, kinds, outcomes, running, until

from trio_adaptive import Adaptive, ScalerStoppedError
from trio_adaptive.decision.model import Counts, SetHold, Stop
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


async def test_statistics_tell_everything_in_one_value():
    cluster = FakeCluster(2, startup=4)
    async with running(cluster, minimum=1, maximum=8) as scaler:
        await scaler.wait_for(2)
        cluster.want(3)
        await until(lambda: scaler.statistics().counts.plan == 3)
        statistics = scaler.statistics()
    assert statistics.stage == "running"
    assert statistics.counts == Counts(plan=3, requested=3, observed=2)
    assert (statistics.wanted, statistics.target, statistics.reasons, statistics.note) == (3, 3, (), "")
    assert (statistics.minimum, statistics.maximum) == (1, 8)
    assert statistics.startup == pytest.approx(4, abs=0.1)
    assert (statistics.failures, statistics.samples_failed, statistics.stop_reason) == (0, 0, "")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        statistics.wanted = 7


async def test_records_have_numbers_by_which_a_reader_goes_on():
    async with running(FakeCluster(1), log_length=5) as scaler:
        while len(scaler.numbered()) < 5 or scaler.numbered()[0][0] == 1:
            await scaler.next_record()
        kept = scaler.numbered()
        assert [record for _, record in kept] == scaler.history
        assert [number for number, _ in kept] == list(range(kept[0][0], kept[0][0] + 5))
        assert scaler.numbered(kept[2][0]) == kept[3:]
        assert scaler.numbered(kept[-1][0]) == []


async def test_it_is_told_whether_the_latest_look_was_answered():
    cluster = FakeCluster(1)
    async with running(cluster) as scaler:
        await until(lambda: scaler.statistics().samples)
        assert scaler.statistics().unanswered == ""
        cluster.fail("look", "no line to it")
        await until(lambda: scaler.statistics().unanswered == "no line to it")
        await until(lambda: scaler.statistics().unanswered == "")


async def test_the_latest_records_are_kept():
    cluster = FakeCluster(1)
    async with running(cluster, log_length=5) as scaler:
        await anyio.sleep(20)
        assert len(scaler.history) == 5
        assert scaler.statistics().samples > 20
        assert scaler.history[-1].at > scaler.history[0].at
        assert scaler.sample.load.target == 1


async def test_records_are_followed_to_the_end():
    cluster = FakeCluster(1)
    seen = []

    async def follow(scaler):
        async for record in scaler.records():
            seen.append(record)  # noqa: PERF401 - one by one, as they come
        seen.append("end")

    async with anyio.create_task_group() as tasks:
        async with running(cluster, **AT_ONCE) as scaler:
            tasks.start_soon(follow, scaler)
            await scaler.wait_for(1)
            scaler.hold(0)
            await until(lambda: not cluster.ids())
        kept = scaler.history
    assert seen[-1] == "end"
    assert seen[:-1] == kept[-len(seen) + 1 :]
    assert len(seen) >= len(kept) - 1  # it began to follow at its first step
    assert [type(record.command) for record in seen[:-1] if record.command] == [SetHold, Stop]
    assert [o.result for o in outcomes(scaler, "launch")] == ["done"]
    assert [record async for record in scaler.records()] == []


async def test_a_slow_reader_delays_nothing_and_misses_the_oldest():
    cluster = FakeCluster(1)
    async with running(cluster, log_length=4) as scaler:
        records = scaler.records()
        first = await anext(records)
        await anyio.sleep(60)
        assert scaler.statistics().samples > 60
        missed = [await anext(records) for _ in range(4)]
        assert missed == scaler.history
        assert missed[0].at > first.at + 50
        later = await anext(records)
        assert later.at > missed[-1].at
        await records.aclose()


async def test_readers_that_leave_are_forgotten():
    async with running(FakeCluster()) as scaler:
        for _ in range(3):
            records = scaler.records()
            await anext(records)
            await records.aclose()
        with anyio.move_on_after(0):
            async for _ in scaler.records():
                pytest.fail("it was cancelled before")
        assert scaler._life.history._followers == []


async def test_the_log_is_like_that_of_upstream():
    cluster = FakeCluster(2)
    before = time.time()
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.want(5)
        await scaler.wait_for(5)
        units = cluster.ids()
        cluster.want(0)
        await until(lambda: not cluster.ids())
    (up_at, up), (_, more), (down_at, down) = scaler.log
    assert up == {"status": "up", "n": 2}
    assert more == {"status": "up", "n": 5}
    assert down == {"status": "down", "workers": units[::-1]}
    assert before <= up_at <= down_at <= time.time()


async def test_the_log_is_bounded():
    cluster = FakeCluster(1)
    async with running(cluster, log_length=3, **AT_ONCE):
        pass
    async with running(cluster, log_length=3, **AT_ONCE) as scaler:
        for n in (0, 2) * 4:
            cluster.want(n)
            await until(lambda n=n: len(cluster.ids("registered")) == n)
    assert len(scaler.log) == 3


async def test_waiting_for_workers_counts_those_that_have_registered():
    cluster = FakeCluster(2, size=3, startup=5)
    cluster.add("theirs", ours=False)
    async with running(cluster) as scaler:
        begun = anyio.current_time()
        await scaler.wait_for(0)
        assert anyio.current_time() == begun
        cluster.want(4)
        await scaler.wait_for(6)
        assert anyio.current_time() - begun == pytest.approx(5, abs=0.1)


async def test_waiting_can_begin_before_and_ends_with_the_scaler():
    cluster = FakeCluster(1)
    scaler = Adaptive(cluster)
    reached = []

    async def wait(n):
        try:
            await scaler.wait_for(n)
        except ScalerStoppedError:
            reached.append(-n)
        else:
            reached.append(n)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, 1)
        tasks.start_soon(wait, 5)
        await anyio.sleep(1)
        await tasks.start(scaler.run)
        await until(lambda: reached)
        scaler.stop()
        await scaler.wait_stopped()
        await scaler.wait_stopped()
    assert reached == [1, -5]


async def test_every_sample_says_why():
    cluster = FakeCluster(50)
    async with running(cluster, maximum=4) as scaler:
        await scaler.wait_for(4)
    decisions = [record.decision for record in scaler.history if record.kind == "sample"]
    assert decisions[0].raw == 50
    assert decisions[0].final == 4
    assert [(reason.limiter, reason.before, reason.after) for reason in decisions[0].reasons] == [
        ("maximum", 50, 4)
    ]
    assert kinds(scaler)[-1] == "command"
    assert scaler.statistics().maximum == 4 != math.inf
