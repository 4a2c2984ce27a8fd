"""What the API shows of a cluster, as plain values that JSON has: no infinity, and no clock but the wall's."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, cast

import anyio
import attrs

from trio_adaptive.decision.model import Unit, UnitId
from trio_adaptive.decision.state import FlightKind
from trio_adaptive.journal.ledger import LedgerSummary
from trio_adaptive.runtime.lease import default_driver
from trio_adaptive.service.fleet import Fleet, Hosted

MILLISECONDS = 3
"""Decimals of a time: two answers that tell of one moment agree."""

STEP = 0.5
"""By how much, in seconds, the wall clock must have been set for times to be told by the new one."""


class WallClock:
    """Turns times of the event loop into seconds since the epoch, the same one into the same always."""

    def __init__(self) -> None:
        self._offset = math.inf

    def __call__(self, at: float) -> float | None:
        """The time of the wall clock; None for never."""
        offset = time.time() - anyio.current_time()
        if not abs(offset - self._offset) <= STEP:
            self._offset = offset
        return round(at + self._offset, MILLISECONDS) if math.isfinite(at) else None


def plain(value: object) -> Any:
    """What JSON can say of it; an infinite number is null."""
    if attrs.has(type(value)):
        value = cast("attrs.AttrsInstance", value)
        return {each.name: plain(getattr(value, each.name)) for each in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def status(hosted: Hosted, wall: WallClock) -> dict[str, Any]:
    """How a cluster is doing: its statistics, its load, its cost, and who it is."""
    scaler, now = hosted.scaler, hosted.scaler.statistics()
    return {
        "name": hosted.name,
        "time": round(time.time(), MILLISECONDS),
        "scheduler": hosted.scheduler,
        "dashboard": hosted.dashboard,
        "driver": scaler.settings.driver or default_driver(),
        **plain(now),
        "hold": None if now.hold is None else {"n": now.hold.n, "until": wall(now.hold.until)},
        "floor": None if now.floor is None else {"n": now.floor.n, "until": wall(now.floor.until)},
        "load": _load(hosted),
        "cost": _cost(scaler.cost, wall),
    }


def _load(hosted: Hosted) -> dict[str, Any] | None:
    """The work at the last look, without the single groups of tasks."""
    sample = hosted.scaler.sample
    if sample is None or sample.load.missing:
        return None
    load, work = sample.load, sample.load.work
    return {
        "target": load.target,
        "why": load.why,
        "processing": load.processing,
        "queued": None if work is None else work.queued,
        "waiting": None if work is None else work.waiting,
        "seconds": None if work is None else work.seconds,
        "memory": plain(load.memory),
    }


def _cost(summary: LedgerSummary, wall: WallClock) -> dict[str, Any]:
    names = attrs.fields_dict(LedgerSummary).keys() - {"series"}  # which is long, and for a chart of its own
    parts = {name: plain(getattr(summary, name)) for name in sorted(names)}
    seen = summary.peak > 0 or summary.ended > 0
    return {
        **parts,
        "began": wall(summary.began) if seen else None,
        "ended": wall(summary.ended) if seen else None,
        "duration": summary.duration,
        "paid": summary.paid,
        "fixed": summary.fixed,
        "saving": summary.saving,
    }


def workers(hosted: Hosted) -> list[dict[str, Any]]:
    """All workers at the last look, and the units that have been asked for since then."""
    sample, flights = hosted.scaler.sample, hosted.scaler.flights
    seen = () if sample is None else sample.units
    known = {unit.id for unit in seen}
    coming = [
        Unit(unit, "planned") for unit, kind in flights.items() if kind == "launch" and unit not in known
    ]
    return [_worker(unit, name, flights) for unit in (*seen, *coming) for name in unit.workers or (None,)]


DOING: Mapping[FlightKind, str] = {
    "launch": "starting",
    "cancel": "being cancelled",
    "drain": "draining",
    "leave": "draining",
    "recall": "being recalled",
}
"""The state of a unit to which something is being done."""


def _worker(unit: Unit, name: str | None, flights: Mapping[UnitId, FlightKind]) -> dict[str, Any]:
    flight = flights.get(unit.id)
    return {
        "name": name,
        "unit": unit.id,
        "state": unit.state if flight is None else DOING[flight],
        "tasks": unit.executing,
        "idle": unit.idle,
        "stored": unit.stored,
        "ours": unit.ours,
        "detail": unit.detail,
    }


def limits(hosted: Hosted) -> dict[str, Any]:
    """The bounds on the size, in workers."""
    now = hosted.scaler.statistics()
    return {"minimum": now.minimum, "maximum": plain(now.maximum)}


def policies(hosted: Hosted) -> dict[str, Any]:
    """How the size is found, and how others that only advise would have done."""
    now = hosted.scaler.statistics()
    return {"name": now.policy, "shadows": plain(now.shadows)}


def unready(fleet: Fleet) -> dict[str, str]:
    """The clusters that are not as they should be, and what is wrong with each."""
    missing = {name: "is not up yet" for name in fleet.expected if name not in fleet}
    wrong = {name: _trouble(hosted) for name, hosted in fleet.items()}
    return {**missing, **{name: trouble for name, trouble in wrong.items() if trouble}}


def _trouble(hosted: Hosted) -> str:
    now = hosted.scaler.statistics()
    if now.stage != "running":
        return f"is not adapting: {now.stop_reason or now.stage}"
    if now.unanswered or not now.samples:
        return now.unanswered or "has not been looked at yet"
    return ""
