"""The class for ``cluster.adapt(Adaptive=trio_adaptive.dask.Adaptive)``: upstream's face, this package's engine.

The engine is a task on the cluster's own event loop. It knows this object by a weak reference only, so that dropping
the object ends it, as upstream's users expect. What a subclass overrides of upstream's methods is called where
upstream would call it.
"""

# What upstream keeps in plain attributes is read from the engine here.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import asyncio
import difflib
import logging
import math
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import distributed.deploy
from tornado.ioloop import IOLoop

from trio_adaptive.config import OPTIONS, Settings, load_settings
from trio_adaptive.dask.engine import Engine, Overridden, home
from trio_adaptive.dask.verdict import Verdicts
from trio_adaptive.decision.model import Direction
from trio_adaptive.errors import AlreadyDriven, ClusterClosed, ScalerStoppedError
from trio_adaptive.runtime.bounds import in_workers
from trio_adaptive.runtime.history import Statistics

logger = logging.getLogger("distributed.deploy.adaptive")

StateName = Literal["starting", "running", "stopped", "inactive"]

PER_CALL = frozenset(OPTIONS) - {"worker_key"}
"""Options that one call of ``cluster.adapt`` is about. ``Cluster.adapt`` lets all options stick to the cluster, where a
later call finds them (dask/distributed#8807); a ``worker_key`` may be a cluster class's own, and stays."""

SCHEDULER_OPTIONS = frozenset({"memory_ratio", "n", "key", "attribute", "target"})
"""What ``Scheduler.workers_to_close`` takes."""

ACTING = ("plan", "requested", "observed", "scale_up", "scale_down", "recommendations")
"""Methods and properties that go round the engine's own dealings with the cluster where a subclass overrides them."""


class PeriodicCallback:
    """What the cluster's widget and users' code read of upstream's periodic callback."""

    def __init__(self, interval: float) -> None:
        self.callback_time = interval * 1000.0
        self._running = False

    def is_running(self) -> bool:
        """Whether adapting goes on."""
        return self._running

    def start(self) -> None:
        """Adapting has begun."""
        self._running = True

    def stop(self) -> None:
        """Adapting has ended."""
        self._running = False


