"""What a scrape of the metrics costs, and what decisions feel of it, by the number of clusters in one process."""

from __future__ import annotations

import math
import sys
import time
from contextlib import AsyncExitStack

import trio
from attrs import define, field
from common import percentile, progress, table

from trio_adaptive import adaptive
from trio_adaptive.service.metrics.exposition import exposition, text_of
from trio_adaptive.service.metrics.snapshot import snapshot
from trio_adaptive.testing import FakeCluster

PROBE_S = 0.01
EVERY_S = 5.0


@define
class Lateness:
    """How much later than due the event loop got round to a task, in seconds."""

    values: list[float] = field(factory=list)

    async def measure(self, seconds: float) -> None:
        end = due = trio.current_time() + PROBE_S
        end += seconds
        while due < end:
            await trio.sleep_until(due)
            self.values.append(trio.current_time() - due)
            due = max(due + PROBE_S, trio.current_time())

    @property
    def p99_ms(self) -> float:
        return 1000 * percentile(self.values, 0.99)


async def scraping(scalers) -> None:
    while True:
        await exposition(scalers)
        await trio.sleep(EVERY_S)


def cost_of_text(snapshots) -> tuple[float, int]:
    """The CPU time of this thread alone, and the bytes."""
    begun = time.thread_time()
    text = text_of(snapshots)
    return time.thread_time() - begun, len(text)


async def compare(clusters: int, seconds: float) -> tuple[str, ...]:
    async with AsyncExitStack() as stack:
        scalers = {
            f"cluster-{number}": await stack.enter_async_context(
                adaptive(FakeCluster(3), maximum=5, call_timeout=60)
            )
            for number in range(clusters)
        }
        await trio.sleep(2)
        snapshots = [snapshot(name, scaler) for name, scaler in scalers.items()]
        best, length = math.inf, 0
        for _ in range(3):
            cpu, length = await trio.to_thread.run_sync(cost_of_text, snapshots)
            best = min(best, cpu)
        without, with_scrapes = Lateness(), Lateness()
        await without.measure(seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scraping, scalers)
            await with_scrapes.measure(seconds)
            nursery.cancel_scope.cancel()
    return (
        str(clusters),
        f"{1000 * best:.0f}",
        f"{length / 1000:.0f}",
        f"{without.p99_ms:.1f}",
        f"{with_scrapes.p99_ms:.1f}",
    )


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rows = []
    for clusters in (1, 10) if quick else (1, 30, 100, 300):
        progress(f"scrapes of {clusters} clusters")
        rows.append(trio.run(compare, clusters, 3.0 if quick else 15.0))
    head = (
        "clusters",
        "CPU of a scrape, ms",
        "its text, kB",
        "event loop late, p99, ms",
        f"with a scrape every {EVERY_S:g} s",
    )
    return table(head, rows)


if __name__ == "__main__":
    print(measure(quick="--quick" in sys.argv))
