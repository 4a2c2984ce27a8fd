"""Why a worker must not leave, whatever the load."""

from __future__ import annotations

from typing import Any


def bound(worker: Any) -> str:
    """The reason in words, as far as the worker itself is one; empty where it is none."""
    if worker.actors:
        return "it holds an actor"
    if worker.long_running:
        return "a task on it has seceded or uses a worker_client"
    return ""


def stays(scheduler: Any, worker: Any) -> str:
    """The reason in words; empty where nothing keeps it."""
    why = bound(worker)
    if why:
        return why
    for plugin in list(scheduler.plugins.values()):
        valid = getattr(plugin, "valid_workers_downscaling", None)
        if valid is not None and not valid(scheduler, [worker]):
            return f"{type(plugin).__name__} needs it"
    return ""


def needed(scheduler: Any, workers: list[Any]) -> dict[str, str]:
    """Those of the workers that a plugin does not let go, and why, by address.

    Each plugin is asked once for all of them: that of P2P shuffles (dask/distributed#8579, #8610) gathers the participants
    for each question.
    """
    reasons: dict[str, str] = {}
    for plugin in list(scheduler.plugins.values()):
        valid = getattr(plugin, "valid_workers_downscaling", None)
        if valid is not None:
            free = {ws.address for ws in valid(scheduler, workers)}
            if len(free) < len(workers):
                why = f"{type(plugin).__name__} needs it"
                reasons.update((ws.address, why) for ws in workers if ws.address not in free)
    return reasons