class Adaptive(distributed.deploy.Adaptive):  # type: ignore[misc]  # it tells mypy no types
    """Adapts a Dask cluster; made by ``cluster.adapt(Adaptive=trio_adaptive.dask.Adaptive, ...)``.

    The parameters are upstream's and those of `trio_adaptive.config.Settings`; what is neither is passed on to
    ``Scheduler.workers_to_close``. ``minimum=0`` and ``maximum=inf`` count as not given, since ``SpecCluster.adapt``
    always passes them; then Dask's configuration decides.

    Attributes:
        state: ``"starting"``, ``"running"``, ``"stopped"``, or ``"inactive"`` without an interval or a cluster.
        engine: the scaler itself, for all that upstream's object does not have; belongs to the cluster's loop.
        periodic_callback: says whether adapting goes on; None once it has been stopped.

    Raises:
        ConfigurationError: naming every mistake in the options at once.
    """

    state: StateName = "inactive"
    periodic_callback: Any = None
    cluster: Any = None

    def __init__(  # noqa: PLR0917 - the order is upstream's
        self,
        cluster: Any = None,
        interval: Any = None,
        minimum: int | None = None,
        maximum: float | None = None,
        wait_count: int | None = None,
        target_duration: Any = None,
        worker_key: Callable[[Any], Hashable] | None = None,
        **options: Any,
    ) -> None:
        # Upstream's own constructor is not called: it would start upstream's loop.
        _unstick(cluster)
        never = interval in {0, "0", "0s"}
        periodic = cluster is not None and not never
        own = {name: options.pop(name) for name in list(options) if name.replace("-", "_") in OPTIONS}
        own |= {"minimum": minimum, "maximum": maximum, "wait_count": wait_count}
        own |= {"target_duration": target_duration, "worker_key": worker_key}
        _warn_of_misspelt(options)
        self._settings = _settings(own, None if never else interval, by_hand=not periodic)
        if cluster is not None:
            self._settings = in_workers(self._settings, cluster)
        self.cluster = cluster
        self._workers_to_close_kwargs = options
        self._verdicts = Verdicts(self._settings)
        self.engine = self._make_engine(cluster)
        if periodic:
            self.periodic_callback = PeriodicCallback(self._settings.interval)
            self.state = "starting"
            before = getattr(cluster, "_adaptive", None)
            self.engine.before = before.engine if isinstance(before, Adaptive) else None
            self.loop.add_callback(partial(_begin, weakref.ref(self)))

    def _make_engine(self, cluster: Any) -> Engine:
        cls = type(self)
        acts = cluster is None or any(getattr(cls, name) is not getattr(Adaptive, name) for name in ACTING)
        me = weakref.ref(self)
        adapted = Overridden(me) if acts else cluster
        return Engine(adapted, me, Adaptive, self._settings, self._workers_to_close_kwargs)

    # What upstream's object has

    @property
    def minimum(self) -> int:
        """The bound below, in workers."""
        return self.engine.limits[0]

    @minimum.setter
    def minimum(self, minimum: int) -> None:
        self._set_limits(minimum=minimum)

    @property
    def maximum(self) -> float:
        """The bound above, in workers."""
        return self.engine.limits[1]

    @maximum.setter
    def maximum(self, maximum: float) -> None:
        self._set_limits(maximum=maximum)

    @property
    def interval(self) -> float:
        """Seconds between two looks when nothing happens."""
        return self._settings.interval

    @property
    def wait_count(self) -> int:
        """Looks in a row that must find a worker superfluous."""
        return self._settings.wait_count

    @property
    def target_duration(self) -> float:
        """How long the work at hand should take, in seconds."""
        return self._settings.target_duration

    @property
    def worker_key(self) -> Any:
        """Groups workers that leave together."""
        return self._settings.worker_key

    @property
    def log(self) -> deque[tuple[float, dict[str, Any]]]:
        """What was done: ``(time, {"status": "up", "n": n})`` and ``(time, {"status": "down", "workers": [...]})``."""
        return self.engine.upstream_log

    @property
    def _adapting(self) -> bool:
        return self.engine.stepping

    @property
    def loop(self) -> IOLoop:
        """The cluster's event loop."""
        return self.cluster.loop if self.cluster is not None else IOLoop.current()

    def stop(self, reason: str = "unknown") -> None:
        """End adapting. May be called from any thread, and again."""
        if self.state in {"inactive", "stopped"}:
            return
        logger.info(
            "Adaptive scaling stopped: minimum=%s maximum=%s. Reason: %s", self.minimum, self.maximum, reason
        )
        self.state = "stopped"
        if self.periodic_callback is not None:
            self.periodic_callback.stop()
            self.periodic_callback = None
        self._post(partial(self.engine.stop, reason))

    # What may be overridden, as upstream. `target`, `workers_to_close`, `safe_target` and `scale_up` are inherited.

    async def recommendations(self, target: int) -> dict[str, Any]:
        """What would be done for ``target`` workers, and one more look in the patience with those that could leave."""
        verdict = await self._verdicts.give(self, target)
        return dict(verdict)

    async def scale_down(self, workers: Iterable[Any]) -> None:
        """Let these workers leave without harm; returns when they are gone.

        Raises:
            DrainRefused: one of them has to stay.
        """
        await self.engine.drain_by_name(self.cluster, [str(name) for name in workers])

    async def adapt(self) -> None:
        """Do one step by hand: look, decide, and see through what follows."""
        await home(self.cluster, self.engine.step)

    # What upstream's object does not have

    def hold(self, n: int | None, *, for_: Any = math.inf) -> None:
        """Hold the size at ``n`` workers, whatever the load; None lets go. See `trio_adaptive.Adaptive.hold`."""
        self._command(partial(self.engine.hold, n, for_=for_))

    def request(self, n: int, *, for_: Any = math.inf) -> None:
        """Have at least ``n`` workers for a while. See `trio_adaptive.Adaptive.request`."""
        self._command(partial(self.engine.request, n, for_=for_))

    def pause(self, direction: Direction = "both") -> None:
        """Stop growing, shrinking or both, until `resume`."""
        self._command(partial(self.engine.pause, direction))

    def resume(self, direction: Direction = "both") -> None:
        """Allow growing, shrinking or both again."""
        self._command(partial(self.engine.resume, direction))

    def statistics(self) -> Statistics:
        """How it is doing, as one frozen value."""
        return self.engine.statistics()

    def _set_limits(self, **bounds: Any) -> None:
        if self.state == "inactive":
            self.engine.preset_limits(**bounds)
        else:
            self._command(partial(self.engine.set_limits, **bounds))

    def _command(self, function: Callable[[], None]) -> None:
        """Have a command obeyed, from any thread; what is wrong with it is raised here."""
        if self.state in {"inactive", "stopped"}:
            raise ScalerStoppedError(f"adapting is {self.state}")
        loop: asyncio.AbstractEventLoop = self.cluster.loop.asyncio_loop
        if _running_loop() is not loop:
            calling = asyncio.run_coroutine_threadsafe(self.engine.when_ready(function), loop)
            calling.result(self._settings.call_timeout)
        elif self.state == "running" and self.engine.is_ready:
            function()
        else:
            _keep(loop.create_task(self.engine.when_ready(function)))

    def _post(self, function: Callable[[], None]) -> None:
        """Run a function on the cluster's loop soon; from there at once."""
        if self.cluster is None:
            return
        loop = self.cluster.loop.asyncio_loop
        if _running_loop() is loop:
            function()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(function)

    def __del__(self) -> None:
        self.stop(reason="adaptive-deleted")


