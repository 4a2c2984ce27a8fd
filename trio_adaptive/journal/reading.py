"""Reading a journal, whatever its program, or the machine, has come to.

A line that cannot be read never stops the reader: it is told of, with its place, and so are the lines after it that
build upon it. The next header makes everything certain again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.state import State
from trio_adaptive.journal.files import parts
from trio_adaptive.journal.lines import UNREADABLE, Context, End, Entry, ForeignPolicy, Header, Line, decode


@frozen
class Damage:
    """What could not be read.

    Attributes:
        file: in which of the files.
        line: its number there, from 1.
        problem: what is wrong, in words.
        lines: how many lines are passed over.
    """

    file: str
    line: int
    problem: str
    lines: int = 1

    def __str__(self) -> str:
        more = f" (and {self.lines - 1} more that build upon it)" if self.lines > 1 else ""
        return f"{self.file}, line {self.line}{more}: {self.problem}"


Read: TypeAlias = Line | Damage


def read_journal(path: Path) -> Iterator[Read]:
    """All of a journal, oldest first, from all of its files.

    Raises:
        OSError: there is none, or it cannot be opened.
    """
    for part in parts(path) or [path]:
        with part.open("rb") as stream:
            yield from read_lines(stream, part.name)


def read_lines(lines: Iterable[bytes], file: str = "journal") -> Iterator[Read]:
    """The lines of one file. Each ends with a line break, except for one that was cut off."""
    context: Context | None = None
    damage: Damage | None = None
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        line = _decoded(context, raw, file, number)
        if isinstance(line, Damage) or (context is None and not isinstance(line, Header)):
            damage = _also(damage, line, file, number)
            context = None
            continue
        if damage is not None:
            yield damage
            damage = None
        yield line
        if isinstance(line, Header):
            context = Context(line.state.sample)
        elif isinstance(line, Entry) and context is not None:
            context = context.after(line)
    if damage is not None:
        yield damage


def _decoded(context: Context | None, raw: bytes, file: str, number: int) -> Read:
    try:
        return decode(context or Context(), raw)
    except UNREADABLE as error:
        cut = "" if raw.endswith(b"\n") else "cut off: the program or the machine ended in the middle of it; "
        return Damage(file, number, f"{cut}{type(error).__name__}: {error}")


def _also(before: Damage | None, line: Read, file: str, number: int) -> Damage:
    if before is not None:
        return Damage(before.file, before.line, before.problem, number - before.line + 1)
    if isinstance(line, Damage):
        return line
    return Damage(file, number, "what it builds upon is missing")


@frozen
class Difference:
    """A decision that does not come out the same again."""

    recorded: Entry
    again: Entry


def replay(lines: Iterable[Read]) -> Iterator[Difference]:
    """Decide again on every event, and tell where it comes out otherwise: with this version, from what was seen then.

    What a policy of a user's own has decided is passed over. A record does not come out the same where the decision has
    changed since, or the journal was tampered with.
    """
    state: State | None = None
    for line in lines:
        match line:
            case Header():
                state = None if isinstance(line.state.policy, ForeignPolicy) else line.state
            case Damage() | End():
                state = None
            case Entry() if state is not None:
                state, _, record = decide(state, line.event)
                if record != line.record:
                    yield Difference(line, Entry(line.time, line.event, record))
                state = None if isinstance(state.policy, ForeignPolicy) else state
            case _:
                pass  # without a state nothing can be decided
