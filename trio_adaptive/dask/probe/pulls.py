"""Asks a fenced worker's queued tasks back, so that others do them sooner.

This is the scheduler's own way of stealing: a ``steal-request`` to the worker, which answers with the state in which
the task was. One that had not begun is given to another worker; one that has begun stays where it is.

A worker gives up a task when it is asked, not when its answer is heard. So each answer is acted on, also when the
fence has been lifted meanwhile or the probe is about to go: otherwise nobody would ever do the task.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from .places import others_can

NOT_BEGUN = ("ready", "constrained", "waiting", "released", None)
"""The worker's answers for a task that it has not begun, or does not know."""

numbers = itertools.count()


def stimulus_id(what: str) -> str:
    """A number for the scheduler's log, by which it tells causes apart."""
    return f"trio-adaptive-{what}-{next(numbers)}"


class Pulls:
    """The tasks that have been asked back."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self._asked: dict[str, tuple[Any, Any, Any]] = {}
        """Number of a question -> task, number of its run, worker: which have not been answered."""
        self._seen: dict[str, set[tuple[Any, Any]]] = {}
        """Address of a fenced worker -> its runs of tasks that have been asked for."""
        self._closing = False

    def open(self) -> None:
        """Listen to the workers' answers."""
        self._inner = self.scheduler.stream_handlers.get("steal-response")
        self._ours = self._awaited if inspect.iscoroutinefunction(self._inner) else self._answer
        self.scheduler.stream_handlers["steal-response"] = self._ours

    def close(self) -> None:
        """Listen no more, once all questions have been answered."""
        self._closing = True
        self._close_if_answered()

    def pull(self, worker: Any) -> None:
        """Ask back all tasks that others can do and that have not been asked for before."""
        if not worker.processing:
            return
        stealing = self.scheduler.extensions.get("stealing")
        seen = self._seen.setdefault(worker.address, set())
        for ts in list(worker.processing):
            run = ts.key, getattr(ts, "run_id", None)
            if ts in worker.long_running or run in seen:
                continue
            if stealing is not None and ts in stealing.in_flight:
                continue  # the scheduler's own stealing has asked already
            if others_can(self.scheduler, ts, ()):  # fenced ones are not running
                if stealing is not None:
                    stealing.remove_key_from_stealable(ts)
                seen.add(run)
                self._ask(ts, worker)

    def forget(self, address: str) -> None:
        """A fence is over: what was asked does not count for the next one."""
        self._seen.pop(address, None)

    def gone(self) -> None:
        """A worker has gone: it answers no more."""
        if self._asked:
            workers = self.scheduler.workers
            self._asked = {
                number: asked
                for number, asked in self._asked.items()
                if workers.get(asked[2].address) is asked[2]
            }

    def _ask(self, ts: Any, worker: Any) -> None:
        stimulus = stimulus_id("pull")
        message = {"op": "steal-request", "key": ts.key, "stimulus_id": stimulus}
        try:
            self.scheduler.stream_comms[worker.address].send(message)
        except OSError:  # CommClosedError is one: the worker is going, and its tasks with it
            return
        self._asked[stimulus] = ts.key, getattr(ts, "run_id", None), worker

    async def _awaited(self, **answer: Any) -> None:
        """For schedulers up to 2023.12, whose handler is a coroutine."""
        result = self._answer(**answer)
        if result is not None:
            await result

    def _answer(self, *, key: Any, state: Any, stimulus_id: str, worker: Any = None) -> Any:
        asked = self._asked.pop(stimulus_id, None)
        if asked is None:
            if self._inner is None:
                return None
            return self._inner(key=key, state=state, stimulus_id=stimulus_id, worker=worker)
        ts = self.scheduler.tasks.get(key)
        _, run, ws = asked
        # It may have ended, been released or been given away while the answer was on its way.
        here = ts is not None and ts.state == "processing" and ts.processing_on is ws
        if here and getattr(ts, "run_id", None) == run and state in NOT_BEGUN:
            self.scheduler._reschedule(key, ws.address, stimulus_id=stimulus_id)  # noqa: SLF001 - as stealing does
        self._close_if_answered()
        return None

    def _close_if_answered(self) -> None:
        if not self._closing:
            return
        self.gone()  # nobody tells any more when a worker goes
        if self._asked:
            return
        handlers = self.scheduler.stream_handlers
        if handlers.get("steal-response") == self._ours:
            if self._inner is None:
                del handlers["steal-response"]
            else:
                handlers["steal-response"] = self._inner