def _settings(own: Mapping[str, Any], interval: Any, *, by_hand: bool) -> Settings:
    options = {**own, "interval": interval}
    if options.get("minimum") == 0:
        del options["minimum"]
    if options.get("maximum") == math.inf:
        del options["maximum"]
    if options.get("wait_count") == 0:  # upstream's word for: at the first look
        options["wait_count"] = 1
    if by_hand:  # steps are as far apart as whoever makes them likes
        options.setdefault("idle_timeout", 0)
    return load_settings(options)


def _warn_of_misspelt(options: Iterable[str]) -> None:
    for name in options:
        near = difflib.get_close_matches(name, OPTIONS, n=1)
        if near and name not in SCHEDULER_OPTIONS:
            logger.warning("%r is passed on to Scheduler.workers_to_close; did you mean %r?", name, near[0])


def _unstick(cluster: Any) -> None:
    sticky: Any = getattr(cluster, "_adaptive_options", None)
    if isinstance(sticky, dict):
        for name in PER_CALL & sticky.keys():  # pyright: ignore[reportUnknownMemberType]
            del sticky[name]


def _begin(me: weakref.ref[Adaptive]) -> None:
    """Start the engine; runs on the cluster's loop."""
    adaptive = me()
    if adaptive is None or adaptive.state != "starting":
        return
    adaptive.state = "running"
    adaptive.periodic_callback.start()
    logger.info("Adaptive scaling started: minimum=%s maximum=%s", adaptive.minimum, adaptive.maximum)
    task = asyncio.ensure_future(adaptive.engine.live())
    task.add_done_callback(partial(_ended, me))


def _ended(me: weakref.ref[Adaptive], task: asyncio.Task[str]) -> None:
    reason = "its event loop has ended" if task.cancelled() else _reason(task)
    adaptive = me()
    if adaptive is not None:
        adaptive.stop(reason)


def _reason(task: asyncio.Task[str]) -> str:
    """Why it has ended; an error is logged, since nobody waits for the task."""
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, ClusterClosed):  # before it came to adapting
        return str(error)
    driven = isinstance(error, AlreadyDriven)
    logger.error("Adaptive scaling ended by an error: %s", error, exc_info=None if driven else error)
    return "error"


_TASKS: set[asyncio.Task[None]] = set()
"""Held until they are done: an event loop holds its tasks by weak references only."""


def _keep(task: asyncio.Task[None]) -> None:
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
