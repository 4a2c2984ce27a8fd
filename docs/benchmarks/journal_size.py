"""How many bytes of a journal a decision takes, with all that is needed to decide again.

    python docs/benchmarks/journal_size.py [--write]

Simulated runs of the generated families, an hour each, as they would be written. Needs no cluster.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from trio_adaptive.decision.model import Event, Record
from trio_adaptive.decision.state import Shadow, State
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.simple import Count, Dask
from trio_adaptive.journal.lines import Context, Entry, entry_line
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.generated import generate

PAGE = Path(__file__).parents[1] / "reference" / "journal.md"
FAMILIES = ("requests", "functions", "bursts", "trickle", "stages")
POLICIES = {"dask": Dask(), "count": Count()}
NOON = 1_800_000_000.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of a journal for each decision.")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name} as well")
    options = parser.parse_args()
    lines = ["| workload | decisions | bytes each | with two shadows |", "|---|---|---|---|"]
    for family in FAMILIES:
        (decisions, alone), (_, shadowed) = measure(family, ()), measure(family, ("dask", "count"))
        lines.append(f"| `{family}` | {decisions} | {alone:.0f} | {shadowed:.0f} |")
        print(lines[-1], flush=True)
    if options.write:
        begin, end = "<!-- figures: begin journal -->", "<!-- figures: end journal -->"
        pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
        text = "\n".join(lines)
        PAGE.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", PAGE.read_text()))


def measure(family: str, shadows: tuple[str, ...]) -> tuple[int, float]:
    """Decisions of a run, and the bytes of one in the mean."""
    context = Context()
    decisions = size = 0

    def watch(event: Event, _: State, record: Record) -> None:
        nonlocal context, decisions, size
        entry = Entry(NOON + event.at, event, record)
        size += len(entry_line(context, entry))
        context = context.after(entry)
        decisions += record.decision is not None

    policies = tuple(Shadow(name, POLICIES[name]) for name in shadows)
    setup = Setup(Adaptive(), Hardware(), maximum=48, skip=False, limit=3600, shadows=policies)
    simulate(generate(family), setup, watch)
    return decisions, size / decisions


if __name__ == "__main__":
    main()
