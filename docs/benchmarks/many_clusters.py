"""A thousand clusters in one process: processor time of a decision, memory of a cluster, and how late the looks are.

    python docs/benchmarks/many_clusters.py [CLUSTERS]

The clusters are fakes, so that what is measured is ours: the collectors, the decisions, the records, the division of a shared
maximum, and what the service keeps of each cluster. Each has its interval of a second, and another load every ten seconds.
"""

from __future__ import annotations

import gc
import random
import sys
import time

import psutil
import trio
from attrs import define, field
from common import check, percentile, progress, table

from trio_adaptive import adaptive
from trio_adaptive.config import Settings
from trio_adaptive.service.collection import seldom_collected
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.sharing import Sharing
from trio_adaptive.testing import FakeCluster

MOST = 4
"""Workers that a cluster asks for at most."""

CHANGE = 10.0
"""Mean time between two changes of the load of a cluster, in seconds."""

PATIENCE = 120.0
"""How long, in seconds, all of them may take to begin."""

KEPT = 100
"""Records that are kept of a cluster where there are as many; the default of a configuration file."""


@define(eq=False)
class Quiet(FakeCluster):
    """A fake cluster that remembers no calls, and how late each look was."""

    interval: float = field(default=1.0, kw_only=True)
    late: list[float] = field(factory=list, kw_only=True)
    last: float | None = None

    async def look(self, *, refresh):
        now = trio.current_time()
        if refresh and self.last is not None:
            self.late.append(max(0.0, now - self.last - self.interval))
        if refresh:
            self.last = now
        self.calls.clear()
        return await super().look(refresh=refresh)


@define
class Town:
    """Clusters that run beside each other in one program."""

    settings: Settings
    number: int
    total: float
    chance: random.Random = field(factory=lambda: random.Random(1))
    clusters: list[Quiet] = field(factory=list)
    fleet: Fleet = field(factory=lambda: Fleet(lambda _: None))

    async def live(self, settle: float, measured: float) -> tuple[float, float, list[float]]:
        """CPU seconds and decisions of so many seconds, and how late each look was; all begun beforehand."""
        sharing = Sharing(self.total)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sharing.run)
            for index in range(self.number):
                nursery.start_soon(self._host, f"c{index}", sharing)
            nursery.start_soon(self._change_loads)
            with trio.move_on_after(PATIENCE):
                while len(self.fleet) < self.number:
                    await trio.sleep(0.1)
            check(len(self.fleet) == self.number, "not all clusters are up")
            await trio.sleep(settle)
            for cluster in self.clusters:
                cluster.late.clear()
            cpu, looks = time.process_time(), self._looks()
            await trio.sleep(measured)
            cpu, looks = time.process_time() - cpu, self._looks() - looks
            late = [each for cluster in self.clusters for each in cluster.late]
            nursery.cancel_scope.cancel()
        return cpu, looks, late

    async def _host(self, name: str, sharing: Sharing) -> None:
        # Not all at the same moment, as clusters come and go in a real service.
        await trio.sleep(self.chance.random() * self.settings.interval)
        cluster = Quiet(self.chance.randint(0, MOST), interval=self.settings.interval)
        self.clusters.append(cluster)
        async with adaptive(cluster, settings=self.settings, prepare=sharing.joining(name, 1)) as scaler:
            self.fleet.add(Hosted(name, scaler))
            sharing.follow(name, scaler)
            await trio.sleep_forever()

    async def _change_loads(self) -> None:
        while True:
            await trio.sleep(CHANGE * self.settings.interval / self.number)
            if self.clusters:
                self.chance.choice(self.clusters).wanted = self.chance.randint(0, MOST)

    def _looks(self) -> float:
        return sum(hosted.scaler.statistics().samples for hosted in self.fleet.values())


def memory() -> float:
    """Of this process, in bytes."""
    gc.collect()
    return psutil.Process().memory_info().rss


async def begun(number: int, settings: Settings, looks: float) -> float:
    """Bytes of one of so many clusters after so many looks."""
    before = memory()
    town = Town(settings, number, float("inf"))
    found = 0.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(town.live, looks * settings.interval + 3600, 0)
        await trio.sleep(2 * settings.interval)
        while town._looks() < looks * number:  # noqa: SLF001 - its own file
            await trio.sleep(0.2)
        found = memory() - before
        nursery.cancel_scope.cancel()
    return found / number


def measure(*, quick: bool, number: int = 1000) -> str:
    """Run it; returns the results as Markdown."""
    number, seconds = (100, 5.0) if quick else (number, 30.0)
    few = max(10, number // 10)
    progress(f"memory of {few} clusters")
    settings = Settings(maximum=10, interval=0.05, min_interval=0.0, log_length=KEPT)
    short, long = (trio.run(begun, few, settings, looks) / 1000 for looks in (5, 2 * KEPT))
    rows = []
    for words, total in (
        ("each for itself", float("inf")),
        ("a maximum of 2 each, shared by all", 2.0 * number),
    ):
        progress(f"{number} clusters, {words}: {seconds:g} s")
        town = Town(Settings(maximum=10, log_length=KEPT), number, total)
        with seldom_collected(number):
            cpu, looks, late = trio.run(town.live, 10.0, seconds)
        rows.append(
            (
                words,
                f"{looks / seconds:.0f}",
                f"{1000 * cpu / looks:.3f}",
                f"{100 * cpu / seconds:.0f}",
                f"{1000 * percentile(late, 0.5):.1f}",
                f"{1000 * percentile(late, 0.99):.1f}",
            )
        )
    head = (
        f"{number} clusters",
        "looks a second",
        "CPU of a look, ms",
        "of a core, %",
        "late, ms, median",
        "late, ms, p99",
    )
    return (
        f"{table(head, rows)}\n\n"
        f"Memory of a cluster: {short:.0f} kB at the beginning, {long:.0f} kB with all {settings.log_length} records."
    )


if __name__ == "__main__":
    print(measure(quick=False, number=int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
