"""What a person sees while the service runs: a live line on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext

import trio
from rich.text import Text

from trio_adaptive.decision.model import Shadowed
from trio_adaptive.journal.words import in_words
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.history import Statistics
from trio_adaptive.service.terminal import bottom_line

logger = logging.getLogger("trio_adaptive")


@asynccontextmanager
async def watched(scaler: Adaptive, *, live: bool) -> AsyncGenerator[None]:
    """Show how the scaler is doing for as long as the block lasts.

    Args:
        scaler: which one.
        live: draw a status line on stderr, which has to be a terminal; the log lines are kept for what goes wrong.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_log, scaler, logging.DEBUG if live else logging.INFO)
        async with bottom_line(lambda: status_text(scaler)) if live else nullcontext():
            yield
        nursery.cancel_scope.cancel()


async def _log(scaler: Adaptive, level: int) -> None:
    async for record in scaler.records():
        silent = record.kind == "sample failed" and not (record.decision and record.decision.actions)
        words = "" if silent else in_words(record)  # of silence the scaler tells itself, less and less often
        if words:
            logger.log(level, "%s", words)


def status_text(scaler: Adaptive) -> Text:
    """One line: sizes by state, the target and its limits, and what it has cost."""
    now = scaler.statistics()
    counts, cost = now.counts, scaler.cost
    starting = counts.plan - counts.observed
    size = now.unit_size  # all numbers are workers here, as the bounds are
    text = Text(" trio-adaptive ", style="reverse")
    text.append(f" {counts.observed * size} ready", style="bold")
    text.append(f" · {counts.busy * size} busy", style="green")
    for number, what, style in ((starting, "starting", "yellow"), (counts.draining, "leaving", "magenta")):
        if number:
            text.append(f" · {number * size} {what}", style=style)
    text.append(
        f" │ target {'?' if now.target is None else now.target * size} of {now.minimum}..{now.maximum:g}"
    )
    if now.wanted is not None and now.wanted != now.target:
        text.append(f", load asks for {now.wanted * size}")
        if now.reasons:
            text.append(f" ({'; '.join(now.reasons)})")
    if now.budget is not None:
        text.append(f" │ {now.budget.used:.3g} of {now.budget.hours:g} worker-hours")
        text.append(f", burning at {now.budget.burn_rate:.2g}")
    text.append(f" │ {cost.paid:.0f} worker-seconds in {cost.duration:.0f} s")
    for shadow in now.shadows:
        text.append(f" │ {shadow_in_words(shadow, size)}", style="dim")
    _append_trouble(text, now)
    return text


def _append_trouble(text: Text, now: Statistics) -> None:
    for words in now.blocked:
        text.append(f" │ {words}", style="yellow")
    if now.degraded:
        text.append(f" │ degraded: {now.degraded.splitlines()[0]}", style="yellow")
    if now.journal:
        text.append(f" │ no journal: {now.journal}", style="yellow")
    if now.failures:
        broken = "" if now.breaker == "closed" else f", breaker {now.breaker}"
        error = now.last_error.splitlines()[0] if now.last_error else "no reason given"
        text.append(f" │ {now.failures} failed{broken}: {error}", style="bold red")


def shadow_in_words(shadow: Shadowed, size: int) -> str:
    """What a policy that only advises would have done; ``size`` is that of a unit."""
    if shadow.error:
        return f"{shadow.name} advises no more: {shadow.error}"
    target = "?" if shadow.target is None else shadow.target * size
    return f"{shadow.name}: {target}, {shadow.cost:+.0f} worker-seconds, {shadow.waiting:+.0f} s of waiting"
