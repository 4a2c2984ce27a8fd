"""How long a worker takes to come, by the way it is started; what it takes of the memory; and what two hundred leave."""

from __future__ import annotations

import time
from statistics import mean, median

from common import (
    FORK_SERVER,
    TIMEOUT,
    Contestant,
    alternating,
    check,
    contestant,
    is_worker,
    progress,
    role,
    table,
)

PROGRAM = "starters.py"
NUMBERS = (1, 4, 16, 64)

NANNY, SPAWN, FORKSERVER = (
    "`dask worker --nanny`",
    "LocalCluster, nannies, spawn",
    "LocalCluster, nannies, forkserver",
)
COLD, WARM, SPARE = (
    "cold: `dask worker --no-nanny`",
    "warm: forked on demand",
    "spare: forked before, and waiting",
)

WAYS: dict[str, tuple[str, ...]] = {
    NANNY: ("start", "nanny"),
    SPAWN: ("start-nannies", "spawn"),
    FORKSERVER: ("start-nannies", "forkserver"),
    COLD: ("start", "cold"),
    WARM: ("start", "warm"),
    SPARE: ("start", "spare"),
}

HELD = 4
AGAIN = 200


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rounds = 1 if quick else 3
    numbers = NUMBERS[:2] if quick else NUMBERS
    return "\n\n".join([arrivals(rounds, numbers), memory(rounds), again(20 if quick else AGAIN)])


def arrivals(rounds: int, numbers: tuple[int, ...]) -> str:
    """From the start to the registration of the last."""
    found: dict[tuple[str, int], list[float]] = {(way, number): [] for way in WAYS for number in numbers}
    for round_ in range(rounds):
        for number in numbers:
            for way in alternating([*WAYS], round_):
                progress(f"starts, round {round_ + 1} of {rounds}: {number} workers, {way}")
                with contestant(*role(*WAYS[way], number, program=PROGRAM), grace=TIMEOUT) as one:
                    found[way, number].append(one.result())
    rows = [(way, *(f"{median(found[way, number]):.3f}" for number in numbers)) for way in WAYS]
    shown = [f"{number} at once" if number > 1 else "1 worker" for number in numbers]
    return table((f"start to registered, s, median of {rounds}", *shown), rows)


def memory(rounds: int) -> str:
    """What an idle worker takes."""
    rows = []
    for kind in ("nanny", "cold", "warm"):
        figures = []
        for round_ in range(rounds):
            progress(f"starts, round {round_ + 1} of {rounds}: memory, {kind}")
            with contestant(*role("hold", kind, HELD, program=PROGRAM)) as one:
                check(one.result() == "ready", "no workers")
                time.sleep(2)
                figures.append(shares(one, HELD * (2 if kind == "nanny" else 1)))
        own, proportional, server = (median(values) for values in zip(*figures, strict=True))
        rows.append((kind, f"{own:.0f}", f"{proportional:.0f}", f"{server:.0f}" if server else ""))
    head = (
        f"memory of one of {HELD} idle workers, MiB",
        "its own (USS)",
        "its share (PSS)",
        "fork server (PSS)",
    )
    return table(head, rows)


def shares(one: Contestant, expected: int) -> tuple[float, float, float]:
    """Of a worker, its nanny included: its own memory and its share; and the fork server's share, in MiB."""
    family = one.family()
    workers = [each for each in family if is_worker(each)]
    check(len(workers) == expected, f"{len(workers)} processes of workers")
    found = [each.memory_full_info() for each in workers]
    servers = [
        each.memory_full_info().pss
        for each in family
        if FORK_SERVER in " ".join(each.cmdline()) and each not in workers
    ]
    per_worker = expected / HELD / 2**20
    return (
        mean(info.uss for info in found) * per_worker,
        mean(info.pss for info in found) * per_worker,
        sum(servers) / 2**20,
    )


def again(number: int) -> str:
    """What is left of so many starts and stops."""
    progress(f"starts: {number} times one after the other")
    with contestant(*role("again", number, program=PROGRAM)) as one:
        before, early, late = one.result(), one.result(), one.result()
    rows = [
        (name, *(f"{each[name]:.1f}".removesuffix(".0") for each in (before, early, late))) for name in before
    ]
    return table(("one start and stop after the other", "before", "after 10", f"after {number}"), rows)
