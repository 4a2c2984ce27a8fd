"""Demand, supply and waiting over time for each policy, and cost against waiting. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trio_adaptive.simulation.compare import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS: Final = ((3 * 3600.0, 3600.0, "hours"), (3 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
"""From this length on, the time axis counts in these."""

DEMAND, SUPPLY, STARTING, WAITING = "#1f77b4", "#2ca02c", "#a6d8a8", "#d62728"


def plot_courses(results: Sequence[Result], title: str, path: Path) -> None:
    """A row for each result: who works and who starts under the line of demand, and below it how many tasks wait.

    Raises:
        ImportError: matplotlib is not installed.
        OSError, ValueError: the file cannot be written, or its form is unknown.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import

    figure = Figure(figsize=(11, 0.8 + 2.6 * len(results)), layout="constrained")
    figure.suptitle(title)
    axes: Any = figure.subplots(
        2 * len(results), 1, sharex=True, squeeze=False, height_ratios=[3, 1] * len(results)
    )
    last = max((result.run.account.course[-1][0] for result in results), default=1.0)
    _, unit, unit_name = next(each for each in UNITS if last >= each[0])
    for number, result in enumerate(results):
        pool, waiting = axes[2 * number][0], axes[2 * number + 1][0]
        _draw_pool(pool, result, unit)
        times = [moment[0] / unit for moment in result.run.account.course]
        waiting.fill_between(times, [m[4] for m in result.run.account.course], step="post", color=WAITING)
        waiting.set_ylabel("waiting\ntasks")
    tops = [axes[2 * i][0] for i in range(len(results))]
    highest = max(ax.get_ylim()[1] for ax in tops)
    queues = [axes[2 * i + 1][0] for i in range(len(results))]
    longest = max(ax.get_ylim()[1] for ax in queues)
    for top, queue in zip(tops, queues, strict=True):  # one scale, so that they can be compared
        top.set_ylim(0, highest)
        queue.set_ylim(0, longest)
    tops[0].legend(loc="upper right", ncols=3, fontsize="small")
    queues[-1].set_xlabel(unit_name)
    figure.savefig(path, dpi=110)


def _draw_pool(ax: Axes, result: Result, unit: float) -> None:
    course = result.run.account.course
    times = [moment[0] / unit for moment in course]
    most = result.run.setup.maximum * result.run.setup.hardware.threads
    supply = [moment[2] for moment in course]
    paid = [moment[3] for moment in course]
    ax.fill_between(times, supply, step="post", color=SUPPLY, label="workers in service", linewidth=0)
    ax.fill_between(
        times, supply, paid, step="post", color=STARTING, label="starting or leaving", linewidth=0
    )
    demand = [min(moment[1], most) for moment in course]
    ax.step(times, demand, where="post", color=DEMAND, linewidth=0.8, label="demand, up to the maximum")
    figures = result.report
    value = "" if figures.regret is None else f", regret {figures.regret:.2f}"
    ax.set_title(
        f"{result.name}: cost {figures.cost_share:.2f} x work, stretch {figures.stretch:.2f}{value}",
        loc="left",
        fontsize="medium",
    )
    ax.set_ylabel("workers")


def plot_frontier(swept: Sequence[tuple[float, Sequence[Result]]], setting: str, path: Path) -> None:
    """Cost against waiting, a line for each policy, a point for each value.

    Raises:
        ImportError: matplotlib is not installed.
        OSError, ValueError: the file cannot be written, or its form is unknown.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    ax = figure.subplots()
    for number, first in enumerate(swept[0][1]):
        points = [(results[number].report, value) for value, results in swept]
        ax.plot(
            [r.cost_share for r, _ in points],
            [r.stretch for r, _ in points],
            marker="o",
            label=first.name,
        )
        for each, value in points:
            ax.annotate(
                f"{value:g}",
                (each.cost_share, each.stretch),
                textcoords="offset points",
                xytext=(5, 4),
                fontsize="small",
            )
    ax.set_xlabel("cost / work")
    ax.set_ylabel("stretch: (duration + waiting) / duration")
    ax.set_title(f"Cost against waiting, for each {setting.replace('_', ' ')}: low and left is better")
    ax.legend()
    ax.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
