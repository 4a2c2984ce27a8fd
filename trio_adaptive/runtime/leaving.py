"""The end of adapting: what is in flight gets its time, then is called off; the workers stay or go by setting."""

from __future__ import annotations

import anyio
from attrs import evolve

from trio_adaptive.clusters.base import Cluster
from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Cancel, Drain, Stop, Unit, UnitId
from trio_adaptive.decision.state import units_for
from trio_adaptive.decision.victims import whole_units
from trio_adaptive.errors import ClusterError
from trio_adaptive.runtime.actions import Actions
from trio_adaptive.runtime.collector import taken_over
from trio_adaptive.runtime.scaler import Scaler


async def leave(scaler: Scaler, actions: Actions, port: Cluster, settings: Settings, end: Stop) -> None:
    """Bring everything to its end, within ``shutdown_timeout`` and the time that calling off takes.

    The caller shields it: it is a clean-up.
    """
    scaler.step(evolve(end, at=anyio.current_time()))
    actions.drop_questions()
    if actions.idle and settings.on_exit == "keep":
        scaler.take_waiting()
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scaler.run)  # outcomes still become records
        try:
            with anyio.move_on_after(settings.shutdown_timeout):
                await actions.wait_idle()
                await _give_back(actions, port, settings)
                await actions.wait_idle()
        finally:  # also where asyncio's own cancellation gets through the shield
            actions.recall_drains()
            actions.cancel_all()
        await actions.wait_idle()
        tasks.cancel_scope.cancel()
    scaler.take_waiting()


async def _give_back(actions: Actions, port: Cluster, settings: Settings) -> None:
    if settings.on_exit == "keep":
        return
    size = port.unit_size or 1
    keep = units_for(settings.minimum, size) if settings.on_exit == "minimum" else 0
    try:
        with anyio.fail_after(settings.call_timeout):
            seen = taken_over(await port.look(refresh=True), settings.name)
            units = [unit for unit in seen if unit.ours]
            pending, leaving = await _whom(actions, units, keep, size)
    except (ClusterError, TimeoutError):
        return  # nobody there to give them back to
    if pending:
        actions.start(Cancel(pending))
    if leaving:
        actions.start(Drain(leaving))


async def _whom(
    actions: Actions, units: list[Unit], keep: int, size: int
) -> tuple[tuple[UnitId, ...], tuple[UnitId, ...]]:
    registered = [unit for unit in units if unit.state == "registered"]
    pending = tuple(unit.id for unit in units if unit.state in {"requested", "failed", "lost"})
    excess = max(0, len(registered) - keep)
    if keep == 0:
        return pending, tuple(unit.id for unit in registered)
    names = await actions.suggest(keep * size)
    return pending, tuple(whole_units(names, registered)[:excess])
