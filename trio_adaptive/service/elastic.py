"""An elastic Dask cluster on this machine: a scheduler, worker processes, and the scaler between them."""

from __future__ import annotations

import importlib
import logging
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import evolve, field, frozen

from trio_adaptive.clusters.process import ChildProcess, describe_exit
from trio_adaptive.clusters.scheduler import EmbeddedScheduler, embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.config import Settings
from trio_adaptive.errors import ClusterClosed, ClusterError
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.block import adaptive

logger = logging.getLogger(__name__)

RENEWS = signal.SIGUSR1
"""Not SIGHUP, which ends the service when its terminal goes, or is for its configuration."""


@frozen
class Plan:
    """What to bring up.

    Attributes:
        settings: the scaler's.
        worker: how a worker is started.
        scheduler: the address of a scheduler that runs; None to start one.
        port: the port of the scheduler that is started; 0 for any.
        dashboard_address: host and port of Dask's dashboard; None for none.
        record: where the tasks of the scheduler that is started are written; None for nowhere.
        prepare: is shown the scaler before it begins.
    """

    settings: Settings
    worker: WorkerTemplate
    scheduler: str | None = None
    port: int = 0
    dashboard_address: str | None = "127.0.0.1:0"
    record: Path | None = None
    prepare: Callable[[Adaptive], None] | None = None


async def _nothing_to_renew() -> None:
    """Where no workers are forked."""


@frozen
class Elastic:
    """What is up.

    Attributes:
        address: the scheduler's.
        dashboard: the link to Dask's dashboard, empty when it is not ours to know.
        scaler: adapts the workers.
        pids: gives the process ids of the scheduler, where it is ours, of the workers, and of what forks them.
        has_scheduler: whether the scheduler is ours, and so goes on when another autoscaler takes over.
        renew: renews what workers are forked from; does nothing where they are not.
    """

    address: str
    dashboard: str
    scaler: Adaptive
    pids: Callable[[], list[int]]
    has_scheduler: bool = True
    renew: Callable[[], Awaitable[None]] = field(default=_nothing_to_renew)


@asynccontextmanager
async def elastic(plan: Plan) -> AsyncGenerator[Elastic]:
    """Bring a cluster up, and take all of it down again.

    Raises:
        ExceptionGroup: of `ClusterError` when the scheduler could not be started, or ended by itself.
    """
    if plan.scheduler is not None:
        # Workers that we have brought to somebody else's scheduler leave it the safe way; the others are not ours.
        strangers = "ignore" if plan.settings.strangers == "auto" else plan.settings.strangers
        async with _adapting(plan, plan.scheduler, "", [], on_exit="close", strangers=strangers) as up:
            yield up
        return
    async with _own_scheduler(plan) as scheduler:
        address, pids = scheduler.address, [scheduler.process.pid]
        # Everything goes at once: there is nobody to leave in good order.
        async with _adapting(plan, address, scheduler.dashboard, pids, shutdown_timeout=0.0) as up:
            yield up


@asynccontextmanager
async def _own_scheduler(plan: Plan) -> AsyncGenerator[EmbeddedScheduler]:
    async with trio.open_nursery() as nursery:
        # distributed takes a third of a second to import, about as long as the scheduler needs to start.
        nursery.start_soon(_import, "trio_adaptive.clusters.command")
        record = (
            () if plan.record is None else ("--preload", "trio_adaptive.dask.recording", str(plan.record))
        )
        opening = embedded_scheduler(port=plan.port, dashboard_address=plan.dashboard_address, more=record)
        async with opening as scheduler, trio.open_nursery() as guarding:
            guarding.start_soon(_guard, scheduler.process)
            yield scheduler
            guarding.cancel_scope.cancel()


@asynccontextmanager
async def _adapting(
    plan: Plan, address: str, dashboard: str, pids: list[int], **ends: Any
) -> AsyncGenerator[Elastic]:
    from trio_adaptive.clusters.command import command_cluster  # noqa: PLC0415 - imported meanwhile

    _make_folder(plan.worker.log_dir)
    async with (
        command_cluster(address, plan.worker) as cluster,
        adaptive(cluster, settings=evolve(plan.settings, **ends), prepare=plan.prepare) as scaler,
    ):
        yield Elastic(
            address,
            dashboard,
            scaler,
            pids=lambda: [*pids, *cluster.starts.pids, *cluster.pids.values()],
            has_scheduler=plan.scheduler is None,
            renew=cluster.starts.reload,
        )


def _make_folder(folder: Path | None) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClusterError(f"no folder for the output of the workers: {error}") from error


async def renew_on_signal(
    clusters: Callable[[], Iterable[Elastic]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Renew what the workers of all these clusters are forked from, on each SIGUSR1."""
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(RENEWS) as signals:
            task_status.started()
            async for _ in signals:
                for cluster in clusters():
                    nursery.start_soon(_renew, cluster)


async def _renew(cluster: Elastic) -> None:
    try:
        await cluster.renew()
    except ClusterError as error:
        logger.warning("Not reloaded: %s", error)


async def _guard(process: ChildProcess) -> None:
    code = await process.wait()
    raise ClusterClosed(f"the scheduler ended by itself ({describe_exit(code)}):\n{process.output.strip()}")


async def _import(module: str) -> None:
    await trio.to_thread.run_sync(importlib.import_module, module)
