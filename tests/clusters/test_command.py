"""Worker processes of ours: what the conformance suite does not know about them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from real_dask import a_client

from trio_adaptive.clusters import command
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ClusterError, ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs")
LIMIT = 60.0  # seconds, for a machine with much else to do

NEVER = "import time; time.sleep(3600)"
"""A worker that never registers."""


@pytest.fixture(params=[False, pytest.param(True, marks=linux)], ids=["cold", "warm"])
def warm(request, monkeypatch):
    """Whether the workers are forked."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return request.param


def of_code(code, warm):
    """Workers that execute this."""
    return WorkerTemplate((sys.executable, "-m", "executes", code), warm=warm)


async def until_gone(cluster):
    with anyio.fail_after(LIMIT):
        while await cluster.look(refresh=True):
            await anyio.sleep(0.01)


async def until_it_is(cluster, state):
    """The only unit, once it is in this state."""
    with anyio.fail_after(LIMIT):
        while True:
            for unit in await cluster.look(refresh=True):
                if unit.state == state:
                    return unit
            await anyio.sleep(0.01)


async def cancelled_after(steps, call):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_a_unit_goes_also_when_nobody_waits_for_its_end(warm):
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        command_cluster(scheduler.address, of_code(NEVER, warm)) as cluster,
    ):
        for steps in range(0, 60, 3):
            unit = UnitId(f"unit-{steps}")
            await cluster.launch([unit])
            await cancelled_after(steps, lambda unit=unit: cluster.cancel([unit]))
            if any(u.state == "requested" for u in await cluster.look(refresh=False)):
                await cluster.cancel([unit])  # the first call had not come far enough
            await until_gone(cluster)
        assert cluster.pids == {}


async def test_a_unit_that_ends_by_itself_is_kept_with_its_last_words_until_it_is_cancelled(warm):
    template = of_code("raise SystemExit('out of licences')", warm)
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        command_cluster(scheduler.address, template) as cluster,
    ):
        await cluster.launch([UnitId("a")])
        unit = await until_it_is(cluster, "failed")
        assert "exit code 1" in unit.detail
        assert "out of licences" in unit.detail
        await cluster.cancel([unit.id])
        assert await cluster.look(refresh=False) == ()


@linux
async def test_a_unit_that_waits_for_imports_can_be_taken_back(tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("import time; time.sleep(3600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        command_cluster(scheduler.address, WorkerTemplate(warm=True, preload=("endless",))) as cluster,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(cluster.launch, [UnitId("a")])
        await until_it_is(cluster, "requested")
        with anyio.fail_after(LIMIT):
            await cluster.cancel([UnitId("a")])
        assert await cluster.look(refresh=False) == ()


async def test_a_registered_unit_is_not_cancelled(warm):
    template = WorkerTemplate(worker_command(host="127.0.0.1"), warm=warm)
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        command_cluster(scheduler.address, template) as cluster,
    ):
        await cluster.launch([UnitId("a")])
        await until_it_is(cluster, "registered")
        with pytest.raises(ClusterError, match="registered meanwhile"):
            await cluster.cancel([UnitId("a")])
        assert (await cluster.look(refresh=True))[0].state == "registered"


async def test_a_command_that_does_not_exist_is_a_unit_that_fails():
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        command_cluster(scheduler.address, WorkerTemplate(("no-such-program",))) as cluster,
    ):
        await cluster.launch([UnitId("a")])
        assert "no-such-program" in (await until_it_is(cluster, "failed")).detail


async def test_a_scheduler_that_cannot_start_says_why():
    with pytest.raises(ClusterError, match=r"(?s)ended with exit code.*no-such-option"):
        async with embedded_scheduler(dashboard_address=None, more=["--no-such-option"]):
            pytest.fail("it cannot have started")


@pytest.mark.parametrize("command", [(), ("worker", "{adress}"), ("worker", "{0}"), ("worker", "{")])
def test_a_wrong_template_says_what_is_allowed(command):
    with pytest.raises(ConfigurationError, match=r"\{address\} and \{name\}"):
        WorkerTemplate(command)


@asynccontextmanager
async def given_up_by_its_scheduler(template):
    """A cluster with one unit whose worker has been removed, as after too long a silence; its process is frozen."""

    async def remove(dask_scheduler):
        (worker,) = dask_scheduler.workers
        await dask_scheduler.remove_worker(worker, stimulus_id="test", close=False)

    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            command_cluster(scheduler.address, template) as cluster,
            a_client(scheduler.address) as client,
        ):
            await cluster.launch([UnitId("unit")])
            await until_it_is(cluster, "registered")
            pid = cluster.pids["unit"]
            os.kill(pid, signal.SIGSTOP)
            try:
                await anyio.to_thread.run_sync(client.run_on_scheduler, remove)
                yield cluster, pid
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


async def test_a_worker_that_its_scheduler_has_given_up_is_lost_though_its_process_lives():
    async with given_up_by_its_scheduler(WorkerTemplate()) as (cluster, pid):
        unit = await until_it_is(cluster, "lost")
        assert unit.detail.startswith("the scheduler has given its worker up, though its process runs")
        await cluster.cancel([unit.id])
        await until_gone(cluster)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_nanny_is_given_time_to_start_its_worker_again(monkeypatch):
    monkeypatch.setattr(command, "RESTART", 3.0)
    nanny = tuple(part for part in worker_command() if part != "--no-nanny")
    async with given_up_by_its_scheduler(WorkerTemplate(nanny)) as (cluster, _):
        begun = anyio.current_time()
        cluster._template = WorkerTemplate(nanny, startup_timeout=0)  # it has started long ago
        (unit,) = await cluster.look(refresh=True)
        assert unit.state == "requested"
        await until_it_is(cluster, "lost")
        assert anyio.current_time() - begun >= 2.5
