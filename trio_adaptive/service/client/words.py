"""A status, as the API gives it, in words."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from trio_adaptive.decision.amounts import counted


def clusters_in_words(clusters: list[Mapping[str, Any]]) -> str:
    """All of them, each with a line of its own, and lines below for what is out of the ordinary."""
    lines = [line for status in clusters for line in _lines(status)]
    return "\n".join(lines) or "no cluster is up"


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    counts, size = status["counts"], status["unit_size"]
    parts = [f"{counts['observed'] * size} ready", f"{counts['busy'] * size} busy"]
    starting = (counts["plan"] - counts["observed"]) * size
    parts += [f"{starting} starting"] if starting else []
    parts += [f"{counts['draining'] * size} leaving"] if counts["draining"] else []
    target = "?" if status["target"] is None else status["target"] * size
    bounds = f"{status['minimum']}..{_number(status['maximum'])}"
    state = "" if status["stage"] == "running" else f" ({status['stage']})"
    yield f"{status['name']}{state}: {', '.join(parts)}; target {target} of {bounds}; policy {status['policy']}"
    yield from (f"    {line}" for line in _more(status))


def _more(status: Mapping[str, Any]) -> Iterator[str]:
    load, size = status.get("load"), status["unit_size"]
    if status["wanted"] is not None and status["wanted"] != status["target"]:
        yield f"the load asks for {status['wanted'] * size}: {'; '.join(status['reasons'])}"
    elif load is not None:
        yield f"load: {load['why']}"
    if status["paused"]:
        yield f"paused: {' and '.join(status['paused'])}"
    for key, words in (("hold", "held at"), ("floor", "requested: at least")):
        if status[key] is not None:
            yield f"{words} {status[key]['n']}{_until(status[key]['until'])}"
    yield from (f"open: {window}" for window in status["windows"])
    yield from status["blocked"]
    for key in ("note", "degraded", "unanswered", "stop_reason"):
        if status.get(key):
            yield f"{key.replace('_', ' ')}: {status[key]}"
    if status["journal"]:
        yield f"no journal: {status['journal']}"
    if status["failures"]:
        error = (status["last_error"] or "no reason given").splitlines()[0]
        yield f"{counted(status['failures'], 'launch')} in a row failed, breaker {status['breaker']}: {error}"


def _number(value: float | None) -> str:
    return "inf" if value is None or math.isinf(value) else f"{value:g}"


def _until(when: float | None) -> str:
    return "" if when is None else f" until {time.strftime('%H:%M:%S', time.localtime(when))}"
