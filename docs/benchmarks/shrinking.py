"""What shrinking costs: executions and keys while the size is driven up and down, recall, a hung drain, the wake-up."""

from __future__ import annotations

from statistics import median

from common import alternating, contestant, percentile, progress, role, table, times

SIDES = {
    "trio_adaptive.dask.Adaptive": "ours",
    "distributed.deploy.Adaptive": "upstream",
}
PROGRAM = "shrinkers.py"


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    parts = (sizes, recalls, hangs, wakes)
    return "\n\n".join(part(quick=quick) for part in parts)


def sizes(*, quick: bool) -> str:
    """200 tasks of random length while the size is driven 4 -> 1 -> 4 -> 1."""
    rounds, runs = (1, 2) if quick else (3, 10)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for round_ in range(rounds):
        for name in alternating(list(SIDES), round_):
            progress(f"shrinking, round {round_ + 1} of {rounds}: {name}")
            with contestant(*role("sizes", SIDES[name], runs, round_, program=PROGRAM)) as one:
                found[name] += [one.result() for _ in range(runs)]
    rows = [
        (
            name,
            str(len(each)),
            f"{min(run['executions'] for run in each)} to {max(run['executions'] for run in each)}",
            str(sum(run["executions"] == 200 for run in each)),
            str(sum(run["recomputed"] for run in each)),
            str(sum(run["lost"] for run in each)),
            f"{median(run['seconds'] for run in each):.2f}",
        )
        for name, each in found.items()
    ]
    head = (
        "200 tasks, 4 -> 1 -> 4 -> 1",
        "runs",
        "executions",
        "runs with 200",
        "run twice",
        "keys lost",
        "s",
    )
    return table(head, rows)


def recalls(*, quick: bool) -> str:
    """From the demand's return until a worker that was leaving computes, and until a new one does."""
    runs = 2 if quick else 15
    progress("shrinking: recall")
    with contestant(*role("recall", runs, program=PROGRAM)) as one:
        found = [one.result() for _ in range(runs)]
    names = {"recalled": "a worker that was leaving", "started": "a new worker"}
    base = median(run["recalled"] for run in found)
    rows = [
        (
            words,
            f"{1000 * median(run[name] for run in found):.0f}",
            f"{1000 * max(run[name] for run in found):.0f}",
            str(runs),
            times(median(run[name] for run in found), base),
        )
        for name, words in names.items()
    ]
    return table(("returning demand to its first task on, ms", "median", "slowest", "runs", "ratio"), rows)


def hangs(*, quick: bool) -> str:
    """From submit to the request for workers while the cluster's ``scale_down`` hangs for ever."""
    runs = 1 if quick else 5
    found: dict[str, list[float | None]] = {name: [] for name in SIDES}
    for round_ in range(runs):
        for name in alternating(list(SIDES), round_):
            progress(f"shrinking: a hung scale_down, {name}")
            with contestant(*role("hang", SIDES[name], program=PROGRAM)) as one:
                found[name].append(one.result())
    rows = [
        (
            name,
            "never" if None in each else f"{1000 * median(filter(None, each)):.0f}",
            "never (10 s)" if None in each else f"{1000 * max(filter(None, each)):.0f}",
            str(len(each)),
        )
        for name, each in found.items()
    ]
    return table(("submit to request beside a hung scale_down, ms", "median", "slowest", "runs"), rows)


def wakes(*, quick: bool) -> str:
    """From submit to the wake-up of the driver, with the probe and with a scheduler's stock events."""
    submits = 20 if quick else 200
    rows = []
    for words, way in (("the probe's line", "probe"), ("stock events", "stock")):
        progress(f"shrinking: wake-up by {words}")
        with contestant(*role("wake", way, submits, 1, program=PROGRAM)) as one:
            ms = [1000 * seconds for seconds in one.result()]
        rows.append((words, f"{median(ms):.1f}", f"{percentile(ms, 0.99):.1f}", str(submits)))
    return table(("submit to wake-up, ms", "median", "p99", "submits"), rows)
