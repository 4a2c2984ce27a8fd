"""Records in plain words, one line each, for logs and the terminal."""

from __future__ import annotations

from typing import Final

from trio_adaptive.decision.amounts import lost_in_words
from trio_adaptive.decision.model import (
    AddRequest,
    Cancel,
    Command,
    Decision,
    Drain,
    Launch,
    Outcome,
    Recall,
    Record,
    SetHold,
    SetLimits,
    SetPause,
    SetPolicy,
    SetRules,
    SetSchedule,
    SetShare,
    Stop,
)

FEW: Final = 3
"""So many units are told of one by one."""


def in_words(record: Record) -> str:
    """One line on what a record tells; empty where nothing was done."""
    if record.outcome is not None:
        return _outcome(record.outcome)
    if record.command is not None:
        return command_in_words(record.command)
    words = "" if record.decision is None else _decision(record.decision)
    if not words and record.kind == "sample failed":
        return f"no answer, so nothing is changed: {record.error}"
    return words


def _decision(decision: Decision) -> str:
    deeds = [deed for deed in map(_deed, decision.actions) if deed]
    if not deeds:
        return ""
    chain = "".join(f", {reason.why}" for reason in decision.reasons)
    asked = "the load is not known" if decision.load.missing else f"the load asks for {decision.raw}"
    aim = f"{decision.active} -> {decision.final} ({asked}{chain})"
    few = decision.chosen if len(decision.chosen) <= FEW else ()
    more = "; ".join(filter(None, (*few, decision.note, *decision.load.blocked)))
    return f"{aim}: {', '.join(deeds)}{'; ' if more else ''}{more}"


def _deed(action: object) -> str:
    match action:
        case Launch(units=units):
            return f"launching {len(units)}"
        case Cancel(units=units):
            return f"taking back {len(units)} that had not registered or had ended"
        case Drain(units=units):
            return f"draining {', '.join(units)}"
        case Recall(units=units):
            return f"recalling {', '.join(units)}"
        case _:
            return ""


def _outcome(outcome: Outcome) -> str:
    verb = {"launch": "launch", "cancel": "taking back", "drain": "drain", "recall": "recall"}[outcome.action]
    detail = f": {outcome.detail}" if outcome.detail else ""
    units = ", ".join(outcome.units) if len(outcome.units) <= FEW else f"{len(outcome.units)} units"
    lost = f": {lost_in_words(outcome.lost)}" if outcome.result == "forced" else ""
    return f"{verb} of {units} {outcome.result} after {outcome.took:.2f} s{detail}{lost}"


def command_in_words(command: Command) -> str:
    """A command, and by whom it was given."""
    by = "" if isinstance(command, SetSchedule | SetShare) or not command.by else f", by {command.by}"
    return f"{_said(command)}{by}"


def _said(command: Command) -> str:  # noqa: PLR0911 - one case for each command
    match command:
        case SetLimits(minimum=minimum, maximum=maximum):
            bounds = [("minimum", minimum), ("maximum", maximum)]
            return ", ".join(f"{name} is now {n:g}" for name, n in bounds if n is not None)
        case SetHold(n=n):
            return "no longer held" if n is None else f"held at {n}"
        case AddRequest(n=n):
            return f"requested at least {n}"
        case SetPause(direction=direction, paused=paused):
            what = "growing and shrinking" if direction == "both" else direction
            return f"{what} {'paused' if paused else 'resumed'}"
        case SetSchedule(windows=windows):
            return f"open by the schedule: {'; '.join(each.words for each in windows) or 'nothing'}"
        case SetRules(words=words):
            return words
        case SetShare(share=share):
            return "no shared maximum" if share is None else f"may have {share.n} workers {share.words}"
        case SetPolicy(name=name):
            return f"the policy is now {name}"
        case Stop(reason=reason):
            return f"stopping: {reason}"
