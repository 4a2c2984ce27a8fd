"""Workers that are no longer wanted before they have come.

A start that is called off takes its time to end. A worker that registers meanwhile would be given tasks, and be ended in
the middle of them.
"""

from __future__ import annotations

from typing import Any

from .fences import Fences


class Uninvited:
    """The names of those that get no work, should they still come."""

    def __init__(self, scheduler: Any, fences: Fences) -> None:
        self.scheduler = scheduler
        self._fences = fences
        self._names: set[str] = set()

    def turn_away(self, names: list[str]) -> dict[str, Any]:
        """Keep work from workers of these names that are to come.

        Returns:
            ``{"here": [...]}``: names of those that have come already, and are not turned away.
        """
        here = {str(ws.name) for ws in self.scheduler.workers.values()}.intersection(names)
        self._names.update(set(names) - here)
        return {"here": sorted(here)}

    def expect(self, names: list[str], back: bool) -> dict[str, Any]:
        """Let workers of these names come again; with ``back`` those that have come meanwhile get work as well."""
        self._names.difference_update(names)
        for ws in list(self.scheduler.workers.values()):
            if back and str(ws.name) in names:
                self._fences.readmit(ws.address)
        return {}

    def came(self, address: str) -> None:
        """A worker has registered; it has not been given anything yet."""
        if self._names:
            ws = self.scheduler.workers[address]
            if str(ws.name) in self._names:
                self._fences.shut_out(ws)

    def forget(self) -> None:
        """Nobody drives any more who has asked for this."""
        self._names.clear()
