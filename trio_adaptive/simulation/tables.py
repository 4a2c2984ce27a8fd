"""Results as text: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from trio_adaptive.simulation.compare import Result
from trio_adaptive.simulation.report import Report

COLUMNS: Final[tuple[tuple[str, Callable[[Report], str]], ...]] = (
    ("cost", lambda r: f"{r.cost:.0f}"),
    ("/ work", lambda r: f"{r.cost_share:.2f}"),
    ("waiting", lambda r: f"{r.waiting:.0f}"),
    ("stretch", lambda r: f"{r.stretch:.2f}"),
    ("makespan", lambda r: f"{r.makespan:.0f}"),
    ("/ bound", lambda r: f"{r.makespan_share:.2f}"),
    ("starts", lambda r: str(r.starts)),
    ("useless", lambda r: f"{100 * r.useless:.0f} %"),
    ("ops/h", lambda r: f"{r.operations:.0f}"),
    ("under", lambda r: f"{r.under:.2f}"),
    ("over", lambda r: f"{r.over:.2f}"),
    ("regret", lambda r: "-" if r.regret is None else f"{r.regret:.2f}"),
    ("product", lambda r: f"{r.product:.2f}"),
)
"""Heading and figure of each column."""

LEGEND: Final = """\
cost: worker-seconds from request to release, start-up included; / work: over the work
waiting: seconds that tasks could run and did not; stretch: mean of duration and waiting over mean duration
/ bound: makespan over the least possible; useless: starts that never ran a task; ops/h: changes of the size in an hour
under, over: area below and above the demand, over that of the demand
regret: cost + value of time * waiting, over the least possible (tasks without dependencies)
product: cost over (work + one start) * makespan over its bound (a good figure for one graph)"""


def table(results: Sequence[Result], first: str = "policy", names: Sequence[str] | None = None) -> str:
    """A line for each result, in columns.

    Args:
        results: what is shown.
        first: heading of the first column.
        names: what stands in it; the results' own names unless given.
    """
    shown = [result.name for result in results] if names is None else names
    rows = [[first, *(heading for heading, _ in COLUMNS)]]
    for name, result in zip(shown, results, strict=True):
        rows.append([name, *(figure(result.report) for _, figure in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def as_json(results: Sequence[tuple[str, Sequence[Result]]]) -> str:
    """All figures, one object a result; ``at`` is the value that was swept, if any."""
    told = [
        {**({"at": at} if at else {}), **attrs.asdict(result.report)}
        for at, group in results
        for result in group
    ]
    return json.dumps(told, indent=2)
