"""A real Kubernetes cluster with Dask's operator in it: the one that KUBECONFIG names.

Any will do, such as kind with the operator's Helm chart. TRIO_ADAPTIVE_KUBERNETES_IMAGE names an image with the
Python and the distributed of this environment.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import time
import uuid
from functools import partial

import anyio
import anyio.to_thread
import pytest
from real_dask import a_client

from trio_adaptive import adaptive

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.backends,
    # KubeCluster leaves its connections to the garbage collector, and warns of clusters older than it knows.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning"),
    pytest.mark.skipif(
        "KUBECONFIG" not in os.environ, reason="KUBECONFIG names no cluster with Dask's operator"
    ),
    pytest.mark.skipif(importlib.util.find_spec("dask_kubernetes") is None, reason="needs dask-kubernetes"),
]

LIMIT = 300.0  # seconds: images may have to be pulled
IMAGE = os.environ.get("TRIO_ADAPTIVE_KUBERNETES_IMAGE", "ghcr.io/dask/dask:latest")


@pytest.fixture
def anyio_backend():
    """Both backends are at work in the tests with a fake API server; this takes its time, and is played once."""
    return "trio"


@pytest.fixture
async def kube_cluster():
    from dask_kubernetes.operator import KubeCluster  # noqa: PLC0415 - only where it is installed

    name = f"adaptive-{uuid.uuid4().hex[:8]}"
    make = partial(KubeCluster, name=name, image=IMAGE, n_workers=0, quiet=True, resource_timeout=int(LIMIT))
    cluster = await anyio.to_thread.run_sync(make)
    try:
        yield cluster
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(cluster.close)
        del cluster
        gc.collect()  # while this test's filters hold


async def things(cluster, kind):
    """The names of the cluster's objects of a kind, without the scheduler's."""
    import kr8s  # noqa: PLC0415 - only where it is installed

    label = {"dask.org/cluster-name": cluster.name}
    found = await anyio.to_thread.run_sync(
        lambda: list(kr8s.get(kind, namespace=cluster.namespace, label_selector=label))
    )
    return [thing.name for thing in found if "scheduler" not in thing.name]


def counted_task():
    """A function ``(key, seconds)`` that tells the scheduler of each execution; a closure, which is sent by value."""

    def work(key, seconds):
        import distributed  # noqa: PLC0415 - on the worker

        distributed.get_worker().log_event("executions", key)
        time.sleep(seconds)
        return key * key

    return work


async def compute(client, keys, seconds):
    futures = client.map(counted_task(), keys, seconds=seconds)
    return await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)


async def test_from_nothing_to_work_and_back_to_nothing(kube_cluster):
    options = {"maximum": 3, "interval": "200ms", "idle_timeout": "1s", "target_duration": "1s"}
    with anyio.fail_after(LIMIT):
        async with a_client(kube_cluster) as client, adaptive(kube_cluster, **options) as scaler:
            first, second = range(60), range(100, 130)
            assert await compute(client, first, 0.5) == [key * key for key in first]
            assert scaler.cost.peak == 3
            scaler.set_limits(maximum=1)  # two leave while all have work
            assert await compute(client, second, 0.5) == [key * key for key in second]
            while await things(kube_cluster, "pods") or await things(kube_cluster, "deployments"):
                await anyio.sleep(0.2)
            events = await anyio.to_thread.run_sync(client.get_events, "executions")
            outcomes = [record.outcome for record in scaler.history if record.outcome is not None]
    assert sorted(key for _, key in events) == [*first, *second]
    assert {(outcome.action, outcome.result) for outcome in outcomes} == {
        ("launch", "done"),
        ("drain", "done"),
    }
