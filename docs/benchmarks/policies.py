"""The policies side by side in simulation: every generated family, or a folder of workloads of one's own.

    python docs/benchmarks/policies.py [--quick] [--write] [--workloads FOLDER --maximum N]
    python docs/benchmarks/policies.py --robust [--write]

Needs no cluster. Prints tables in Markdown; with ``--write`` they go into docs/explanation/policies.md.
"""

from __future__ import annotations

import argparse
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path

from trio_adaptive.decision.rules import Rules
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.compare import Plan, Result, compare
from trio_adaptive.simulation.workloads.files import read_workload
from trio_adaptive.simulation.workloads.generated import FAMILIES, generate
from trio_adaptive.simulation.workloads.model import Workload

PAGE = Path(__file__).parents[1] / "explanation" / "policies.md"
MAXIMUM = {"requests": 48, "functions": 32, "batch": 128, "trickle": 16}
POLICIES = ("dask", "demand", "count", "adaptive")
SEED = 10
STARTUPS = (2.0, 30.0, 120.0)


def main() -> None:
    options = parse()
    if options.robust:
        publish(robust(), "robust", write=options.write)
        return
    workloads = given(options) if options.workloads else families()
    startups = STARTUPS[1:2] if options.quick else STARTUPS
    begun = time.perf_counter()
    results = {startup: [row(each, most, startup) for each, most in workloads] for startup in startups}
    seconds = time.perf_counter() - begun
    decisions = sum(result.run.decisions for rows in results.values() for each in rows for result in each)
    text = "\n\n".join(
        [
            streams(results),
            graphs(results),
            f"{decisions} decisions were simulated, {decisions / seconds:.0f} a second.",
        ]
    )
    publish(text, "policies", write=options.write)


def publish(text: str, name: str, *, write: bool) -> None:
    print(text)
    if write:
        begin, end = f"<!-- figures: begin {name} -->", f"<!-- figures: end {name} -->"
        pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
        PAGE.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", PAGE.read_text()))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Simulate all policies side by side.")
    parser.add_argument("--quick", action="store_true", help="one start-up time")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name} as well")
    parser.add_argument("--robust", action="store_true", help="S = 30 s under other circumstances")
    parser.add_argument("--workloads", type=Path, help="a folder of workloads, in place of the families")
    parser.add_argument("--maximum", type=int, default=64, help="number of workers for those")
    return parser.parse_args()


def families() -> list[tuple[Workload, int]]:
    return [(generate(name, SEED), MAXIMUM.get(name, 64)) for name in FAMILIES]


def given(options: argparse.Namespace) -> list[tuple[Workload, int]]:
    files = sorted(
        file for file in options.workloads.iterdir() if file.name.endswith((".jsonl.gz", ".swf.gz"))
    )
    return [(read_workload(file), options.maximum) for file in files]


def row(workload: Workload, maximum: int, startup: float) -> list[Result]:
    """Results of all policies; of a graph also a second run of ours, which remembers."""
    hardware = Hardware(startup=startup)
    plan = Plan(workload, POLICIES, hardware, maximum=maximum)
    results = compare(plan)
    if workload.is_graph:
        results.append(compare(Plan(workload, ("adaptive",), hardware, maximum=maximum, runs=2))[1])
    return results


def mean(values: Sequence[float]) -> float:
    """Geometric."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def streams(results: dict[float, list[list[Result]]]) -> str:
    lines = [
        "Streams: cost / work, stretch, regret; share of useless starts, operations per hour.",
        "",
        "| policy | " + " | ".join(f"S = {startup:g} s" for startup in results) + " |",
        "|---" * (1 + len(results)) + "|",
    ]
    for number, name in enumerate(POLICIES):
        cells = []
        for rows in results.values():
            found = [each[number].report for each in rows if not each[0].run.workload.is_graph]
            figures = [mean([getattr(r, what) for r in found]) for what in ("cost_share", "stretch")]
            regrets = [r.regret for r in found if r.regret is not None]
            useless = 100 * sum(r.useless for r in found) / max(1, len(found))
            operations = mean([max(r.operations, 0.1) for r in found])
            cells.append(
                f"{figures[0]:.2f} {figures[1]:.2f} **{mean(regrets):.2f}**; {useless:.0f} % {operations:.0f}"
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", worst(results)]
    return "\n".join(lines)


def worst(results: dict[float, list[list[Result]]]) -> str:
    """The stream on which ours does worst beside Dask's rule."""
    found = [
        (each[-1].report.regret / each[0].report.regret, each[0].run.workload.name, startup)
        for startup, rows in results.items()
        for each in rows
        if each[0].report.regret
    ]
    ratio, name, startup = max(found)
    return f"The worst for `adaptive` beside `dask`: {name} at S = {startup:g} s, {100 * ratio - 100:+.0f} % regret."


def graphs(results: dict[float, list[list[Result]]]) -> str:
    lines = [
        "One graph: cost / work, makespan over its bound, product.",
        "",
        "| policy | " + " | ".join(f"S = {startup:g} s" for startup in results) + " |",
        "|---" * (1 + len(results)) + "|",
    ]
    for number, name in enumerate((*POLICIES, "adaptive, second run")):
        cells = []
        for rows in results.values():
            found = [each[number].report for each in rows if each[0].run.workload.is_graph]
            figures = [
                mean([getattr(r, what) for r in found])
                for what in ("cost_share", "makespan_share", "product")
            ]
            cells.append(f"{figures[0]:.2f} {figures[1]:.2f} **{figures[2]:.2f}**")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


CIRCUMSTANCES: dict[str, tuple[float, float, float]] = {
    "as above": (0.0, 1.0, 1.0),
    "starts vary (lognormal, sigma 0.5)": (0.5, 1.0, 1.0),
    "a look every 5 s": (0.0, 5.0, 1.0),
    "twice the maximum": (0.0, 1.0, 2.0),
    "half the maximum": (0.0, 1.0, 0.5),
}
"""Sigma of the start-up time, seconds between two looks, and a factor of the maximum."""


def robust() -> str:
    """What becomes of the figures at S = 30 s when something else is otherwise."""
    lines = [
        "S = 30 s: regret of streams, product of graphs in a first run; `dask`, then `adaptive`; the worst stream beside `dask`.",
        "",
        "| | streams | graphs | worst |",
        "|---|---|---|---|",
    ]
    for words, (sigma, interval, factor) in CIRCUMSTANCES.items():
        rows = [_under(each, int(most * factor), sigma, interval) for each, most in families()]
        stream = [row for row in rows if not row[0].run.workload.is_graph]
        graph = [row for row in rows if row[0].run.workload.is_graph]
        regrets = [[each.report.regret or 1.0 for each in row] for row in stream]
        cells = [
            " ".join(f"{mean([row[i] for row in regrets]):.2f}" for i in range(2)),
            " ".join(f"{mean([row[i].report.product for row in graph]):.2f}" for i in range(2)),
            f"{100 * max(ours / theirs - 1 for theirs, ours in regrets):+.0f} %",
        ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _under(workload: Workload, maximum: int, sigma: float, interval: float) -> list[Result]:
    hardware = Hardware(startup=30.0, startup_sigma=sigma)
    rules = Rules(interval=interval)
    return compare(Plan(workload, ("dask", "adaptive"), hardware, maximum=maximum, rules=rules))


if __name__ == "__main__":
    main()
