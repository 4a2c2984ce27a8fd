"""The plugin: puts the parts into a scheduler, passes on to them what happens there, and takes itself out again."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from .fences import Fences
from .leaving import Leaving
from .line import Lines
from .load import LoadFacts
from .uninvited import Uninvited

NAME = "trio-adaptive"
"""Under which the scheduler has it: one per scheduler."""

PREFIX = "trio_adaptive_"
"""Of the names of its handlers."""

NEEDED = (
    "handle_worker_status_change",
    "remove_worker",
    "request_remove_replicas",
    "stream_comms",
    "stream_handlers",
    "valid_workers",
    "_reschedule",
)
"""What the parts use of a scheduler that is not its public interface."""


class Probe(SchedulerPlugin):  # type: ignore[misc]  # distributed is not typed
    """What the autoscaler has inside of the scheduler.

    It lives as long as its driver's line: when that ends, by a goodbye or by the driver's death, the fences are lifted
    and everything is as before.
    """

    name = NAME
    idempotent = True

    def __init__(self, package: str) -> None:
        self.package = package

    async def start(self, scheduler: Any) -> None:
        """Begin; called by the scheduler."""
        missing = [name for name in NEEDED if not hasattr(scheduler, name)]
        if missing:
            raise RuntimeError(f"distributed {version('distributed')} has no {', '.join(missing)}")
        self.scheduler = scheduler
        self.fences = Fences(scheduler)
        self.uninvited = Uninvited(scheduler, self.fences)
        self.lines = Lines(lift=self.lift, end=self.end)
        self.leaving = Leaving(scheduler, self.fences)
        self.load = LoadFacts(scheduler, self.fences, self.lines)
        handlers = {
            "hello": self.hello,
            "line": self.lines.line,
            "load": self.load.load,
            "candidates": self.load.candidates,
            "fence": self._driver(self.fences.fence),
            "turn_away": self._driver(self.uninvited.turn_away),
            "expect": self._driver(self.uninvited.expect),
            "unfence": self._driver(self.fences.unfence),
            "finish": self._driver(self.leaving.finish),
            "seal": self._driver(self.leaving.seal),
            "remove": self._driver(self.leaving.remove),
            "rescue": self._driver(self.leaving.rescue),
            "force": self._driver(self.leaving.force),
        }
        self.handlers = {f"{PREFIX}{name}": handler for name, handler in handlers.items()}
        scheduler.handlers.update(self.handlers)
        self.fences.open()
        self.load.open()

    def hello(self) -> dict[str, Any]:
        """Which version this is, and who drives."""
        return {"package": self.package, "driver": self.lines.driver}

    def _driver(self, handler: Any) -> Any:
        """Let only the driver call this handler: one that was away too long must not act on what it believed."""

        async def checked(epoch: int, **arguments: Any) -> Any:
            if epoch != self.lines.epoch or not self.lines.driver:
                return {"not_driver": self.lines.driver or "nobody"}
            answer = handler(**arguments)
            return await answer if hasattr(answer, "__await__") else answer

        return checked

    def lift(self) -> None:
        """Undo what a driver has done, who is no longer there to finish it."""
        self.uninvited.forget()
        self.fences.lift_all()

    def end(self) -> None:
        """Leave the scheduler as it was before."""
        self.load.close()
        self.fences.close()
        for name, handler in self.handlers.items():
            if self.scheduler.handlers.get(name) is handler:
                del self.scheduler.handlers[name]
        if self.scheduler.plugins.get(NAME) is self:
            self.scheduler.remove_plugin(NAME)

    # What happens in the scheduler. `transition` is its hottest path: each line here counts.

    def transition(self, key: Any, start: str, finish: str, *_: Any, **more: Any) -> None:
        """A task has changed its state."""
        if start == "processing" or finish == "processing":
            self.load.moved(key, finish, more)
            if more.get("worker") in self.fences.fenced:
                self.fences.look_at(more["worker"])
        elif finish == "no-worker" or start == "no-worker":
            self.load.waits(key, finish)
            if finish == "no-worker":
                self.fences.may_be_needed(key)
                self.lines.wake("waiting")
        elif finish == "queued":
            self.lines.wake("queued")

    def log_event(self, topic: str, msg: Any) -> None:
        """Something has been written to the scheduler's log: a steal moves a task without changing its state."""
        if topic == "stealing" and isinstance(msg, tuple) and msg[0] == "confirm":
            self.load.stolen(msg[1])

    def update_graph(self, *_: Any, tasks: Any = (), **__: Any) -> None:
        """There is new work."""
        self.load.submitted(len(tasks))
        self.lines.wake("work")

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """A worker has registered, and will be given tasks as soon as this returns."""
        self.uninvited.came(worker)
        self.load.came(worker)
        self.lines.wake("workers")

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """A worker has gone."""
        self.load.went(worker)
        self.fences.forget(worker)
        self.lines.wake("workers")

    async def close(self) -> None:
        """The scheduler closes."""
        self.lines.hang_up()
