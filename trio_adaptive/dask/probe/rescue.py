"""Moves what only the leaving workers have to others: the scheduler's own `RetireWorker` policy, without its rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from time import monotonic
from typing import Any

from distributed.active_memory_manager import ActiveMemoryManagerExtension, RetireWorker
from distributed.core import Status

POLL = 0.01
"""Seconds between two looks at what has been moved, with few keys; nothing tells."""

SLOWEST = 0.1
"""The same with thousands of keys."""

ROUND = 0.5
"""Seconds after which what has not arrived is sent again; the scheduler's own memory manager takes two."""

SHARE = 0.1
"""How much of the scheduler's time the memory manager may take for us; one run looks at all workers."""

SERVING = (Status.running, Status.paused)

NO_ROOM = "data that only it has fits on no other worker"


def is_unique(task: Any, worker: Any) -> bool:
    """Whether no worker that stays has this worker's result."""
    return not any(ws is not worker and ws.status in SERVING for ws in task.who_has or ())


def unique(worker: Any) -> list[Any]:
    """The tasks whose results are on no worker that stays."""
    return [task for task in worker.has_what if is_unique(task, worker)]


def has_unique(worker: Any) -> bool:
    """Whether there are such tasks."""
    return any(is_unique(task, worker) for task in worker.has_what)


class Rescuer:
    """Moves data for all drains of one scheduler: one run of its memory manager serves all that wait at the time."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._own: Any = None
        self._timer: Any = None
        self._ended = self._took = 0.0

    async def rescue(self, addresses: Iterable[str], given_up: Callable[[], bool]) -> str:
        """Copy to others what only these workers have.

        Args:
            addresses: of the leaving workers, which are fenced.
            given_up: whether nobody wants it any more.

        Returns:
            Why it cannot be done; empty when it is done, or was given up.
        """
        lock = getattr(self._scheduler, "_replica_lock", None)
        # The name is that of the scheduler's own retirements: they may run side by side, rebalancing may not.
        async with nullcontext() if lock is None else lock("retire-workers"):
            return await self._moved(list(addresses), given_up)

    async def _moved(self, addresses: list[str], given_up: Callable[[], bool]) -> str:
        policies: dict[str, Any] = {}
        asked = 0.0
        try:
            while not given_up():
                holding = [ws for each in addresses if (ws := self._scheduler.workers.get(each)) is not None]
                holding = [ws for ws in holding if has_unique(ws)]
                if not holding:
                    break
                if any(policy.no_recipients for policy in policies.values()):
                    return NO_ROOM
                if self._add(holding, policies) or monotonic() > asked + ROUND:
                    asked = monotonic()
                    self._run_soon()
                keys = max(len(ws.has_what) for ws in holding)
                await asyncio.sleep(max(POLL, min(SLOWEST, keys / 10_000)))
        finally:
            for policy in policies.values():
                policy.manager.policies.discard(policy)
        return ""

    def _add(self, holding: Iterable[Any], policies: dict[str, Any]) -> bool:
        """Whether there is a policy more: at first, and where one believed to be done."""
        manager, added = self._manager(), False
        for ws in holding:
            if policies.get(ws.address) not in manager.policies:
                policies[ws.address] = RetireWorker(ws.address)
                manager.add_policy(policies[ws.address])
                added = True
        return added

    def _manager(self) -> Any:
        """The scheduler's memory manager; one of ours where that does not run."""
        manager = self._scheduler.extensions.get("amm")
        if manager is not None and manager.running:
            return manager
        if self._own is None:
            self._own = ActiveMemoryManagerExtension(
                self._scheduler, policies=set(), register=False, start=False
            )
        return self._own

    def _run_soon(self) -> None:
        if self._timer is None:
            at = self._ended + self._took / SHARE
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - monotonic()), self._run)

    def _run(self) -> None:
        self._timer = None
        begun = monotonic()
        self._manager().run_once()
        self._ended = monotonic()
        self._took = self._ended - begun
