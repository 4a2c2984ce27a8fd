"""All benchmarks of trio_adaptive, beside what they are to be compared with, on this machine.

    python docs/benchmarks/all.py [--quick] [--only NAME] [--write]

Needs ``trio-adaptive[dask]`` and psutil. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import bursts
import decision
import idle
import many_clusters
import probe_load
import reaction
import scrapes
import shrinking
import starts
from common import facts

BENCHMARKS = {
    "reaction": reaction.measure,
    "starts": starts.measure,
    "bursts": bursts.measure,
    "idle": idle.measure,
    "decision": decision.measure,
    "many_clusters": many_clusters.measure,
    "probe_load": probe_load.measure,
    "shrinking": shrinking.measure,
    "scrapes": scrapes.measure,
}
PAGE = Path(__file__).parents[1] / "explanation" / "performance.md"


def main() -> None:
    options = parse()
    command = " ".join(["python docs/benchmarks/all.py", *sys.argv[1:]])
    figures = {"machine": f"{facts()}\n\nCommand: `{command}`"}
    show("machine", figures["machine"])
    for name in options.only or BENCHMARKS:
        figures[name] = BENCHMARKS[name](quick=options.quick)
        show(name, figures[name])
        if options.write:  # at once: the next one may take a quarter of an hour
            PAGE.write_text(filled(PAGE.read_text(), figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure trio_adaptive beside distributed's own Adaptive.")
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: whether it works, not how fast it is"
    )
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name} as well")
    return parser.parse_args()


def show(name: str, figures: str) -> None:
    print(f"\n## {name}\n\n{figures}", flush=True)


def filled(page: str, figures: dict[str, str]) -> str:
    """The page with the figures between their markers."""
    for name, text in figures.items():
        begin, end = (f"<!-- figures: {edge} {name} -->" for edge in ("begin", "end"))
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise SystemExit(f"{PAGE} has no {begin}")
        page = pattern.sub(lambda _, text=f"{begin}\n\n{text}\n\n{end}": text, page)
    return page


if __name__ == "__main__":
    main()
