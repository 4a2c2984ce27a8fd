"""The probe comes and goes: as text, without a trace, also when it is interrupted, refused, or of another version."""

from __future__ import annotations

import ast
import json
import os
import sys
from contextlib import asynccontextmanager
from importlib.resources import files

import anyio
import anyio.to_thread
import pytest
from dask_worlds import a_world
from line_kit import a_driver_on, another_driver, installed, until_driven_by, who_drives
from real_dask import LIMIT, a_client, until

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.dask import shipping
from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link
from trio_adaptive.errors import AlreadyDriven, SchedulerUnreachable

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

SOURCES = sorted(path.name for path in files("trio_adaptive.dask.probe").iterdir() if path.suffix == ".py")


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_sent_is_of_python_3_10_and_imports_what_is_there(name):
    text = files("trio_adaptive.dask.probe").joinpath(name).read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 10))
    absolute = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    absolute += [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ]
    roots = {module.split(".")[0] for module in absolute}
    assert roots <= set(sys.stdlib_module_names) | {"distributed", "dask", "tornado"}


def test_everything_is_sent():
    assert {f"{name}.py" for name in shipping.MODULES} == set(SOURCES) - {"__init__.py", "boot.py"}


async def test_the_scheduler_is_as_before_when_the_driver_has_left(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        before = await installed(world)
        async with a_driver_on(world.link):
            assert await who_drives(world.client) == "first"
            assert await installed(world) != before
        assert await installed(world) == before


async def test_a_probe_that_nobody_drives_takes_itself_out(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        before = await installed(world)
        _, plugin = shipping.packed()
        await world.link.ask("register_scheduler_plugin", plugin=plugin, name=shipping.NAME, idempotent=True)
        assert await who_drives(world.client) == ""
        await until_driven_by(world.client, None)
        assert await installed(world) == before
        with pytest.raises(SchedulerUnreachable, match="the probe has gone"):
            await world.link.ask_probe("hello")


@pytest.mark.parametrize("end", ["entering", "leaving"])
async def test_cancelled_at_any_checkpoint_nothing_is_left(shared_scheduler, end):
    async with a_world(shared_scheduler) as world:
        before = await installed(world)
        for k in range(12):
            await _cancelled(world.link, end, k)
            assert world.link.epoch is None
            await until_driven_by(world.client, None)
        assert await installed(world) == before
        assert world.link.caller.abandoned == 0


async def _cancelled(link, end, k):
    """Drive, and be cancelled after ``k`` turns of the event loop on the way in, or on the way out."""

    async def cancel_in(scope):
        for _ in range(k):
            await anyio.sleep(0.0005)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            if end == "entering":
                tasks.start_soon(cancel_in, scope)
            async with open_line(link, "hasty"):
                if end == "leaving":
                    tasks.start_soon(cancel_in, scope)
                else:
                    await anyio.sleep_forever()


# Another version


@asynccontextmanager
async def an_older_driver(address):
    """One whose probe is of another version."""
    sources = shipping.texts()
    sources["plugin"] += "\n# as it was before\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipping, "packed", lambda: shipping.pack(sources))
        opening = another_driver(address, "the older one")
        driver = await opening.__aenter__()
    try:
        yield driver
    finally:
        await opening.__aexit__(None, None, None)


async def package(world):
    answer = await world.link.ask_probe("hello")
    return answer["package"]


async def test_a_probe_of_another_version_is_replaced_with_its_driver_and_only_then(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        before = await installed(world)
        async with an_older_driver(shared_scheduler) as older:
            theirs = await package(world)
            with pytest.raises(AlreadyDriven, match="driven by the older one"):
                async with a_driver_on(world.link):
                    pytest.fail("there are two")
            assert await package(world) == theirs
            async with a_driver_on(world.link, take_over=True):
                await older.until_over()
                assert older.over == "taken over by first"
                assert await package(world) == shipping.packed()[0] != theirs
        assert await installed(world) == before


async def test_a_probe_of_another_version_that_nobody_drives_is_replaced(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        sources = shipping.texts()
        sources["plugin"] += "\n# as it was before\n"
        _, plugin = shipping.pack(sources)
        await world.link.ask("register_scheduler_plugin", plugin=plugin, name=shipping.NAME, idempotent=True)
        async with a_driver_on(world.link):
            assert await package(world) == shipping.packed()[0]


# Where it cannot be


@asynccontextmanager
async def a_scheduler_that_blocks(*handlers):
    env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__BLOCKED_HANDLERS": json.dumps(handlers)}
    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(dashboard_address=None, env=env) as scheduler,
            a_client(scheduler.address) as client,
        ):
            yield scheduler.address, client


def warnings_in(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


async def test_where_plugins_are_forbidden_it_does_without_and_says_so_once(caplog):
    async with a_scheduler_that_blocks("register_scheduler_plugin", "run_function") as (address, client):
        async with open_link(address) as link, a_driver_on(link) as driver:
            assert link.epoch is None
            assert "explicitly disallowed" in link.degraded
            await driver.after(0)  # the stock events are subscribed to
            before = await driver.until_quiet()
            future = client.submit(sum, [1, 2], pure=False)
            await driver.after(before)
            future.release()
            async with another_driver(address):  # nothing is held against it
                pass
        assert len(warnings_in(caplog)) == 2  # one for each of them
        caplog.clear()
        async with (
            command_cluster(address) as cluster,
            adaptive(cluster, maximum=1, interval=0.2, idle_timeout=0) as scaler,
        ):
            future = client.submit(sum, [1, 2], pure=False)
            assert await anyio.to_thread.run_sync(future.result, LIMIT) == 3
            future.release()

            async def empty():
                return scaler.statistics().counts.observed == 0

            await until(empty)
        (only,) = warnings_in(caplog)
        assert only.startswith(f"Degraded: {address} refuses the probe, so that nothing is held against")


async def test_a_probe_that_cannot_work_there_is_done_without(shared_scheduler, monkeypatch):
    sources = shipping.texts()
    sources["plugin"] = sources["plugin"].replace('"valid_workers",', '"of_a_later_release",')
    monkeypatch.setattr(shipping, "packed", lambda: shipping.pack(sources))
    async with a_world(shared_scheduler) as world:
        before = await installed(world)
        async with a_driver_on(world.link):
            assert world.link.epoch is None
            assert "has no of_a_later_release" in world.link.degraded
        assert await installed(world) == before
