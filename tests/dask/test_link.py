"""What a scheduler answers, and what happens when it does not."""

from __future__ import annotations

import signal
import sys

import anyio
import pytest
from dask_worlds import a_fragile_scheduler, a_world
from leftovers import descriptors
from real_dask import until

from trio_adaptive.dask.link import open_link
from trio_adaptive.errors import ClusterError, SchedulerUnreachable

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

PROMPT = 15.0
"""Far above what an answer takes, far below the 30 seconds that a connection tries."""


async def test_names_are_text_whatever_the_worker_is_called(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start_numbered(0)
        roster = await world.link.roster(refresh=True)
        assert list(roster) == ["0"]
        assert roster["0"].name == "0"
        assert roster["0"].address.startswith("tcp://")
        assert (roster["0"].nthreads, roster["0"].status, roster["0"].executing) == (1, "running", 0)
        assert await world.link.suggest(0, {}) == ["0"]


async def test_an_idle_scheduler_asks_for_no_worker_and_names_all_it_has(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("a", "b")
        assert (await world.link.target(5.0)).target == 0
        assert set(await world.link.suggest(0, {})) == {"a", "b"}
        assert len(await world.link.suggest(1, {})) == 1
        assert await world.link.suggest(2, {}) == []


async def test_a_key_for_grouping_runs_on_the_scheduler(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("job-0", "job-1", "other")

        def first_part(worker):
            return worker.name.split("-")[0]

        suggested = await world.link.suggest(1, {"key": first_part})
        assert suggested in (["other"], ["job-0", "job-1"], ["job-1", "job-0"])
        assert set(await world.link.suggest(0, {"key": first_part})) == {"job-0", "job-1", "other"}


async def test_work_raises_the_target_and_the_shorter_it_may_take_the_more(
    shared_scheduler, counting, anyio_backend_name
):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        futures = world.client.map(
            counting.gated_task(), [f"t{i}" for i in range(8)], key=f"unmeasured_on_{anyio_backend_name}"
        )
        await counting.wait(1)
        patient = await world.link.target(60.0)
        hurried = await world.link.target(0.1)
        assert patient.target == 1
        assert hurried.target == 8
        assert "0.1 s" in hurried.why
        counting.open_gate()
        await world.gather(futures)


async def test_processing_counts_what_is_executing_and_what_waits_there(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("a", "b")
        address, other = await world.address_of("a"), await world.address_of("b")
        keys = [f"t{i}" for i in range(3)]
        futures = world.client.map(counting.gated_task(), keys, workers=["a"], pure=False)
        await counting.wait(1)
        assert await world.link.processing([address]) == 3
        assert await world.link.processing([other]) == 0
        assert await world.link.processing([address, other]) == 3
        counting.open_gate()
        await world.gather(futures)
        assert await world.link.processing([address]) == 0


async def test_workers_that_are_gone_have_no_tasks_and_hide_none_of_the_others(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        address = await world.address_of("a")
        gone = "tcp://127.0.0.1:1"
        [future] = world.client.map(counting.gated_task(), ["t"], workers=["a"], pure=False)
        assert await world.link.processing([gone]) == 0
        await counting.wait(1)
        assert await world.link.processing([gone, address]) == 1
        counting.open_gate()
        await world.gather([future])


async def test_what_the_scheduler_raises_is_a_cluster_error_that_names_the_call(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        with pytest.raises(ClusterError, match="adaptive_target on tcp://") as caught:
            await world.link.ask("adaptive_target", target_duration="no duration")
        assert not isinstance(caught.value, SchedulerUnreachable)
        assert isinstance(caught.value.__cause__, ValueError | KeyError)


async def test_the_roster_is_asked_anew_only_when_something_may_have_changed(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        assert await world.link.roster(refresh=True) == {}
        await world.start("a")  # looks with refresh
        cached = await world.link.roster()
        assert set(cached) == {"a"}
        world.workers["a"].send_signal(signal.SIGKILL)

        async def is_gone():
            return not (await world.link.identity())["workers"]

        await until(is_gone)
        assert await world.link.roster() is cached
        world.link.workers_changed()
        assert await world.link.roster() == {}


async def test_an_unreachable_address_ends_with_the_callers_deadline():
    with anyio.fail_after(PROMPT):
        async with open_link("tcp://127.0.0.1:1") as link:
            with pytest.raises(TimeoutError), anyio.fail_after(0.3):
                await link.identity()
            assert link.caller.abandoned == 0


async def test_a_scheduler_killed_in_mid_call_is_unreachable_at_once():
    async with a_fragile_scheduler() as (link, process):
        await link.identity()

        async def asking():
            with pytest.raises(SchedulerUnreachable, match="identity on tcp://"):
                await link.identity()
            told.set()

        told = anyio.Event()
        process.send_signal(signal.SIGSTOP)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asking)

            async def asked():
                return False in link._rpc.comms.values()  # one is taken

            await until(asked)
            process.send_signal(signal.SIGKILL)
            with anyio.fail_after(PROMPT):
                await told.wait()


async def test_a_scheduler_that_stands_still_cannot_hold_a_caller_beyond_his_deadline():
    async with a_fragile_scheduler() as (link, process):
        assert await link.roster() == {}
        link.workers_changed()
        process.send_signal(signal.SIGSTOP)
        for call in (
            link.identity,
            link.roster,
            lambda: link.target(5.0),
            lambda: link.processing(["tcp://x:1"]),
        ):
            with anyio.fail_after(PROMPT), pytest.raises(TimeoutError), anyio.fail_after(0.2):
                await call()
        process.send_signal(signal.SIGCONT)
        with anyio.fail_after(PROMPT):
            # The question that got no answer is still open.
            assert link._roster_is_stale
            assert await link.roster() == {}
            assert (await link.target(5.0)).target == 0
        assert link.caller.abandoned == 0


async def test_a_link_closes_although_its_scheduler_stands_still():
    async with a_fragile_scheduler() as (own, process), open_link(own.address) as link:
        await link.identity()
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError), anyio.fail_after(0.2):
            await link.identity()
        with anyio.fail_after(PROMPT):
            await link.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_links_come_and_go_without_leaving_a_descriptor(shared_scheduler):
    async def one():
        async with open_link(shared_scheduler) as link:
            await link.identity()

    with anyio.fail_after(PROMPT):
        await one()
        before = len(descriptors())
        for _ in range(10):
            await one()

        async def as_before():
            return len(descriptors()) <= before

        await until(as_before)  # the other end of a socket closes in its own time
