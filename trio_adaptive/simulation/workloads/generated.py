"""Workloads made from a seed, in families of documented shapes.

Each family stands for a kind of use. The same name and seed give the same tasks on every machine: chance is Python's
``random.Random``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Final

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.simulation.workloads.model import Task, Workload, make_workload

Chance = random.Random

HOUR: Final = 3600.0


def requests(chance: Chance) -> list[Task]:
    """Two hours of requests: Poisson arrivals, 0.2 to 3 a second in a wave of 40 min, lognormal, 4 s in the median."""
    tasks: list[Task] = []
    at = 0.0
    while at < 2 * HOUR:
        rate = 1.6 - 1.4 * math.cos(2 * math.pi * at / 2400)
        at += chance.expovariate(3.0)
        if chance.random() < rate / 3.0:
            tasks.append(Task(f"r{len(tasks)}", at, chance.lognormvariate(math.log(4), 0.7), (), "request"))
    return tasks


def functions(chance: Chance) -> list[Task]:
    """Four hours of 20 functions: some by a clock, some by chance, some in bursts; 0.05 s to 30 s each."""
    tasks: list[Task] = []
    for number in range(20):
        median = math.exp(chance.uniform(math.log(0.05), math.log(30)))
        for at in _calls(chance, number % 3, 4 * HOUR):
            duration = chance.lognormvariate(math.log(median), 0.5)
            tasks.append(Task(f"f{number}.{len(tasks)}", at, duration, (), f"function-{number}"))
    return tasks


def _calls(chance: Chance, kind: int, until: float) -> list[float]:
    if kind == 0:  # a clock
        period = chance.choice([20.0, 60.0, 300.0])
        offset = chance.uniform(0, period)
        return [offset + period * i for i in range(int((until - offset) / period))]
    calls: list[float] = []
    at = 0.0
    mean = chance.choice([20.0, 60.0, 240.0])
    while (at := at + chance.expovariate(1 / mean)) < until:
        calls += [at] if kind == 1 else [at + 0.2 * i for i in range(chance.randint(1, 10))]
    return calls


def batch(chance: Chance) -> list[Task]:
    """A day of batch jobs: 250 of them, 1 to 32 tasks of 10 s to 2 h each, more of them by day than by night."""
    tasks: list[Task] = []
    at = 0.0
    for job in range(250):
        at += chance.expovariate(1 / (150 if 7 * HOUR < at < 19 * HOUR else 700))
        duration = math.exp(chance.uniform(math.log(10), math.log(7200)))
        parts = range(2 ** chance.choice([0, 0, 0, 1, 2, 3, 4, 5]))
        tasks += [Task(f"j{job}.{part}", at, duration, (), f"program-{job % 12}") for part in parts]
    return tasks


def bursts(chance: Chance) -> list[Task]:
    """Thirty bursts of 50 to 400 tasks of 0.5 s in the median, with pauses of 10 s to 10 min between them."""
    tasks: list[Task] = []
    at = 0.0
    for burst in range(30):
        for part in range(chance.randint(50, 400)):
            duration = chance.lognormvariate(math.log(0.5), 0.4)
            tasks.append(Task(f"b{burst}.{part}", at, duration, (), f"step-{burst % 3}"))
        at += math.exp(chance.uniform(math.log(10), math.log(600)))
    return tasks


def trickle(chance: Chance) -> list[Task]:
    """An hour in which a task of 2 s to 20 s comes every 30 s in the mean."""
    tasks: list[Task] = []
    at = 0.0
    while (at := at + chance.expovariate(1 / 30)) < HOUR:
        tasks.append(Task(f"t{len(tasks)}", at, chance.uniform(2, 20), (), "trickle"))
    return tasks


def fan(chance: Chance) -> list[Task]:
    """One graph: 800 tasks of 4 s in the median, whose results one long task of 60 s collects: wide, then narrow."""
    tasks = [Task(f"m{i}", 0.0, chance.lognormvariate(math.log(4), 0.5), (), "map") for i in range(800)]
    return [*tasks, Task("collect", 0.0, 60.0, tuple(task.id for task in tasks), "collect")]


def stages(chance: Chance) -> list[Task]:
    """One graph: five stages of 20 to 300 tasks, each task waits for three of the stage before, 2 s to 40 s."""
    tasks: list[Task] = []
    before: list[Task] = []
    for stage in range(5):
        median = math.exp(chance.uniform(math.log(2), math.log(40)))
        here: list[Task] = []
        for part in range(chance.randint(20, 300)):
            deps = tuple(t.id for t in chance.sample(before, 3)) if before else ()
            duration = chance.lognormvariate(math.log(median), 0.3)
            here.append(Task(f"s{stage}.{part}", 0.0, duration, deps, f"stage-{stage}"))
        tasks += here
        before = here
    return tasks


def tree(chance: Chance) -> list[Task]:
    """One graph: the sum of an array: 1024 loads of 0.3 s, and a tree of sums over four each, 0.05 s."""
    level = [
        Task(f"load{i}", 0.0, chance.lognormvariate(math.log(0.3), 0.3), (), "load") for i in range(1024)
    ]
    tasks = list(level)
    while len(level) > 1:
        level = [
            Task(f"sum{len(tasks)}.{i}", 0.0, 0.05, tuple(t.id for t in level[i : i + 4]), "sum")
            for i in range(0, len(level), 4)
        ]
        tasks += level
    return tasks


def chains(chance: Chance) -> list[Task]:
    """One graph: 60 chains of four steps, 10 s, 60 s, 5 s and 30 s in the median, and one summary of 20 s."""
    tasks: list[Task] = []
    for chain in range(60):
        for step, median in enumerate((10, 60, 5, 30)):
            deps = (f"c{chain}.{step - 1}",) if step else ()
            duration = chance.lognormvariate(math.log(median), 0.4)
            tasks.append(Task(f"c{chain}.{step}", 0.0, duration, deps, f"step-{step}"))
    return [*tasks, Task("summary", 0.0, 20.0, tuple(f"c{chain}.3" for chain in range(60)), "summary")]


FAMILIES: Final[Mapping[str, Callable[[Chance], list[Task]]]] = {
    family.__name__: family
    for family in (requests, functions, batch, bursts, trickle, fan, stages, tree, chains)
}
"""All families by name."""


def generate(family: str, seed: int = 0) -> Workload:
    """A workload of this family.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if family not in FAMILIES:
        raise ConfigurationError([Mistake("workload", f"unknown family {family!r}", ", ".join(FAMILIES))])
    return make_workload(f"{family}-{seed}", FAMILIES[family](Chance(f"{family} {seed}")))
