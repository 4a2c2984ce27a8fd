"""A burst of work on an empty cluster: how long until all is done, and what the workers cost until they have gone."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Sequence
from statistics import median

from common import WorkerMeter, alternating, check, contestant, progress, role, table, trio_adaptive
from contestants import MAXIMUM, NAP

SIZES = (1, 40)
OURS, COLD, UPSTREAM = "trio-adaptive run", "trio-adaptive run --cold", "LocalCluster.adapt()"
BY_HAND = "started by hand"


def command(name: str, tasks: int) -> tuple[str, ...]:
    if name == UPSTREAM:
        return role("burst-upstream", tasks)
    if name == BY_HAND:
        return role("burst-by-hand", tasks)
    options = ("--maximum", str(MAXIMUM), "--no-dashboard", "--quiet")
    more = ("--cold",) if name == COLD else ()
    return trio_adaptive("run", *more, *options, "--", *role("burst-script", tasks))


def one_burst(name: str, tasks: int, delay: float) -> dict[str, float]:
    """Figures of one run, in seconds."""
    with contestant(*command(name, tasks)) as one:
        check(one.result() == "ready", "no Client")
        time.sleep(1 + delay)  # the slowest poller looks once a second: any phase is as likely
        meter = WorkerMeter(one)
        meter.start()
        try:
            one.say("go")
            answer = one.result()
            meter.wait_empty()
        finally:
            meter.close()
    arrivals = answer["arrivals"]
    check(1 <= meter.peak <= MAXIMUM, f"{meter.peak} workers")
    return {
        "first": arrivals[0],
        "workers": float(len(arrivals)),
        "done": answer["done"],
        "paid": meter.paid,
        "limit": limit(arrivals, tasks),
    }


def limit(arrivals: Sequence[float], tasks: int) -> float:
    """When the last task could be done at the earliest, with workers that arrive at these times and lose no time."""
    free = list(arrivals)
    heapq.heapify(free)
    last = 0.0
    for _ in range(tasks):
        last = heapq.heappop(free) + NAP
        heapq.heappush(free, last)
    return last


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rounds = 2 if quick else 5
    names = (OURS, COLD, UPSTREAM, BY_HAND)
    found: dict[tuple[int, str], list[dict[str, float]]] = {(n, name): [] for n in SIZES for name in names}
    dice = random.Random(0)
    for round_ in range(rounds):
        for tasks in SIZES:
            delay = dice.random()
            for name in alternating(names, round_):
                progress(f"bursts, round {round_ + 1} of {rounds}: {tasks} tasks, {name}")
                found[tasks, name].append(one_burst(name, tasks, delay))
    return "\n\n".join(_table(tasks, {name: found[tasks, name] for name in names}) for tasks in SIZES)


def _table(tasks: int, found: dict[str, list[dict[str, float]]]) -> str:
    def middle(name: str, figure: str) -> float:
        return median(run[figure] for run in found[name])

    def to_limit(name: str) -> float:
        # Of one round each, so that both had the same machine.
        pairs = zip(found[name], found[BY_HAND], strict=True)
        return median(run["done"] / floor["limit"] for run, floor in pairs)

    floor = middle(BY_HAND, "limit")
    rows = [
        (
            name,
            f"{middle(name, 'first'):.2f}",
            f"{middle(name, 'done'):.2f}",
            f"{max(run['done'] for run in found[name]):.2f}",
            f"{to_limit(name):.2f}",
            f"{middle(name, 'workers'):.0f}",
            f"{middle(name, 'paid'):.1f}",
        )
        for name in found
    ]
    bare = ("limit", f"{middle(BY_HAND, 'first'):.2f}", f"{floor:.2f}", "", "1", "", f"{tasks * NAP:.1f}")
    work = "1 task" if tasks == 1 else f"{tasks} tasks"
    head = (
        f"{work} of {NAP} s, {len(found[OURS])} runs",
        "first worker, s",
        "all done, s",
        "slowest, s",
        "to the limit",
        "workers",
        "paid, worker-s",
    )
    return table(head, [*rows, bare])
