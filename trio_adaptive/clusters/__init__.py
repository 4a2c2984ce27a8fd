"""The clusters that can be adapted, and which adapter an object gets."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from trio_adaptive.clusters.base import Cluster
from trio_adaptive.clusters.plain import PlainCluster
from trio_adaptive.errors import ConfigurationError, Mistake


def _is_dask_cluster(cluster: Any) -> bool:
    # An object of distributed's exists only where distributed has been imported: never import it to find out.
    deploy = sys.modules.get("distributed.deploy.cluster")
    return deploy is not None and isinstance(cluster, deploy.Cluster)


def _is_kube_cluster(cluster: Any) -> bool:
    operator = sys.modules.get("dask_kubernetes.operator")
    return operator is not None and isinstance(cluster, operator.KubeCluster)


def check_scalable(cluster: Any, *, needs_target: bool, must_grow: bool = True) -> None:
    """Refuse an object that cannot be adapted, before anything is started.

    Args:
        cluster: what a user wants adapted.
        needs_target: whether the cluster has to say itself how many workers its load asks for.
        must_grow: whether a Dask cluster that can only shrink is refused.

    Raises:
        ConfigurationError: it has no ``scale`` or one that starts nothing, or neither a scheduler nor a ``target``.
    """
    if isinstance(cluster, Cluster):
        return
    kind = type(cluster).__name__
    if not callable(getattr(cluster, "scale", None)):
        allowed = "a distributed cluster, anything of trio_adaptive.clusters, or an object with scale(n)"
        raise ConfigurationError([Mistake("cluster", f"a {kind} has no scale(n)", allowed)])
    if _is_dask_cluster(cluster):
        if must_grow:
            _check_can_grow(cluster)
    elif needs_target and not callable(getattr(cluster, "target", None)):
        allowed = "a method target() that returns a number of workers, or a subclass of Adaptive that has one"
        raise ConfigurationError([Mistake("cluster", f"a {kind} has no target()", allowed)])


def _check_can_grow(cluster: Any) -> None:
    # Dask's own word for it; SSHCluster, above all, has a fixed list of hosts and ignores scale(n) without a word.
    if not getattr(cluster, "_supports_scaling", True):
        problem = (
            f"the {type(cluster).__name__} {cluster.name!r} has no specification of new workers to start"
        )
        allowed = "a cluster that can start workers; over ssh: command_cluster() with an ssh command"
        raise ConfigurationError([Mistake("cluster", problem, allowed)])


def check_sendable(cluster: Any, worker_key: Callable[..., Any] | None) -> None:
    """Refuse a ``worker_key`` that could not be sent to the cluster's scheduler, where it is called.

    Raises:
        ConfigurationError: it cannot be pickled.
    """
    if worker_key is None or not _has_scheduler(cluster):
        return
    from distributed.protocol import pickle  # noqa: PLC0415 - only where Dask is in use

    try:
        pickle.dumps(worker_key)
    except Exception as error:
        problem = f"cannot be sent to the scheduler: {error}"
        allowed = "a function that can be pickled, with all that it uses"
        raise ConfigurationError([Mistake("worker_key", problem, allowed)]) from error


def _has_scheduler(cluster: Any) -> bool:
    linked = sys.modules.get("trio_adaptive.clusters.linked")
    return _is_dask_cluster(cluster) or (linked is not None and isinstance(cluster, linked.LinkedCluster))


@asynccontextmanager
async def opened(cluster: Any) -> AsyncGenerator[Cluster]:
    """The cluster behind the port that the runtime speaks to, for as long as the block lasts."""
    if isinstance(cluster, Cluster):
        yield cluster
    elif _is_kube_cluster(cluster):
        from trio_adaptive.clusters.kubernetes import open_kube_cluster  # noqa: PLC0415 - only where it is in use

        async with open_kube_cluster(cluster) as port:
            yield port
    elif _is_dask_cluster(cluster):
        from trio_adaptive.clusters.dask import open_dask_cluster  # noqa: PLC0415 - only where Dask is in use

        async with open_dask_cluster(cluster) as port:
            yield port
    else:
        yield PlainCluster(cluster)
