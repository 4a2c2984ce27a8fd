"""A ``KubeCluster`` in a scaler's hands, and what the operator makes of it."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

kubernetes_world = pytest.importorskip(
    "kubernetes_world", reason="needs dask-kubernetes and kmock", exc_type=ImportError
)

from real_dask import Counting, a_client, until  # noqa: E402 - where the world can be played at all

from trio_adaptive import adaptive  # noqa: E402
from trio_adaptive.clusters import opened  # noqa: E402
from trio_adaptive.clusters.base import Terms  # noqa: E402
from trio_adaptive.decision.model import UnitId  # noqa: E402
from trio_adaptive.errors import ClusterClosed, ClusterError, ConfigurationError  # noqa: E402
from trio_adaptive.testing import check_cluster  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.backends]

LIMIT = 60.0  # seconds, for a machine with much else to do


@pytest.fixture
async def cluster(tmp_path, monkeypatch):
    async with kubernetes_world.faked_kube_cluster(tmp_path, monkeypatch) as faked:
        yield faked


@pytest.fixture
async def port(cluster):
    async with opened(cluster) as port:
        yield port


def names(n):
    return [UnitId(f"unit-{number}") for number in range(n)]


async def in_state(port, state, n):
    """The units, once ``n`` are in this state."""
    with anyio.fail_after(LIMIT):
        while True:
            units = await port.look(refresh=True)
            if sum(unit.state == state for unit in units) == n:
                return units
            await anyio.sleep(0.02)


async def test_it_keeps_the_rules_of_the_port(tmp_path, monkeypatch):
    with anyio.fail_after(4 * LIMIT):
        await check_cluster(lambda: kubernetes_world.faked_kube_cluster(tmp_path, monkeypatch), timeout=LIMIT)


async def test_a_drained_worker_goes_and_the_operator_chooses_nobody(cluster, port):
    await port.launch(names(3))
    units = await in_state(port, "registered", 3)
    assert {unit.id for unit in units} == set(names(3))
    victim = units[0]
    cluster.api_server.writes.clear()
    with anyio.fail_after(LIMIT):
        await port.drain(victim.id, Terms())
    group = "faked-default"
    assert cluster.api_server.writes == [("DELETE", victim.workers[0]), ("PATCH", group)]
    left = await in_state(port, "registered", 2)
    assert {unit.id for unit in left} == set(names(3)) - {victim.id}
    await until(lambda: _handled(cluster, 2))
    assert (cluster.operator.chosen, cluster.operator.restarted) == ([], [])


async def _handled(cluster, replicas):
    return cluster.operator._seen == replicas


async def test_drains_and_launches_at_the_same_time(cluster, port):
    await port.launch(names(4))
    await in_state(port, "registered", 4)
    more = [UnitId("more-0"), UnitId("more-1")]
    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            for unit in names(4)[:3]:
                tasks.start_soon(port.drain, unit, Terms())
            tasks.start_soon(port.launch, more)
    units = await in_state(port, "registered", 3)
    assert {unit.id for unit in units} == {names(4)[3], *more}
    assert cluster.operator.replicas == 3
    assert (cluster.operator.chosen, cluster.operator.restarted) == ([], [])


async def test_every_task_runs_once_while_it_shrinks(cluster, tmp_path):
    counting = Counting(tmp_path)
    with anyio.fail_after(LIMIT):
        async with (
            a_client(cluster) as client,
            adaptive(cluster, maximum=3, interval="50ms", idle_timeout="0.2s") as scaler,
        ):
            futures = client.map(counting.task(), [f"key-{n}" for n in range(60)], seconds=0.05)
            done = await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)
            assert done == [f"key-{n}" for n in range(60)]
            scaler.set_limits(maximum=1)  # while there is work
            slow = client.map(counting.task(), [f"slow-{n}" for n in range(20)], seconds=0.1)
            await anyio.to_thread.run_sync(client.gather, slow, abandon_on_cancel=True)
            del futures, slow
            await until(lambda: _handled(cluster, 0))
            assert scaler.cost.peak == 3
    assert [key for key, n in counting.executions.items() if n != 1] == []
    assert len(counting.executions) == 80
    assert (cluster.operator.chosen, cluster.operator.restarted) == ([], [])


async def test_a_pod_without_its_image_has_failed_and_says_why(cluster, port):
    cluster.operator.broken.append("ImagePullBackOff")
    await port.launch(names(1))
    (unit,) = await in_state(port, "failed", 1)
    assert unit.id == names(1)[0]
    assert "ImagePullBackOff: no such thing" in unit.detail
    await port.cancel([unit.id])
    assert await port.look(refresh=True) == () or (await in_state(port, "leaving", 0)) == ()
    assert cluster.operator.replicas == 0


async def test_what_the_operator_has_not_made_yet_can_be_cancelled(cluster, port, monkeypatch):
    monkeypatch.setattr("trio_adaptive.clusters.workergroup.PATIENCE", 0.5)
    cluster.operator.asleep = True
    await port.launch(names(2))
    assert [unit.state for unit in await port.look(refresh=True)] == ["requested"] * 2
    with anyio.fail_after(LIMIT):
        await port.cancel(names(2))
    assert await port.look(refresh=True) == ()
    cluster.operator.asleep = False
    assert cluster.operator.replicas == 0
    await port.launch([UnitId("again")])
    (unit,) = await in_state(port, "registered", 1)
    assert unit.id == "again"


async def test_what_the_role_does_not_allow_is_an_error_of_the_cluster(cluster, port):
    cluster.api_server.refused.add("PATCH")
    with pytest.raises(ClusterError, match="the role allows no such thing"):
        await port.launch(names(1))
    assert await port.look(refresh=True) == ()


async def test_a_deleted_cluster_is_closed(cluster, port):
    cluster.api_server.forget(kubernetes_world.GROUPS, "faked-default")
    with pytest.raises(ClusterClosed, match="the worker group faked-default has been deleted in default"):
        await port.look(refresh=True)


async def test_not_beside_the_operators_own_autoscaler(cluster):
    cluster.api_server.put(kubernetes_world.AUTOSCALERS, {"metadata": {"name": "faked"}, "spec": {}})
    with pytest.raises(ConfigurationError, match="kubectl delete daskautoscaler faked"):
        async with opened(cluster):
            pass


async def test_a_drain_that_is_cancelled_too_late_is_carried_through(cluster, port):
    await port.launch(names(2))
    await in_state(port, "registered", 2)
    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(port.drain, names(2)[0], Terms(on_stopping=tasks.cancel_scope.cancel))
        while len(units := await port.look(refresh=True)) > 1:
            await anyio.sleep(0.02)
    assert [(unit.id, unit.state) for unit in units] == [(names(2)[1], "registered")]
    assert cluster.operator.replicas == 1
    assert (cluster.operator.chosen, cluster.operator.restarted) == ([], [])


async def test_a_drained_worker_that_kubernetes_does_not_end_works_again(cluster, port):
    await port.launch(names(2))
    await in_state(port, "registered", 2)
    cluster.api_server.refused.add("DELETE")
    with anyio.fail_after(LIMIT), pytest.raises(ClusterError, match="the role allows no such thing"):
        await port.drain(names(2)[0], Terms())
    assert [unit.state for unit in await port.look(refresh=True)] == ["registered"] * 2
    assert {ws.status.name for ws in cluster.scheduler.workers.values()} == {"running"}
