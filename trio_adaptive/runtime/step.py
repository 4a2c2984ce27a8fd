"""One step by hand: a look, a decision, and what follows from it to its end."""

from __future__ import annotations

from trio_adaptive.clusters.base import Cluster
from trio_adaptive.decision.model import Sampled
from trio_adaptive.runtime.actions import Actions
from trio_adaptive.runtime.collector import LoadSource, take_sample
from trio_adaptive.runtime.scaler import Scaler


async def one_step(cluster: Cluster, load: LoadSource, scaler: Scaler, actions: Actions) -> None:
    """Do one step, as a tick of the interval does; returns when nothing is in flight any more.

    Raises:
        ClusterError: the look failed.
    """
    scaler.step(Sampled(await take_sample(cluster, load, "interval", actions.settings.name)))
    while True:
        scaler.take_waiting()
        if actions.idle:
            return
        await actions.wait_landed()
