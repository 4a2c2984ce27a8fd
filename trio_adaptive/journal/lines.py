"""The lines of a journal: what is written, and how it becomes values again.

A journal is text, a JSON object on each line. The first of each file, and one now and then, is a *header*: it holds
all that the decision remembered at that moment, so that whoever begins to read there can go on from it. Every other
line is one event with what was decided on it; of a look only what it has changed is written, and of a decision
nothing where it is the same as that on the look before.

Rules of this file: only values, no files. What is unknown in a line is passed over, so that a later version may add to
it; what a later version does otherwise gets a higher `FORMAT`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, cast, get_type_hints

from attrs import evolve, field, frozen
from cattrs import Converter
from cattrs.errors import CattrsError
from cattrs.gen import make_dict_unstructure_fn
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from trio_adaptive.decision.model import (
    Action,
    Command,
    Counts,
    Decision,
    Event,
    Finished,
    Load,
    Record,
    Sample,
    Sampled,
    SampleFailed,
    Shadowed,
    Suggested,
)
from trio_adaptive.decision.policy import Advice, Policy, View
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.simple import Count, Dask, Demand, Fixed
from trio_adaptive.journal.deltas import NOWHERE, apply_changes, changes

FORMAT: Final = 2
READABLE: Final = frozenset({1, FORMAT})
"""1 wrote the work whole on every look that changed it."""

Reason: TypeAlias = Literal["begin", "rotated", "resumed", "lost", "again"]
"""Why there is a header: adapting begins; a new file; writing has become possible again; some records could not be
kept; or only because the last one is far back."""


@frozen
class Header:
    """All that the next lines build upon.

    Attributes:
        time: seconds since 1970.
        at: the same moment on the clock of the records.
        state: what the decision remembered.
        reason: why it stands here.
        run: names the lifetime; the same in all of its headers.
        program: which version wrote it.
        settings: those that are not the defaults, for people.
        lost: how many records are missing before it.
    """

    time: float
    at: float
    state: State
    reason: Reason
    run: str = ""
    program: str = ""
    settings: Mapping[str, Any] = field(factory=dict[str, Any])
    lost: int = 0


@frozen
class Entry:
    """One event, and what was decided on it.

    Attributes:
        time: seconds since 1970.
        event: what has happened.
        record: what was told of it.
    """

    time: float
    event: Event
    record: Record


@frozen
class End:
    """Adapting has ended; where it is missing, the program was killed, or the machine has failed."""

    time: float
    reason: str


Line: TypeAlias = Header | Entry | End

UNREADABLE: Final = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError),
    CattrsError,
)
"""What decoding a line may raise that is no line of ours, or was damaged."""

Said: TypeAlias = SampleFailed | Suggested | Finished | Command
"""Every event but a look."""


POLICIES: Final = {policy.__name__: policy for policy in (Adaptive, Count, Dask, Demand, Fixed)}


@frozen
class ForeignPolicy:
    """Stands for a policy of a user's own, of which a journal knows the name only: it cannot decide again."""

    name: str

    def advise(self, view: View) -> tuple[Policy, Advice]:
        raise LookupError(f"{self.name} is not part of this program, and told nothing at {view.at}")


def _converter() -> Converter:
    converter = make_converter(omit_if_default=True, detailed_validation=False)
    converter.register_unstructure_hook(Policy, lambda policy: _policy_line(converter, policy))
    converter.register_structure_hook(Policy, lambda line, _: _policy(converter, line))
    for union in (Action, Command, Said):
        configure_tagged_union(union, converter, tag_name="do", tag_generator=lambda cls: cls.__name__)
    # JSON has no infinity, and few readers take Python's word for it.
    converter.register_unstructure_hook(
        float, lambda number: number if math.isfinite(number) else str(number)
    )
    # Whole, so that a later version with other defaults reads what held then.
    converter.register_unstructure_hook(Rules, make_dict_unstructure_fn(Rules, converter))
    return converter


def _policy_line(converter: Converter, policy: Policy) -> dict[str, Any]:
    kind = type(policy)
    if POLICIES.get(kind.__name__) is not kind:
        return {"kind": f"{kind.__module__}:{kind.__qualname__}"}
    return {"kind": kind.__name__, **converter.unstructure(policy, kind)}


def _policy(converter: Converter, line: Mapping[str, Any]) -> Policy:
    kind = POLICIES.get(line["kind"])
    return ForeignPolicy(line["kind"]) if kind is None else cast("Policy", converter.structure(line, kind))


CONVERTER: Final = _converter()

RECORD: Final = get_type_hints(Record)
"""The parts of a record."""


