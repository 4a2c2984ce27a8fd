"""The command ``trio-adaptive replay``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from trio_adaptive.decision.amounts import counted
from trio_adaptive.decision.model import Decision
from trio_adaptive.decision.shadows.echo import Sums
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.journal.files import parts
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import Difference, Read, read_journal
from trio_adaptive.journal.why import decision_in_words
from trio_adaptive.simulation.replay.changes import DECIDING, changed, read_changes
from trio_adaptive.simulation.replay.otherwise import Divergence, Otherwise
from trio_adaptive.simulation.replay.proof import Proof, prove

EXIT_DIFFERS: Final = 1
SHOWN: Final = 10
"""So many differences are told one by one."""

ALLOWED: Final = "a journal, as it was written with --journal"

EXAMPLES: Final = """\
examples:
  trio-adaptive replay cluster.jsonl                               # do the same decisions come out again?
  trio-adaptive replay cluster.jsonl --set idle_timeout=60s        # what would have been otherwise?
  trio-adaptive replay cluster.jsonl --set policy=adaptive --set value_of_time=fast

exit codes:
  0    every decision came out again
  1    some did not, or part of the journal cannot be read
  2    wrong usage, or nothing in it can be decided again
"""


def add_replay(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay",
        help="decide again on a recorded run, also with other settings",
        description="Decide again on everything that a journal has recorded, and show what other settings would have done.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("journal", metavar="JOURNAL", type=Path, help=ALLOWED)
    parser.add_argument(
        "--set",
        dest="changes",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=f"another setting; may be repeated. One of {', '.join(DECIDING)}",
    )


def run_replay(options: argparse.Namespace) -> int:
    """Do what the options say, and print it; returns the exit code.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    changes = read_changes(options.changes)
    proof, otherwise = Proof(), Otherwise(lambda state: changed(state, changes))
    for replayed in prove(_read(options.journal), proof):
        if changes:
            otherwise.add(replayed)
    _check(options.journal, proof)
    print("\n".join(_proven(options.journal, proof)))
    if changes:
        print("\n".join(_told(changes, otherwise)))
    for damage in proof.damages:
        print(f"trio-adaptive: {damage}", file=sys.stderr)
    return EXIT_DIFFERS if proof.differences or proof.headers or proof.damages else 0


def _read(path: Path) -> Iterator[Read]:
    if not parts(path):
        raise ConfigurationError([Mistake("JOURNAL", f"there is no {path}", ALLOWED)])
    try:
        yield from read_journal(path)
    except OSError as error:
        raise ConfigurationError([Mistake("JOURNAL", str(error), ALLOWED)]) from error


def _check(path: Path, proof: Proof) -> None:
    if proof.decisions:
        return
    problem = f"{path} has no decision that could be made again"
    if proof.foreign:
        problem += f": those of {', '.join(sorted(proof.foreign))} can only be made where that was written"
    if proof.damages:
        problem += f": {'; '.join(map(str, proof.damages))}"
    raise ConfigurationError([Mistake("JOURNAL", problem, f"{ALLOWED}, by this version")])


def _proven(path: Path, proof: Proof) -> list[str]:
    began, ended = (datetime.fromtimestamp(at).astimezone() for at in (proof.began, proof.ended))
    what = f"{counted(proof.runs, 'run')}, {counted(proof.decisions, 'decision')} on {counted(proof.events, 'event')}"
    lines = [f"{path}: {what}, {began:%Y-%m-%d %H:%M:%S} to {ended:%Y-%m-%d %H:%M:%S}"]
    if proof.foreign:
        lines.append(
            f"left out, since only their own program can decide so: {', '.join(sorted(proof.foreign))}"
        )
    if proof.headers:
        lines.append(f"{counted(proof.headers, 'state')} written down in between came out otherwise")
    if not proof.differences:
        return [*lines, "every decision came out again"]
    lines.append(f"{counted(len(proof.differences), 'record')} came out otherwise:")
    for difference in proof.differences[:SHOWN]:
        lines += _difference(difference)
    return [*lines, *(["..."] if len(proof.differences) > SHOWN else [])]


def _difference(difference: Difference) -> list[str]:
    return [
        f"{_clock(difference.recorded.time)}  recorded: {_record(difference.recorded)}",
        f"          again:    {_record(difference.again)}",
    ]


def _record(entry: Entry) -> str:
    record = entry.record
    if record.decision is None:
        return f"{record.kind} {record.error or record.counts}"
    return "; ".join(decision_in_words(record.decision))


def _clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%H:%M:%S}"


def _told(changes: Mapping[str, Any], otherwise: Otherwise) -> list[str]:
    settings = ", ".join(f"{name}={value}" for name, value in changes.items())
    lines = ["", f"with {settings}:"]
    if otherwise.first is None:
        return [*lines, "  every decision would have been the same"]
    lines += [*_divergence(otherwise.first), *_sums(otherwise)]
    if otherwise.error:
        lines.append(f"  from there on nothing can be said: {otherwise.error}")
    return lines


def _divergence(first: Divergence) -> list[str]:
    return [
        f"  the first decision that differs, at {_clock(first.time)}:",
        *_aligned("recorded", first.recorded),
        *_aligned("would be", first.otherwise),
    ]


def _aligned(heading: str, decision: Decision) -> list[str]:
    words, *more = decision_in_words(decision)
    return [f"    {heading}: {words}", *(f"              {line}" for line in more)]


def _sums(otherwise: Otherwise) -> list[str]:
    rows: list[tuple[str, Sums]] = [("recorded", otherwise.in_fact), ("would be", otherwise.otherwise)]
    lines = [f"  {'':8}  {'worker-seconds':>14}  {'waiting, s':>10}"]
    for name, sums in rows:
        waiting = f"{sums.waiting:.0f}" if otherwise.known else "?"
        lines.append(f"  {name}  {sums.cost:14.0f}  {waiting:>10}")
    lines.append(
        "  (from that decision on the cluster is estimated: its tasks as a fluid, its starts as long as the measured ones)"
    )
    return lines
