"""A real Kubernetes cluster with Dask's operator in it: the one that KUBECONFIG names.

Any will do, such as kind with the operator's Helm chart. The image must have the distributed of this environment:
TRIO_ADAPTIVE_KUBERNETES_IMAGE names it.
"""

from __future__ import annotations

import importlib.util
import os
import time
import uuid
from functools import partial

import anyio
import anyio.to_thread
import pytest
from real_dask import a_client, until

from trio_adaptive import adaptive

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.backends,
    # kr8s leaves its connections to the garbage collector, and looks for a version range of Kubernetes
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning", "ignore::DeprecationWarning"),
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="KUBECONFIG names no cluster with Dask's operator"),
    pytest.mark.skipif(importlib.util.find_spec("dask_kubernetes") is None, reason="needs dask-kubernetes"),
]

LIMIT = 240.0  # seconds: images may have to be pulled
IMAGE = os.environ.get("TRIO_ADAPTIVE_KUBERNETES_IMAGE", "ghcr.io/dask/dask:latest")


@pytest.fixture
def anyio_backend():
    """Once; both backends are at work in the tests with a fake API server."""
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


def counted(key, seconds):
    """A task that tells the scheduler's log of each of its executions."""
    from distributed import get_worker  # noqa: PLC0415 - on the worker

    get_worker().log_event("executions", key)
    time.sleep(seconds)
    return key * key


async def objects(cluster, kind):
    import kr8s  # noqa: PLC0415

    found = partial(kr8s.get, kind, namespace=cluster.namespace, label_selector={"dask.org/cluster-name": cluster.name})
    things = await anyio.to_thread.run_sync(lambda: list(found()))
    return [thing.name for thing in things if "scheduler" not in thing.name]


async def test_from_nothing_to_work_and_back(kube_cluster):
    with anyio.fail_after(LIMIT):
        async with a_client(kube_cluster) as client, adaptive(kube_cluster, maximum=3, idle_timeout="2s") as scaler:
            futures = client.map(counted, range(60), seconds=0.5)
            results = await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)
            assert results == [key * key for key in range(60)]
            peak = max(n for _, n in sizes(scaler))
            # One task each is left, so that workers leave while others are at work.
            del futures
            await until(lambda: nothing_but(scaler, 0))
            events = await anyio.to_thread.run_sync(client.get_events, "executions")
        assert peak == 3
        assert sorted(key for _, key in events) == list(range(60))
        await until(lambda: gone(kube_cluster))
