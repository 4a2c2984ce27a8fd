"""The stories of a journal in plain words, as ``trio-adaptive why`` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, assert_never

from trio_adaptive.decision.amounts import counted, lost_in_words
from trio_adaptive.decision.model import Cancel, Decision, Drain, Launch, Recall, Suggest, UnitId
from trio_adaptive.journal.lines import End, Header
from trio_adaptive.journal.reading import Damage
from trio_adaptive.journal.stories import Decided, Ending, Silence, Story, Told
from trio_adaptive.journal.words import command_in_words

INDENT: Final = " " * 10
DETAIL_LINES: Final = 8
"""So many lines of what a cluster said of a failure are shown, the last ones."""


def stories_in_words(told: Sequence[Story]) -> str:
    """All of them, each with its time; a line of its own for each day."""
    lines: list[str] = []
    day = ""
    for story in told:
        at = datetime.fromtimestamp(story.time).astimezone()
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            lines += [*([""] if lines else []), f"{at:%A, %d %B %Y (%Z)}"]
        first, *more = story_in_words(story)
        lines.append(f"{at:%H:%M:%S}  {first}")
        lines += [f"{INDENT}{line}" for line in more]
    return "\n".join(lines)


def story_in_words(story: Story) -> list[str]:
    """One of them, without its time: a line, and further lines below it."""
    match story:
        case Decided():
            return _decided(story)
        case Silence(looks=looks, error=error, until=until, time=time):
            how_long = "and none since" if until is None else f"for {until - time:.1f} s"
            return [f"no answer {how_long} ({counted(looks, 'look')}), so nothing was changed: {error}"]
        case Told(what=what):
            return [_told(what)]
        case _:
            assert_never(story)


def _told(what: object) -> str:
    match what:
        case Header(reason="begin", run=run, program=program, settings=settings):
            options = ", ".join(f"{name}={value}" for name, value in settings.items())
            return f"adapting began: {run} ({program}{'; ' if options else ''}{options})"
        case Header(lost=lost):
            return f"the journal goes on; {counted(lost, 'record')} could not be kept"
        case End(reason=reason):
            return f"adapting ended: {reason}"
        case Damage():
            return f"unreadable: {what}"
        case _:
            return command_in_words(what)  # type: ignore[arg-type]


def decision_in_words(decision: Decision) -> list[str]:
    """A decision without what has become of it, a line for each thing that it did."""
    lines = [_aim(decision), *_chain(decision)]
    for action in decision.actions:
        match action:
            case Launch(units=units):
                lines.append(f"launches {_names(units)}")
            case Cancel(units=units, ended=True):
                lines.append(f"cleans up after {_names(units)}")
            case Cancel(units=units):
                lines.append(f"takes back {_names(units)}, not registered yet")
            case Drain(units=units):
                lines.append(f"sends {_names(units)} away")
            case Recall(units=units):
                lines.append(f"calls {_names(units)} back into service")
            case Suggest(target=target):
                lines.append(f"asks who could leave so that {target} stay")
            case _:
                assert_never(action)
    return [*lines, *decision.chosen, *([decision.note] if decision.note else [])]


def _chain(decision: Decision) -> list[str]:
    return [f"{reason.why}: {reason.before} becomes {reason.after}" for reason in decision.reasons]


def _decided(story: Decided) -> list[str]:
    decision = story.decision
    lines = [_aim(decision), *_chain(decision)]
    for action in decision.actions:
        match action:
            case Launch(units=units):
                lines += _with_endings(f"launched {_names(units)}", units, story)
            case Cancel(units=units, ended=True):
                lines.append(f"cleaned up after {_names(units)}, which had ended")
            case Cancel(units=units):
                lines += _with_endings(f"took back {_names(units)}, not registered yet", units, story)
            case Drain(units=units):
                why = f" ({decision.chosen[0].split(': ', 1)[1]})" if len(decision.chosen) == 1 else ""
                lines += _with_endings(f"sent {_names(units)} away{why}", units, story)
            case Recall(units=units):
                lines.append(f"called {_names(units)} back into service")
            case Suggest():
                pass
            case _:
                assert_never(action)
    told = decision.chosen if len(decision.chosen) > 1 else ()
    return [*lines, *told, *([decision.note] if decision.note else []), *decision.load.blocked]


def _aim(decision: Decision) -> str:
    there = "there was 1" if decision.active == 1 else f"there were {decision.active}"
    return f"wanted {decision.raw} because {decision.load.why}; {there}"


def _names(units: Sequence[UnitId]) -> str:
    return ", ".join(units) if len(units) <= 3 else f"{len(units)} units ({units[0]} to {units[-1]})"  # noqa: PLR2004


def _with_endings(deed: str, units: Sequence[UnitId], story: Decided) -> list[str]:
    endings = [story.endings[unit] for unit in units if unit in story.endings]
    groups: dict[tuple[str, str], list[Ending]] = {}
    for ending in endings:
        groups.setdefault((ending.fate, ending.detail), []).append(ending)
    parts = [_group(group, alone=len(units) == 1) for group in groups.values()]
    if unknown := len(units) - len(endings):
        parts.append("not known how it ended" if len(units) == 1 else f"{unknown} not known how they ended")
    details = [line for fate, detail in groups if fate != "recalled" for line in _detail(detail)]
    return [f"{deed}: {', '.join(parts)}", *details]


def _group(endings: Sequence[Ending], *, alone: bool) -> str:
    took = sorted(ending.took for ending in endings)
    after = f"after {took[0]:.1f} s"
    if f"{took[0]:.1f}" != f"{took[-1]:.1f}":
        after = f"after {took[0]:.1f} to {took[-1]:.1f} s"
    first = endings[0]
    detail = first.detail.splitlines()
    why = f": {detail[0]}" if detail and first.fate != "recalled" else ""
    cost = f": {lost_in_words(first.outcome.lost)}" if first.fate == "forced" and first.outcome else ""
    return f"{'' if alone else f'{len(endings)} '}{first.fate} {after}{why}{cost}"


def _detail(detail: str) -> Iterable[str]:
    return [f"    | {line}" for line in detail.splitlines()[1:][-DETAIL_LINES:]]
