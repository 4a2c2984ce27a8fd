"""Workers over real ssh connections: with the script of the how-to, and without anything left on the other side."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import distributed
import pytest
from debian_packages import program
from real_dask import a_client, until
from ssh_service import processes_with

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.backends]

LIMIT = 60.0
BRISK = {"interval": 0.2, "wait_count": 2, "idle_timeout": 0.4, "target_duration": 0.1}
HOW_TO = Path(__file__).parents[2] / "docs/how-to/ssh.md"
WORKER = f"{sys.executable} -m distributed.cli.dask_worker"

only_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)


@pytest.fixture
def template(ssh_hosts, tmp_path):
    """The how-to's script, with our hosts' configuration, and our Python in place of the path on the other side."""
    [script] = re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    assert "dask worker" in script
    _executable(tmp_path / "ssh-worker", script.replace(" dask worker ", f" {WORKER} "))
    _executable(tmp_path / "ssh", f'#!/bin/sh\nexec {program("ssh")} -F {ssh_hosts.configuration} "$@"\n')
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    return WorkerTemplate((str(tmp_path / "ssh-worker"), "{address}", "{name}"), env=env)


def _executable(path, text):
    path.write_text(text)
    path.chmod(0o755)


async def nothing_of(word):
    """Wait until no process has the word in its command line, on either side."""

    async def gone():
        return not processes_with(word)

    await until(gone)


@asynccontextmanager
async def a_scheduler():
    with anyio.fail_after(LIMIT):
        async with embedded_scheduler(dashboard_address=None) as scheduler:
            yield scheduler


async def gathered(client, futures):
    return await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)


async def test_hosts_come_for_the_work_and_go_with_it(ssh_hosts, template, counting):
    keys = [f"task-{number}" for number in range(60)]
    async with (
        a_scheduler() as scheduler,
        a_client(scheduler.address) as client,
        command_cluster(scheduler.address, template) as cluster,
        adaptive(cluster, maximum=len(ssh_hosts.names), **BRISK) as scaler,
    ):
        futures = client.map(counting.gated_task(), keys, pure=False)
        await scaler.wait_for(3)
        remote = processes_with(scheduler.address)
        hosts = [words[words.index("-tt") + 1] for words in remote.values() if "-tt" in words]
        assert sorted(hosts) == list(ssh_hosts.names)
        counting.open_gate()
        assert await gathered(client, futures) == keys
        del futures
        await nothing_of(scheduler.address)
        assert counting.executions == dict.fromkeys(keys, 1)

        async def empty():
            return await cluster.look(refresh=True) == ()

        await until(empty)


@only_trio
async def test_a_connection_that_breaks_takes_its_worker_with_it_and_is_replaced(template, counting):
    keys = [f"task-{number}" for number in range(10)]
    async with (
        a_scheduler() as scheduler,
        a_client(scheduler.address) as client,
        command_cluster(scheduler.address, template) as cluster,
        adaptive(cluster, maximum=2, **BRISK) as scaler,
    ):
        futures = client.map(counting.gated_task(), keys, pure=False)
        await scaler.wait_for(2)
        unit, ssh = next(iter(cluster.pids.items()))
        os.kill(ssh, signal.SIGKILL)
        await nothing_of(unit)

        async def replaced():
            return unit not in cluster.pids and scaler.statistics().counts.observed == 2

        await until(replaced)
        counting.open_gate()
        assert await gathered(client, futures) == keys


@only_trio
@pytest.mark.parametrize("end", ["cancel", "leave"])
async def test_a_worker_that_never_came_leaves_nothing_on_the_other_side(ssh_hosts, end):
    stuck = ("ssh", "-F", str(ssh_hosts.configuration), "-tt", "node1", "sleep 1000; : {name} {address}")
    async with a_scheduler() as scheduler:
        async with command_cluster(scheduler.address, WorkerTemplate(stuck)) as cluster:
            unit = UnitId(f"stuck-{end}")
            await cluster.launch([unit])

            async def on_both_sides():
                return len(processes_with(unit)) >= 2

            await until(on_both_sides)
            if end == "cancel":
                await cluster.cancel([unit])
                await nothing_of(unit)
        await nothing_of(unit)


@only_trio
async def test_an_ssh_cluster_of_dasks_own_cannot_grow(ssh_hosts):
    pytest.importorskip("asyncssh", reason="asyncssh is not installed")
    connection = {
        "known_hosts": str(ssh_hosts.known),
        "client_keys": [str(ssh_hosts.key)],
        "port": ssh_hosts.port,
        "config": None,
    }
    make = partial(
        distributed.SSHCluster,
        ["127.0.0.11", "127.0.0.12"],
        connect_options=connection,
        worker_options={"nthreads": 1, "host": "127.0.0.1"},
        scheduler_options={"port": 0, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"},
        remote_python=sys.executable,
    )
    with anyio.fail_after(LIMIT):
        cluster = await anyio.to_thread.run_sync(make)
        address = cluster.scheduler_address
        try:
            with pytest.raises(ConfigurationError, match=r"no specification of new workers.*ssh command"):
                async with adaptive(cluster, maximum=3):
                    pytest.fail("it cannot be adapted")
        finally:
            await anyio.to_thread.run_sync(_close, cluster)
        await nothing_of(address)


def _close(cluster):
    """With its workers: they may outlive it, since a login as root is not sent the signals that SSHCluster sends."""
    address = cluster.scheduler_address
    cluster.close()
    for worker in processes_with(address):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
