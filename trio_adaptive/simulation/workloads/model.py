"""What a workload is: tasks with their time of submission, their duration, and what they wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

from attrs import field, frozen

from trio_adaptive.errors import ConfigurationError, Mistake


@frozen
class Task:
    """One task.

    Attributes:
        id: its name.
        submit: when it is submitted, in seconds from the beginning.
        duration: how long it runs, in seconds.
        deps: the names of the tasks that it waits for.
        group: tasks of one group are of one kind: Dask's prefix.
    """

    id: str
    submit: float
    duration: float
    deps: tuple[str, ...] = ()
    group: str = "task"


@frozen
class Workload:
    """Tasks in the order of their submission.

    Attributes:
        name: for tables and plots.
        tasks: those of one moment are one submission.
    """

    name: str
    tasks: tuple[Task, ...] = field(repr=False)

    @cached_property
    def work(self) -> float:
        """All durations together, in seconds."""
        return sum(task.duration for task in self.tasks)

    @cached_property
    def is_graph(self) -> bool:
        """Whether it is one computation: everything is submitted at once."""
        return len({task.submit for task in self.tasks}) <= 1

    @cached_property
    def dependencies(self) -> tuple[tuple[int, ...], ...]:
        """Of each task, the numbers of the tasks that it waits for."""
        number = {task.id: i for i, task in enumerate(self.tasks)}
        return tuple(tuple(number[dep] for dep in task.deps) for task in self.tasks)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The numbers of the tasks, each after what it waits for."""
        return _topological(self.dependencies)


def make_workload(name: str, tasks: Sequence[Task], places: Mapping[int, str] | None = None) -> Workload:
    """A workload of these tasks, the first of them submitted at 0.

    Args:
        name: of the workload.
        tasks: in any order.
        places: where each task stands, by its position, for messages.

    Raises:
        ConfigurationError: naming all mistakes: names that are there twice, dependencies that are not there or go in
            circles, negative times, no tasks at all.
    """
    mistakes = [*_mistakes(name, tasks, places or {})]
    if not mistakes:
        first = min(task.submit for task in tasks)
        rebased = [
            Task(t.id, t.submit - first, t.duration, tuple(dict.fromkeys(t.deps)), t.group) for t in tasks
        ]
        workload = Workload(name, tuple(sorted(rebased, key=lambda task: task.submit)))
        if len(workload.order) == len(tasks):
            return workload
        waiting = next(i for i in range(len(tasks)) if i not in set(workload.order))
        problem = f"{workload.tasks[waiting].id!r} waits for itself, by way of others"
        mistakes.append(Mistake(name, problem, "dependencies without circles"))
    raise ConfigurationError(mistakes)


def _mistakes(name: str, tasks: Sequence[Task], places: Mapping[int, str]) -> list[Mistake]:
    if not tasks:
        return [Mistake(name, "no tasks", "at least one task")]
    known = Counter(task.id for task in tasks)
    found: list[Mistake] = []
    for position, task in enumerate(tasks):
        place = places.get(position, f"{name}: task {task.id!r}")
        if known[task.id] > 1:
            found.append(Mistake(place, f"{task.id!r} is there {known[task.id]} times", "each id once"))
        found += [
            Mistake(place, f"waits for {dep!r}, which is not there", "ids of the same workload")
            for dep in task.deps
            if dep not in known
        ]
        for what, seconds in (("submit", task.submit), ("duration", task.duration)):
            if not 0 <= seconds < float("inf"):
                found.append(Mistake(f"{place}: {what}", f"is {seconds}", "seconds, at least 0, finite"))
    return found


def _topological(dependencies: Sequence[Sequence[int]]) -> tuple[int, ...]:
    missing = [len(deps) for deps in dependencies]
    dependents: list[list[int]] = [[] for _ in dependencies]
    for number, deps in enumerate(dependencies):
        for dep in deps:
            dependents[dep].append(number)
    order = [number for number, count in enumerate(missing) if not count]
    for number in order:  # grows while it is gone through
        for dependent in dependents[number]:
            missing[dependent] -= 1
            if not missing[dependent]:
                order.append(dependent)
    return tuple(order)
