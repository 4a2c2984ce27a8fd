"""Records as the API shows them, with identifiers by which a reader goes on."""

from __future__ import annotations

import re
from typing import Any, Final

from trio_adaptive.decision.model import Command, Decision, Record
from trio_adaptive.journal.words import in_words
from trio_adaptive.service.fleet import Hosted
from trio_adaptive.service.http.views import WallClock, plain

NUMBERED = "the id of a record, such as 3fb50b-17"


def record_id(hosted: Hosted, number: int) -> str:
    """Names a record: the run, and its number there."""
    return f"{hosted.chronicle.run}-{number}"


ID: Final = re.compile(r"([0-9a-z]{1,32})-([0-9]{1,18})")


def number_of(hosted: Hosted, given: str) -> int:
    """The number of a record of this run; 0 for one of another run, since all of this one come after it.

    Raises:
        ValueError: it names no record.
    """
    found = ID.fullmatch(given)
    if found is None:
        raise ValueError(given)
    return int(found[2]) if found[1] == hosted.chronicle.run else 0


def told(hosted: Hosted, after: int, *, everything: bool) -> list[tuple[int, Record]]:
    """The kept records after a number, oldest first; unless everything is wanted only those that tell something."""
    kept = hosted.scaler.numbered(after)
    return kept if everything else [(number, record) for number, record in kept if in_words(record)]


def page(
    hosted: Hosted, wall: WallClock, limit: int, before: str | None, *, everything: bool
) -> dict[str, Any]:
    """The latest records before one, newest first, and the id to go on with.

    Raises:
        ValueError: the id is none.
    """
    kept = told(hosted, 0, everything=everything)
    if before is not None:
        last = number_of(hosted, before)
        kept = [(number, record) for number, record in kept if number < last]
    shown = kept[-limit:]
    return {
        "records": [record_view(hosted, wall, number, record) for number, record in reversed(shown)],
        "before": record_id(hosted, shown[0][0]) if len(shown) < len(kept) else None,
    }


def record_view(hosted: Hosted, wall: WallClock, number: int, record: Record) -> dict[str, Any]:
    """One record."""
    outcome = None if record.outcome is None else plain(record.outcome)
    if outcome is not None:
        del outcome["at"]
    return {
        "id": record_id(hosted, number),
        "time": wall(record.at),
        "kind": record.kind,
        "words": in_words(record),
        "counts": plain(record.counts),
        "decision": None if record.decision is None else _decision(record.decision),
        "outcome": outcome,
        "command": None if record.command is None else _command(record.command, wall),
        "error": record.error,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "raw": decision.raw,
        "final": decision.final,
        "active": decision.active,
        "why": decision.load.why,
        "reasons": plain(decision.reasons),
        "actions": [{"do": type(action).__name__, **plain(action)} for action in decision.actions],
        "chosen": plain(decision.chosen),
        "blocked": plain(decision.load.blocked),
        "note": decision.note,
    }


def _command(command: Command, wall: WallClock) -> dict[str, Any]:
    """What it says; a policy by its name only, and times by the wall clock."""
    said = {name: value for name, value in plain(command).items() if name not in {"at", "policy"}}
    if "until" in said:
        said["until"] = None if said["until"] is None else wall(said["until"])
    return {"do": type(command).__name__, "by": "", **said}
