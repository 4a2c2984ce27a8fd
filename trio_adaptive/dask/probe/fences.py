"""The fence: workers that get no new tasks, and go on with those that they have.

A fenced worker has the status ``closing_gracefully`` on the scheduler, and only there: the worker itself is not told,
or it would no longer start what it has. Its queued tasks are asked back where another worker can do them. The workers
of one unit are fenced, and given back, together.

A fence is lifted by itself where it would do harm: the worker has come to hold an actor, a task on it has seceded, a
plugin needs the worker, or there is a task that nobody else can run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from distributed.core import Status

from .places import accepts, others_can
from .pulls import Pulls, stimulus_id
from .vetoes import bound, needed, stays

TICK = 0.1
"""Seconds between two looks at the fenced workers: a steal that was under way can land a task on one."""


@dataclass(eq=False)
class Fence:
    """Of one unit's workers.

    Attributes:
        addresses: the workers.
        said: the status that each worker has told of itself.
        lifted: why the fence no longer stands; empty while it does.
        final: whether the workers are made to go, so that nothing but the driver's end lifts it any more.
        news: set when something has happened to it.
    """

    addresses: tuple[str, ...]
    said: dict[str, str]
    lifted: str = ""
    final: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Fences:
    """All fences of one scheduler.

    Attributes:
        fenced: the fence of each fenced worker, by address.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.fenced: dict[str, Fence] = {}
        self._pulls = Pulls(scheduler)
        self._timer: Any = None
        self._noted: set[str] = set()
        self._stranded: list[Any] = []
        self._looking = False
        self._called_back: dict[str, int] = {}

    def open(self) -> None:
        """Listen to what workers say."""
        self._inner_status = self.scheduler.stream_handlers["worker-status-change"]
        self.scheduler.stream_handlers["worker-status-change"] = self._status
        self._pulls.open()

    def close(self) -> None:
        """Lift all, and listen no more."""
        self.lift_all("adapting has ended")
        self._pulls.close()
        if self.scheduler.stream_handlers["worker-status-change"] == self._status:
            self.scheduler.stream_handlers["worker-status-change"] = self._inner_status

    # What the driver asks for

    def fence(self, addresses: list[str], only_idle: bool, attempt: int) -> dict[str, Any]:
        """Fence these workers, unless one has to stay; those that have gone are left out.

        Args:
            addresses: of one unit's workers.
            only_idle: refuse where one has work.
            attempt: the number of the drain. A call that was given up may come after the one that takes it back.

        Returns:
            ``{"refused": why}``, empty where they are fenced.
        """
        if any(self._called_back.get(each, -1) >= attempt for each in addresses):
            return {"refused": "it was called back"}
        workers = [self.scheduler.workers[each] for each in addresses if each in self.scheduler.workers]
        why = self._refusal(workers, only_idle)
        if why or not workers:
            return {"refused": why}
        self._lift(addresses, "it is fenced anew")
        fence = Fence(tuple(ws.address for ws in workers), {ws.address: ws.status.name for ws in workers})
        for ws in workers:
            self.fenced[ws.address] = fence
            self._set(ws)
        for ws in workers:
            self._pulls.pull(ws)
        self._arm()
        return {"refused": ""}

    def unfence(self, addresses: list[str], attempt: int) -> dict[str, Any]:
        """Give these workers back to service, and end the drain of this number; returns who is there."""
        here = [each for each in addresses if each in self.scheduler.workers]
        self._called_back.update(dict.fromkeys(here, attempt))
        self._lift(addresses, "it was called back")
        return {"back": here}

    # What the other parts ask for

    def shut_out(self, ws: Any) -> None:
        """Fence a worker that has just come, for good: it is about to be ended."""
        self.fenced[ws.address] = Fence((ws.address,), {ws.address: ws.status.name}, final=True)
        self._set(ws)
        self._arm()

    def readmit(self, address: str) -> None:
        """Give a worker back that was shut out."""
        self._lift([address], "it is wanted after all")

    def around(self, addresses: Iterable[str]) -> Fence | None:
        """The fence around all of these workers that are there, None where there is none.

        A worker may have gone and come again, by the same address: then the fence no longer holds what it was for.
        """
        here = [each for each in addresses if each in self.scheduler.workers]
        fences = [self.fenced.get(each) for each in here]
        fence = next((each for each in fences if each is not None), None)
        if fence is not None and any(each is not fence for each in fences):
            self._lift(here, "a worker of it has come again")
            return None
        return fence

    def lift(self, fence: Fence, why: str) -> None:
        """Give the workers of one fence back to service."""
        if fence.lifted:
            return
        fence.lifted = why
        fence.news.set()
        for address in fence.addresses:
            if self.fenced.get(address) is fence:
                del self.fenced[address]
                self._pulls.forget(address)
                ws = self.scheduler.workers.get(address)
                if ws is not None and ws.status == Status.closing_gracefully:
                    status = Status[fence.said.get(address, "running")]
                    self.scheduler.handle_worker_status_change(status, ws, stimulus_id("unfence"))

    def lift_all(self, why: str = "its driver has gone") -> None:
        """Give all back: nobody is there to finish what was begun."""
        for fence in {id(fence): fence for fence in self.fenced.values()}.values():
            self.lift(fence, why)
        self._called_back.clear()

    def forget(self, address: str) -> None:
        """A worker has gone."""
        fence = self.fenced.pop(address, None)
        self._called_back.pop(address, None)
        self._pulls.gone()
        if fence is not None:
            self._pulls.forget(address)
            fence.news.set()

    def look_at(self, address: str) -> None:
        """A fenced worker has ended a task."""
        self._noted.add(address)
        self._look_soon()

    def may_be_needed(self, key: Any) -> None:
        """No worker can take this task: look whether a fence is the reason. Cheap, and called often."""
        if self.fenced:
            self._stranded.append(key)
            self._look_soon()

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    # How it stands

    def _refusal(self, workers: list[Any], only_idle: bool) -> str:
        for ws in workers:
            why = stays(self.scheduler, ws)
            if not why and only_idle and ws.processing:
                why = "it has work again"
            if why:
                return f"{ws.name}: {why}"
        s, leaving = self.scheduler, set(workers)
        if all(ws in leaving for ws in s.running) and self._has_work_for(workers):
            return "nobody else is there for the work"
        for ws in workers:
            if not all(others_can(s, ts, leaving) for ts in ws.processing):
                return f"{ws.name}: it has work that only it can do"
        return ""

    def _has_work_for(self, workers: list[Any]) -> bool:
        """Whether there is work that these workers do or could do, all others away."""
        s = self.scheduler
        if s.queued or any(ws.processing for ws in workers):
            return True
        # Who is running has been given all that it can run: what is unrunnable still would not be helped by its staying.
        return bool(s.unrunnable) and any(ws not in s.running for ws in workers)

    def _set(self, ws: Any) -> None:
        self.scheduler.handle_worker_status_change(Status.closing_gracefully, ws, stimulus_id("fence"))

    def _lift(self, addresses: Iterable[str], why: str) -> None:
        for address in addresses:
            if address in self.fenced:
                self.lift(self.fenced[address], why)

    def _status(self, status: Any, worker: Any, stimulus_id: str) -> Any:
        """A fenced worker that pauses or resumes for the sake of its memory does not lift its fence."""
        fence = self.fenced.get(worker)
        name = status if isinstance(status, str) else status.name
        if fence is not None:
            fence.said[worker] = name  # one that is closing of its own accord does not come back
            if name in ("running", "paused"):
                return None
        return self._inner_status(status=status, worker=worker, stimulus_id=stimulus_id)

    def _arm(self) -> None:
        if self._timer is None and self.fenced:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._noted.update(self.fenced)
            self._look()
            self._keep_one()
            for address in list(self.fenced):
                ws = self.scheduler.workers[address]
                if ws.status in (Status.running, Status.paused):  # somebody else has given it back
                    self._set(ws)
                if len(ws.processing) > len(ws.long_running):
                    self._pulls.pull(ws)
        finally:
            self._arm()

    def _look(self) -> None:
        self._looking = False
        noted, self._noted = self._noted, set()
        stranded, self._stranded = self._stranded, []
        for key in stranded:
            self._save(key)
        workers = [self.scheduler.workers[address] for address in noted & self.fenced.keys()]
        wanted = needed(self.scheduler, workers) if workers else {}
        for ws in workers:
            fence = self.fenced.get(ws.address)  # lifting one of a unit's lifts them all
            why = bound(ws) or wanted.get(ws.address, "")
            if fence is None:
                continue
            if why and not fence.final:
                self.lift(fence, f"{ws.name}: {why}")
            elif not ws.processing:
                fence.news.set()

    def _keep_one(self) -> None:
        """Where all others have gone or paused meanwhile, somebody has to do what is queued; nobody asks for it."""
        s = self.scheduler
        if not s.running and s.queued:
            for address, fence in self.fenced.items():
                if fence.said.get(address) == "running" and not fence.final:
                    self.lift(fence, "nobody else is there for the work")
                    return

    def _save(self, key: Any) -> None:
        """Lift one fence that stands between this task and a worker, if there is one."""
        task = self.scheduler.tasks.get(key)
        if task is None or task.state != "no-worker":
            return
        for address, fence in self.fenced.items():
            ws = self.scheduler.workers[address]
            if not fence.final and accepts(self.scheduler, task, ws):
                self.lift(fence, f"{ws.name}: work has come that only it can do")
                return
