"""Records the tasks of a scheduler as a workload that ``trio-adaptive simulate`` takes.

``dask scheduler --preload trio_adaptive.dask.recording FILE``, or ``scheduler.add_plugin(Recorder(FILE))`` in a program. A line of
JSON is written for each task when it is done, see `trio_adaptive.simulation.workloads.model.Task`: its key, when it was submitted,
how long it ran, what it waited for, and its kind, Dask's prefix. Times are seconds since the first submission.

A task that is computed again counts once; one that fails or is given up is left out. Of what a task waits for, that
is left out which never ran here, such as data that was scattered.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

import click
from distributed.diagnostics.plugin import SchedulerPlugin

NAME = "trio-adaptive-recorder"


class Recorder(SchedulerPlugin):  # type: ignore[misc]  # distributed is not typed
    """Writes one line for each task that is done.

    Args:
        path: the file; what was there is replaced.

    Raises:
        OSError: it cannot be written.
    """

    name = NAME
    idempotent = True

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        # Line by line, since a scheduler may be ended at any time. It is closed when the scheduler is.
        self._stream: TextIO = self._path.open("w", encoding="utf-8", buffering=1)
        self._began: float | None = None
        self._submitted: dict[Any, float] = {}
        self._names: dict[Any, str] = {}
        self._runs: dict[Any, int] = {}

    async def start(self, scheduler: Any) -> None:
        """Begin; called by the scheduler."""
        self._scheduler = scheduler

    def update_graph(self, *_: Any, tasks: Any = (), **__: Any) -> None:
        """There are new tasks; also such that are submitted again after they had been forgotten."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        for key in tasks:
            self._submitted[key] = now - self._began

    def transition(self, key: Any, start: str, finish: str, *_: Any, **more: Any) -> None:
        """A task has changed its state."""
        if start == "processing" and finish == "memory" and key in self._submitted:
            self._write(self._scheduler.tasks[key], more.get("startstops") or ())

    def _write(self, task: Any, startstops: Any) -> None:
        seconds = [each["stop"] - each["start"] for each in startstops if each["action"] == "compute"]
        submit = self._submitted.pop(task.key)
        run = self._runs[task.key] = self._runs.get(task.key, 0) + 1
        deps = sorted(self._names[dep.key] for dep in task.dependencies if dep.key in self._names)
        name = self._names[task.key] = str(task.key) if run == 1 else f"{task.key} #{run}"
        line = {
            "id": name,
            "submit": round(submit, 6),
            "duration": round(max(0.0, sum(seconds)), 6),
            "deps": deps,
            "group": task.prefix.name,
        }
        self._stream.write(json.dumps(line, separators=(",", ":")) + "\n")

    async def close(self) -> None:
        """The scheduler closes."""
        self._stream.close()


@click.command()
@click.argument("path")
def dask_setup(scheduler: Any, path: str) -> None:
    """Called by ``dask scheduler --preload``.

    Args:
        scheduler: that one.
        path: the file.
    """
    scheduler.add_plugin(Recorder(path))
