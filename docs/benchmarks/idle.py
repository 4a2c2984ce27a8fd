"""What it costs to stand by: processor time and memory while four idle workers are kept, and the import."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import psutil
from common import (
    Contestant,
    alternating,
    check,
    contestant,
    is_worker,
    progress,
    role,
    table,
    times,
    trio_adaptive,
)
from contestants import MAXIMUM
from distributed import Client

SETTLE = 4.0
CONTESTANTS: dict[str, tuple[str, ...]] = {
    "trio-adaptive up": trio_adaptive(
        *("up", "--minimum", str(MAXIMUM), "--maximum", str(MAXIMUM), "--no-dashboard", "--plain")
    ),
    "the same without adapting": role("idle-ours-held"),
    "LocalCluster.adapt(), defaults": role("idle-upstream", "defaults"),
    'LocalCluster.adapt(interval="20ms")': role("idle-upstream", "20ms"),
    "LocalCluster without adapting": role("idle-upstream", "held"),
}
IMPORTS = ("pass", "import trio", "import trio_adaptive")


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rounds, seconds = (1, 5.0) if quick else (3, 20.0)
    found: dict[str, list[Sequence[float]]] = {name: [] for name in CONTESTANTS}
    for round_ in range(rounds):
        for name in alternating(list(CONTESTANTS), round_):
            progress(f"idle, round {round_ + 1} of {rounds}, {seconds:g} s: {name}")
            found[name].append(stand_by(CONTESTANTS[name], seconds))
    head = ("idle with 4 workers", "service, % of a core", "scheduler, %", "service, MiB", "scheduler, MiB")
    rows = [
        (name, *_cells([median(column) for column in zip(*runs, strict=True)]))
        for name, runs in found.items()
    ]
    return f"{table(head, rows)}\n\n{imports()}"


def _cells(figures: Sequence[float]) -> tuple[str, ...]:
    service_cpu, scheduler_cpu, service_memory, scheduler_memory = figures
    if scheduler_memory:
        return (
            f"{service_cpu:.2f}",
            f"{scheduler_cpu:.2f}",
            f"{service_memory:.0f}",
            f"{scheduler_memory:.0f}",
        )
    return f"{service_cpu:.2f}", "in the service", f"{service_memory:.0f}", "in the service"


def stand_by(command: tuple[str, ...], seconds: float) -> Sequence[float]:
    """Processor time in percent of one core, and memory in MiB, of the service and of its scheduler."""
    stop = signal.SIGTERM if "up" in command else None
    with contestant(*command, stop=stop) as one:
        with Client(_scheduler_of(one)) as client:
            client.wait_for_workers(MAXIMUM, timeout=60)
        time.sleep(SETTLE)
        service, scheduler = _who(one)
        watched = [each for each in (service, scheduler) if each is not None]
        before = [_used(each) for each in watched]
        begun = time.perf_counter()
        time.sleep(seconds)
        elapsed = time.perf_counter() - begun
        shares = [100 * (_used(each) - was) / elapsed for each, was in zip(watched, before, strict=True)]
        sizes = [each.memory_info().rss / 2**20 for each in watched]
        workers = sum(is_worker(each) for each in one.family())
        check(workers == MAXIMUM, f"{workers} workers instead of {MAXIMUM}")
        alone = [0.0] if scheduler is None else []
        return *shares, *alone, *sizes, *alone


def _scheduler_of(one: Contestant) -> str:
    """The address of its scheduler; a service tells its own first."""
    while (address := one.hear().split()[-1]).startswith("http"):
        pass
    return address


def _who(one: Contestant) -> tuple[psutil.Process, psutil.Process | None]:
    schedulers = [each for each in one.family() if "distributed.cli.dask_scheduler" in each.cmdline()]
    return psutil.Process(one.process.pid), schedulers[0] if schedulers else None


def _used(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system


def imports() -> str:
    """How long a fresh interpreter takes with one statement, in a table."""
    found: dict[str, list[float]] = {statement: [] for statement in IMPORTS}
    for _ in range(11):
        for statement in IMPORTS:
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            found[statement].append(time.perf_counter() - begun)
    without = "import trio_adaptive, sys; sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    subprocess.run([sys.executable, "-c", without], check=True)
    bare = median(found["pass"])
    rows = [
        (
            f"`{statement}`",
            f"{1000 * median(took):.0f}",
            f"{1000 * (median(took) - bare):.0f}",
            times(median(took), bare),
        )
        for statement, took in found.items()
    ]
    return table(("a new interpreter, median of 11", "ms", "more than `pass`, ms", "ratio"), rows)
