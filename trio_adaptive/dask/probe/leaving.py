"""From the fence to the end: wait for the tasks, move the data, let go. All for the workers of one unit together."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import suppress
from time import time
from typing import Any

from .fences import Fence, Fences
from .pulls import stimulus_id
from .rescue import Rescuer, has_unique, unique

ROUNDS = 20
"""How often data may turn up again while it is moved, before the workers are given back."""

SENT = 0.5
"""How long a message to a worker may take to leave, in seconds."""


class Leaving:
    """What the driver asks for fenced workers.

    Workers that have gone meanwhile are no error: they are what was wanted. A fence that no longer stands is a refusal.
    """

    def __init__(self, scheduler: Any, fences: Fences) -> None:
        self.scheduler = scheduler
        self.fences = fences
        self._rescuer = Rescuer(scheduler)
        # Its name changed when a planned end was told from a lost worker.
        parameters = inspect.signature(scheduler.remove_worker).parameters
        self._planned = {"expected": True} if "expected" in parameters else {"safe": True}

    async def finish(self, addresses: list[str], wait: float) -> dict[str, Any]:
        """Wait until these workers have no tasks, and no data that nobody else has.

        Args:
            addresses: of one unit's workers, which are fenced.
            wait: for how many seconds at most, for their tasks.

        Returns:
            ``{"state": "ready" | "waiting" | "refused", "why": ...}``; refused ones are back in service.
        """
        fence = self.fences.around(addresses)
        if fence is None:
            return self._ended(addresses)
        for _ in range(ROUNDS):
            if not await self._empty(fence, wait):
                return {"state": "waiting"}
            why = fence.lifted or await self._rescue(fence)
            if fence.lifted or why:
                self.fences.lift(fence, why)
                return {"state": "refused", "why": fence.lifted}
            if not any(self._has(address) for address in addresses):
                return {"state": "ready"}
        self.fences.lift(fence, "data turns up again and again while it is moved")
        return {"state": "refused", "why": fence.lifted}

    async def remove(self, addresses: list[str], shut: bool) -> dict[str, Any]:
        """Let go of these workers, which `finish` has found ready; nothing may happen between the check and that.

        Args:
            addresses: of one unit's workers.
            shut: whether to tell them to close. (Not "close", which distributed's connections take for themselves.)

        Returns:
            ``{"state": "gone" | "busy" | "refused"}``; busy where something has come in the last moment.
        """
        fence = self.fences.around(addresses)
        if fence is None:
            return self._ended(addresses)
        if any(self._has(address) for address in addresses):
            return {"state": "busy"}
        for address in addresses:
            if self._has(address):  # since the one before it was removed, which takes a moment
                return {"state": "busy"}
            await self._let_go(address, shut)
        return {"state": "gone"}

    def seal(self, addresses: list[str]) -> dict[str, Any]:
        """Close the fence around these workers, which `finish` has found ready: only the driver opens it any more.

        For those that stay until their resource manager ends them. They must not be given work in that time, also where
        everybody else has gone. And nobody may count on their copies of data: another one that leaves would drop its own.

        Returns:
            ``{"state": "sealed" | "gone" | "busy" | "refused"}``; busy where something has come in the last moment.
        """
        fence = self.fences.around(addresses)
        if fence is None:
            return self._ended(addresses)
        if any(self._has(address) for address in addresses):
            return {"state": "busy"}
        for ws in self._present(addresses):
            keys = [ts.key for ts in ws.has_what if not ts.actor]  # proxies of actors are no data
            self.scheduler.request_remove_replicas(ws.address, keys, stimulus_id=stimulus_id("seal"))
        fence.final = True
        return {"state": "sealed"}

    async def rescue(self, addresses: list[str], wait: float) -> dict[str, Any]:
        """Move what can be moved within so many seconds, tasks or no tasks: the unit has to go.

        Returns:
            ``{"refused": why}``, where data that cannot be computed again would be lost; they are back in service.
        """
        fence = self.fences.around(addresses)
        if fence is None:
            return {"refused": self._ended(addresses).get("why", "")}
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._rescue(fence), wait)
        kept = [ts for ws in self._present(addresses) for ts in unique(ws) if ts.run_spec is None]
        if kept:
            self.fences.lift(fence, "it has data that fits on no other worker and cannot be computed again")
        fence.final = not fence.lifted
        return {"refused": fence.lifted}

    async def force(self, addresses: list[str], shut: bool) -> dict[str, Any]:
        """Let go of these workers now; what they were doing begins again elsewhere, and is nobody's fault.

        Returns:
            ``{"tasks": executions cut off, "seconds": how long they had run, "bytes": of results lost}``.
        """
        workers = self._present(addresses)
        now = time()
        # What has not begun has been asked back. How long the rest has run was told by the last heartbeat.
        running = [
            ws.executing.get(ts, 0.0) + max(0.0, now - ws.last_seen) for ws in workers for ts in ws.processing
        ]
        lost = {
            "tasks": len(running),
            "seconds": sum(running),
            "bytes": sum(ts.nbytes for ws in workers for ts in unique(ws) if ts.nbytes > 0),
        }
        for ws in workers:
            await self._let_go(ws.address, shut)
        return lost

    def _present(self, addresses: list[str]) -> list[Any]:
        return [self.scheduler.workers[each] for each in addresses if each in self.scheduler.workers]

    def _ended(self, addresses: list[str]) -> dict[str, Any]:
        if self._present(addresses):
            return {"state": "refused", "why": "it was given back to service meanwhile"}
        return {"state": "gone"}

    def _has(self, address: str) -> bool:
        ws = self.scheduler.workers.get(address)
        return ws is not None and bool(ws.processing or ws.actors or self._is_stealing(ws) or has_unique(ws))

    def _is_stealing(self, ws: Any) -> bool:
        """Whether a steal from before the fence may still bring it a task."""
        stealing = self.scheduler.extensions.get("stealing")
        return stealing is not None and any(each["thief"] is ws for each in stealing.in_flight.values())

    async def _empty(self, fence: Fence, wait: float) -> bool:
        """Whether its workers have run out of tasks, or the fence has been lifted, in time."""
        end = time() + wait
        while not fence.lifted and any(ws.processing for ws in self._present(list(fence.addresses))):
            fence.news.clear()
            try:
                await asyncio.wait_for(fence.news.wait(), max(0.0, end - time()))
            except asyncio.TimeoutError:
                return False
        return True

    async def _rescue(self, fence: Fence) -> str:
        return await self._rescuer.rescue(fence.addresses, lambda: bool(fence.lifted))

    async def _let_go(self, address: str, shut: bool) -> None:
        """Awaited at once, it has happened before anything else can."""
        stream = self.scheduler.stream_comms.get(address)
        stimulus = stimulus_id("remove")
        await self.scheduler.remove_worker(address, close=shut, stimulus_id=stimulus, **self._planned)
        if shut:
            await _sent(stream)


async def _sent(stream: Any) -> None:
    """Wait, if not for long, until the word to close is on its way.

    It leaves a few milliseconds later. A cluster object that waits for the worker's end on this very loop would wait for
    ever.
    """
    end = time() + SENT
    while getattr(stream, "buffer", None) and time() < end:
        await asyncio.sleep(0.001)
