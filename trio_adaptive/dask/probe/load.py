"""The load: what there is to do, and the workers that do it, told without looking through the tasks.

What cannot be read off the scheduler at any moment is kept as it happens: since when a worker has been without tasks,
the demand by class, and the calls that wait for a worker to put data on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, islice
from time import monotonic
from typing import Any

from distributed.core import Status

from .classes import Classes, has_class
from .facts import ROW, SAMPLED, duration, row, shared_bytes, under_way
from .kinds import kinds, measured
from .vetoes import bound, needed

LATER = 0.02
"""Seconds between a worker's running out of tasks and our telling: most get new ones at once."""

SERVING = (Status.running, Status.paused)


class LoadFacts:
    """What the plugin is asked for about the load, and what it has to be told for that.

    `moved` is called for each task that a worker gets or gives back: each line there counts.
    """

    def __init__(self, scheduler: Any, fences: Any, lines: Any) -> None:
        self._scheduler = scheduler
        self._fences = fences
        self._lines = lines
        self._tasks = scheduler.tasks
        self._workers = scheduler.workers
        self._idle: dict[str, float] = {}
        """Address of a worker without tasks -> since when."""
        self._ran_out: set[str] = set()
        self._some_ran_out = False
        self._later: asyncio.TimerHandle | None = None
        self._scatters = 0
        self._earlier: list[Any] = []
        """Calls of ``scatter`` that began before we did."""
        self._scatter: Any = None
        self._submissions = self._submitted = 0
        self.classes = Classes(scheduler)

    def open(self) -> None:
        """Begin, with what is there."""
        now = monotonic()
        self._loop = asyncio.get_running_loop()
        self._idle = {address: now for address, ws in self._workers.items() if not ws.processing}
        self.classes.take_over()
        self._scatter = self._scheduler.handlers.get("scatter")
        if self._scatter is not None:
            self._scheduler.handlers["scatter"] = self.scatter
            self._earlier = under_way("Scheduler.scatter")

    def close(self) -> None:
        """Undo what `open` has done."""
        if self._later is not None:
            self._later.cancel()
        if self._scatter is not None and self._scheduler.handlers.get("scatter") == self.scatter:
            self._scheduler.handlers["scatter"] = self._scatter

    # What happens.

    def moved(self, key: Any, finish: str, more: dict[str, Any]) -> None:
        """A task has been given to a worker, or has left it, in whatever way."""
        if finish == "processing":
            ts = self._tasks[key]
            address = ts.processing_on.address
            self._idle.pop(address, None)
            if ts.worker_restrictions or ts.resource_restrictions or ts.host_restrictions:
                self._place(ts, address)
            return
        if key in self.classes.tasks:
            self.classes.drop(key)
        if finish == "memory":
            address = more["worker"]
            if not self._workers[address].processing:
                self._idle[address] = monotonic()
                self._ran_out.add(address)
                self._look_later()
        else:  # nobody says any more which worker had it
            self._some_ran_out = True
            self._look_later()

    def submitted(self, tasks: int) -> None:
        """So many tasks have been submitted at once."""
        self._submissions += 1
        self._submitted += tasks

    def waits(self, key: Any, finish: str) -> None:
        """A task has become unrunnable, or is it no longer."""
        if finish == "no-worker":
            self._place(self._tasks[key], None)
        else:
            self.classes.drop(key)

    def stolen(self, key: Any) -> None:
        """A task has gone from one worker to another, which is no change of its state."""
        ts = self._tasks.get(key)
        if ts is None or ts.processing_on is None:
            return
        self._idle.pop(ts.processing_on.address, None)
        self._place(ts, ts.processing_on.address)
        self._some_ran_out = True
        self._look_later()

    def came(self, address: str) -> None:
        """A worker has registered."""
        self._idle[address] = monotonic()

    def went(self, address: str) -> None:
        """A worker has gone."""
        self._idle.pop(address, None)

    def _place(self, ts: Any, address: str | None) -> None:
        if has_class(ts):
            self.classes.put(ts, address)

    def _look_later(self) -> None:
        if self._later is None:
            self._later = self._loop.call_later(LATER, self._look)

    def _look(self) -> None:
        """Tell of workers that have run out of tasks and have got no others since."""
        self._later = None
        if self._some_ran_out:
            self._some_ran_out = False
            now = monotonic()
            for address, ws in self._workers.items():
                if not ws.processing and address not in self._idle:
                    self._idle[address] = now
                    self._ran_out.add(address)
        if not self._ran_out.isdisjoint(self._idle):
            self._lines.wake("idle")
        self._ran_out.clear()

    async def scatter(self, **arguments: Any) -> Any:
        """The scheduler's ``scatter``, which waits for a worker without anybody being told (dask/distributed#6686)."""
        self._scatters += 1
        if not self._scheduler.running:
            self._lines.wake("scatter")
        try:
            return await self._scatter(**arguments)
        finally:
            self._scatters -= 1

    def _waiting_scatters(self) -> int:
        self._earlier = [each for each in self._earlier if each.cr_frame is not None]
        return self._scatters + len(self._earlier)

    # What is asked.

    def load(self, rows: bool = False) -> dict[str, Any]:
        """What there is to do and who is there, for `decision.model.Work`; with ``rows`` also worker by worker.

        The rows are lists in the order of ``columns``. Takes as long with a million tasks as with none.
        """
        scheduler, workers = self._scheduler, self._all()
        finished, finished_seconds = measured(scheduler)
        answer: dict[str, Any] = {
            "workers": len(workers),
            "busy": sum([1 for ws in workers if ws.processing]),
            "threads": sum([ws.nthreads for ws in workers]),
            "processing": sum([len(ws.processing) for ws in workers]),
            "queued": len(scheduler.queued),
            "waiting": len(scheduler.unrunnable),
            "seconds": self._seconds(),
            "stored": sum([ws.nbytes for ws in workers]),
            "memory_limit": sum([ws.memory_limit for ws in workers]),
            "scatters": 0 if scheduler.running else self._waiting_scatters(),
            "classes": self.classes.listed(),
            "groups": kinds(scheduler),
            "submissions": self._submissions,
            "submitted": self._submitted,
            "finished": finished,
            "finished_seconds": finished_seconds,
        }
        if rows:
            now = monotonic()
            answer["columns"] = ROW
            answer["rows"] = [row(ws, self._idle_seconds(ws, now)) for ws in workers]
        return answer

    def candidates(self) -> list[dict[str, Any]]:
        """Each worker as one that might leave, for `decision.model.Candidate`."""
        now = monotonic()
        shared, why = shared_bytes(self._scheduler), self._why_it_stays()
        return [
            {
                "name": str(ws.name),
                "processing": len(ws.processing),
                "idle": self._idle_seconds(ws, now),
                "unique": ws.nbytes - shared.get(ws.address, 0),
                "stored": ws.nbytes,
                "stays": why(ws),
            }
            for ws in self._all()
        ]

    def _all(self) -> list[Any]:
        """The workers in any order: the scheduler's mapping is sorted, and takes its time to go through them so."""
        return list(dict.values(self._workers))

    def _seconds(self) -> float:
        """Estimated work, as `Scheduler.adaptive_target` adds it up."""
        scheduler = self._scheduler
        ready = len(scheduler.queued) + len(scheduler.unrunnable)
        first = list(islice(chain(scheduler.queued, scheduler.unrunnable), SAMPLED))
        there: float = scheduler.total_occupancy
        known = sum([duration(scheduler, ts.prefix) for ts in first])
        return there + known * ready / max(1, len(first))

    def _idle_seconds(self, ws: Any, now: float) -> float | None:
        if ws.processing:
            return None
        return now - self._idle.setdefault(ws.address, now)

    def _why_it_stays(self) -> Callable[[Any], str]:
        """A function that tells why a worker must not leave now; empty where nothing keeps it."""
        excluded, pinned = needed(self._scheduler, list(self._workers.values())), self.classes.only_by()

        def why(ws: Any) -> str:
            if ws.address in self._fences.fenced:
                return "it is leaving already"
            if ws.status not in SERVING:
                return f"it is {ws.status.name}"
            if ws.address in pinned:
                return "it has work that only it can do"
            return bound(ws) or excluded.get(ws.address, "")

        return why
