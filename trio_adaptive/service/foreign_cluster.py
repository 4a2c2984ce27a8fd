"""Any cluster class as a service: made, adapted, and closed as its class closes it.

Objects are made in the plain, synchronous way, in a thread: the one way that every class knows, whether it has an event
loop of its own or none at all. A constructor cannot be called off. When it is to end before it is ready it is waited for
a while, so that what it has made can be closed.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

import trio
from attrs import evolve, field, frozen

from trio_adaptive.clusters.foreign import Threads, call_foreign
from trio_adaptive.config import Settings
from trio_adaptive.errors import CallTimedOut, ClusterClosed, ClusterError
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.block import adaptive
from trio_adaptive.service.elastic import Elastic

logger = logging.getLogger(__name__)

MAKING = 10.0
"""How long a constructor may go on after it has been told to end, in seconds."""

CLOSING = 20.0
"""How long closing may take, in seconds. With `MAKING`, or with the end of adapting, less than the half minute for which
Kubernetes waits before it kills."""


LOOK = 1.0
"""Time between two looks at whether the cluster's scheduler has been shut down, in seconds."""


@frozen
class Blueprint:
    """What makes the cluster: a class and its arguments."""

    cls: type[Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(factory=dict)

    @property
    def name(self) -> str:
        """A short name for messages."""
        return self.cls.__name__

    def make(self) -> Any:
        """Make the object; may block for long."""
        return self.cls(*self.args, **self.kwargs)


@frozen
class ForeignPlan:
    """What to bring up.

    Attributes:
        settings: the scaler's.
        blueprint: the cluster's.
        prepare: is shown the scaler before it begins.
    """

    settings: Settings
    blueprint: Blueprint
    prepare: Callable[[Adaptive], None] | None = None


@asynccontextmanager
async def foreign_cluster(plan: ForeignPlan) -> AsyncGenerator[Elastic]:
    """Make a cluster object, adapt it, and close it.

    Raises:
        ClusterError: it could not be made or closed, or cannot be scaled.
        ExceptionGroup: of `ClusterError` when it ended by itself.
    """
    async with _made(plan.blueprint) as cluster:
        # The workers go with the cluster: there is nobody to leave in good order.
        settings = evolve(plan.settings, shutdown_timeout=0.0)
        adapting = adaptive(cluster, settings=settings, prepare=plan.prepare)
        async with adapting as scaler, trio.open_nursery() as guarding:
            guarding.start_soon(_guard, scaler, plan.blueprint.name)
            guarding.start_soon(_guard_scheduler, cluster, plan.blueprint.name)
            yield Elastic(_told(cluster, "scheduler_address"), _told(cluster, "dashboard_link"), scaler, list)
            guarding.cancel_scope.cancel()


@asynccontextmanager
async def _made(blueprint: Blueprint) -> AsyncGenerator[Any]:
    making = _Making(blueprint)
    try:
        cluster = await making.cluster()
        if not getattr(cluster, "_supports_scaling", True):
            raise ClusterError(f"this {blueprint.name} cannot scale: it does not know how to start a worker")
        yield cluster
    finally:
        failing = isinstance(sys.exception(), Exception)
        with trio.CancelScope(shield=True):
            try:
                await making.undo()
            except ClusterError as error:
                if not failing:
                    raise
                logger.warning("%s", error)  # the first failure is what leaves


class _Making:
    """One object, from its constructor to its end."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._over = trio.Event()
        self._made: list[Any] = []

    async def cluster(self) -> Any:
        """The object. Being cancelled leaves the constructor behind; `undo` looks after it."""
        post = trio.lowlevel.current_trio_token().run_sync_soon

        def make() -> None:
            try:
                with _sheltered_from_the_terminal():
                    self._made.append(self._blueprint.make())
            finally:
                with suppress(trio.RunFinishedError):
                    post(self._over.set)

        logger.info("Making a %s", self._blueprint.name)
        try:
            await call_foreign(self._blueprint.name, make, threads=Threads())
        except ClusterError:
            logger.debug("The %s has failed", self._blueprint.name, exc_info=True)
            raise
        return self._made[0]

    async def undo(self) -> None:
        """Close the object, if there is one, or is going to be soon.

        Raises:
            ClusterError: it could not be closed.
        """
        name = self._blueprint.name
        if not self._over.is_set():
            logger.warning("Waiting %g s at most for the %s that is being made, to close it", MAKING, name)
        with trio.move_on_after(MAKING):
            await self._over.wait()
        if not self._over.is_set():
            logger.warning("The %s has not been made to its end: see what it has left", name)
        for cluster in self._made:
            await _close(cluster, name)


@contextmanager
def _sheltered_from_the_terminal() -> Generator[None]:
    """Let Ctrl-C reach this process, and none of those that the cluster starts: it is for the cluster to end them.

    They inherit the signal mask from the threads that the cluster starts, and those from this one.
    """
    # The first use of multiprocessing starts it, and would take the mask away in its thread (CPython before 3.13).
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _close(cluster: Any, name: str) -> None:
    if not callable(getattr(cluster, "close", None)):
        return
    logger.info("Closing the %s", name)
    try:
        with trio.fail_after(CLOSING):
            await call_foreign(f"close() of {name}", cluster.close, threads=Threads())
    except (trio.TooSlowError, ClusterError) as error:
        with suppress(AttributeError):
            cluster.shutdown_on_close = False  # Dask's hook at the end of the process would only try it again
        if isinstance(error, trio.TooSlowError):
            raise CallTimedOut(f"{name} has not closed within {CLOSING:g} s: see what it has left") from error
        if not _is_of_a_failed_start(error.__cause__):
            raise


def _is_of_a_failed_start(error: BaseException | None) -> bool:
    """Whether this is how a ``SpecCluster`` closes when a worker of it could not be started.

    At the very end it asserts that all of its workers are closed, and a job that was never accepted stays created.
    """
    return isinstance(error, AssertionError) and str(error) == "Status.created"


def _told(cluster: Any, attribute: str) -> str:
    """What a cluster says of itself; empty when it does not."""
    try:
        return str(getattr(cluster, attribute, None) or "")
    except Exception as error:  # noqa: BLE001 - a property is anybody's code, and this is only for show
        logger.debug("%s: %r", attribute, error)
        return ""


async def _guard(scaler: Adaptive, name: str) -> None:
    await scaler.wait_stopped()
    if scaler.taken_over or scaler.stopped_by:
        return
    raise ClusterClosed(f"the {name} has been closed by somebody else")


async def _guard_scheduler(cluster: Any, name: str) -> None:
    """A cluster object does not notice when a client shuts its scheduler down."""
    while True:
        status = getattr(getattr(cluster, "scheduler", None), "status", None)
        if getattr(status, "name", None) in {"closed", "failed"}:
            cluster.shutdown_scheduler = False  # closing would try to reach it, for half a minute
            raise ClusterClosed(f"the scheduler of the {name} has been shut down")
        await trio.sleep(LOOK)