@frozen
class Context:
    """What a line leaves out, since it is as on the lines before.

    Attributes:
        sample: the latest look.
        counts: the latest ones.
        decision: that on the latest look.
        shadows: the latest that was told of policies that only advise.
    """

    sample: Sample | None = None
    counts: Counts = field(factory=Counts)
    decision: Decision | None = None
    shadows: tuple[Shadowed, ...] = ()

    @property
    def load(self) -> Load:
        """That of the latest look."""
        return NOWHERE if self.sample is None else self.sample.load

    def after(self, entry: Entry) -> Context:
        """The context of the next line."""
        match entry.event:
            case Sampled(sample=sample):
                return Context(sample, entry.record.counts, entry.record.decision, entry.record.shadows)
            case SampleFailed():
                return evolve(self, shadows=entry.record.shadows)
            case _:
                return evolve(self, counts=entry.record.counts, shadows=entry.record.shadows)

    def expect(self, event: Event) -> Record:
        """The record of an event where nothing is new."""
        return evolve(self._expect(event), shadows=self.shadows) if self.shadows else self._expect(event)

    def _expect(self, event: Event) -> Record:
        match event:
            case Sampled(at=at, sample=sample):
                same = self.decision and evolve(self.decision, at=at, load=sample.load)
                return Record(at, "sample", self.counts, same)
            case SampleFailed(at=at, error=error):
                return Record(at, "sample failed", error=error)
            case Suggested(at=at, error=error):
                return Record(at, "suggestion", self.counts, error=error)
            case Finished(at=at, outcome=outcome):
                return Record(at, "outcome", self.counts, outcome=outcome)
            case _:
                return Record(event.at, "command", self.counts, command=event)


def header_line(header: Header) -> bytes:
    """One line, with its end."""
    return _line({"journal": FORMAT, **CONVERTER.unstructure(header)}, header.time)


def entry_line(context: Context, entry: Entry) -> bytes:
    """One line, with its end."""
    event, record, expected = entry.event, entry.record, context.expect(entry.event)
    line: dict[str, Any] = {"at": event.at}
    if isinstance(event, Sampled):
        line["sample"] = changes(context.sample, event.sample, CONVERTER)
        context = evolve(context, sample=event.sample)
    else:
        line["event"] = CONVERTER.unstructure(event, Said)
    new = [name for name in RECORD if getattr(record, name) != getattr(expected, name)]
    if new:
        line["record"] = {name: CONVERTER.unstructure(getattr(record, name), RECORD[name]) for name in new}
        if "decision" in new and record.decision is not None:
            line["record"]["decision"] = _decision(context, event.at, record.decision)
    return _line(line, entry.time)


def _decision(context: Context, at: float, decision: Decision) -> dict[str, Any]:
    line: dict[str, Any] = CONVERTER.unstructure(decision)
    line.pop("load", None)
    if decision.load != context.load:
        line["load"] = CONVERTER.unstructure(decision.load)
    return line if decision.at != at else {name: value for name, value in line.items() if name != "at"}


def end_line(end: End) -> bytes:
    """One line, with its end."""
    return _line({"end": end.reason}, end.time)


def _line(content: Mapping[str, Any], time: float) -> bytes:
    stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    text = json.dumps({**content, "time": stamp}, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def decode(context: Context, line: bytes) -> Line:
    """The line again, to the last bit but for ``time``, which is kept to the millisecond.

    Raises:
        one of `UNREADABLE`: it is no line of a journal, or not after those that the context is of.
    """
    content = json.loads(line)
    time = datetime.fromisoformat(content["time"]).timestamp()
    if "journal" in content:
        if content["journal"] not in READABLE:
            raise ValueError(f"format {content['journal']} of another version of this program, not {FORMAT}")
        return CONVERTER.structure({**content, "time": time}, Header)
    return End(time, str(content["end"])) if "end" in content else _entry(context, content, time)


def _entry(context: Context, content: Mapping[str, Any], time: float) -> Entry:
    at = float(content["at"])
    event: Event
    if "sample" in content:
        event = Sampled(apply_changes(context.sample, at, content["sample"], CONVERTER))
        load = event.sample.load
    else:
        event = CONVERTER.structure(content["event"], cast("Any", Said))
        load = context.load
    new: dict[str, Any] = dict(content.get("record", {}))
    if new.get("decision") is not None:
        new["decision"] = {"at": at, "load": CONVERTER.unstructure(load), **new["decision"]}
    values = {name: CONVERTER.structure(new[name], hint) for name, hint in RECORD.items() if name in new}
    return Entry(time, event, evolve(context.expect(event), **values))
