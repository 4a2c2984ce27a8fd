"""What a run has cost, as plain text: a small chart of the workers over time, and the sums below it.

Pure: `render_report` knows no terminal and no file, and uses no markup, so that its text is as good in a log.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TextIO

from attrs import define, frozen

from trio_adaptive.journal.ledger import LedgerSummary, Point, Use

MIN_WIDTH = 56
"""Narrower than this nothing readable comes out; less is taken as this."""

MAX_ROWS = 6
"""Height of the chart. Up to this peak a row is one worker."""

STACK: tuple[Use, ...] = ("busy", "idle", "leaving", "starting")
"""From the bottom of the chart to its top."""

MINUTE, HOUR, DAY = 60, 3600, 86400

TICKS = (
    *(0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 7, 14, 30, 90, 365)),
)
"""The distances between two times on the axis that a person would choose, in seconds."""

LABEL = 12
"""Width of the names of the sums."""

EXACT = 10_000
"""Amounts below this are told with a decimal."""

TICK_COLUMNS = 9
"""The least distance between two times on the axis, in characters."""


@frozen
class Pen:
    """The characters of the chart.

    Attributes:
        uses: one for each use, told apart without colour.
        rising: the top of a busy column, from low to full, where a row is more than one worker.
    """

    uses: dict[Use, str]
    rising: str
    axis: str
    corner: str
    line: str
    tick: str

    @property
    def characters(self) -> str:
        """All of them."""
        return "".join([*self.uses.values(), self.rising, self.axis, self.corner, self.line, self.tick])


BLOCKS = Pen({"busy": "█", "idle": "░", "leaving": "▒", "starting": "·"}, "▁▂▃▄▅▆▇█", "┤", "└", "─", "┬")
ASCII = Pen({"busy": "#", "idle": "-", "leaving": "x", "starting": "."}, "_#", "|", "+", "-", "+")


def draws_blocks(stream: TextIO) -> bool:
    """Whether this stream's encoding knows the characters of the chart."""
    try:
        BLOCKS.characters.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render_report(summary: LedgerSummary, *, width: int = 72, unicode: bool = True) -> str:
    """The whole report; it ends without a newline.

    Args:
        summary: what the ledger added up.
        width: no line is wider, except that fewer than `MIN_WIDTH` columns are taken as that many.
        unicode: draw with block characters, see `draws_blocks`; otherwise with ASCII.
    """
    width = max(MIN_WIDTH, width)
    duration = _span(summary.duration)
    if not summary.peak:
        return f"No worker ran in {duration}."
    lines = [*_sums(summary), "", *_counts(summary)]
    if summary.duration > 0:
        title = f"Workers over {duration}"
        lines = [title, "", *_chart(summary, width, BLOCKS if unicode else ASCII), "", *lines]
    return "\n".join(lines)


# The chart: every column is a stretch of time, every row one or more workers.


@define
class Column:
    """A stretch of time: as high as the most workers in it, so that no short burst is lost.

    Attributes:
        rows: for each row from the bottom, how long workers of each use stood at that height.
        highest: the most workers that were paid at once.
    """

    rows: list[dict[Use, float]]
    highest: int = 0

    def add(self, paid: int, cells: list[dict[Use, float]], share: float) -> None:
        """Workers stood like this for a share of the time."""
        self.highest = max(self.highest, paid)
        for row, cell in zip(self.rows, cells, strict=True):
            for use, workers in cell.items():
                row[use] += share * workers


def _chart(summary: LedgerSummary, width: int, pen: Pen) -> list[str]:
    step = _step(summary.peak)
    rows = -(-summary.peak // step)
    margin = len(str(rows * step)) + 2
    left = " " * (margin + 1)
    columns = _columns(summary, width - margin - 2, rows, step)
    drawn = ["".join(_character(column, row, step, pen) for column in columns) for row in range(rows)]
    ticks = _ticks(summary.duration, len(columns))
    axis = "".join(pen.tick if column and column in ticks else pen.line for column in range(len(columns)))
    lines = [
        *(f"{(row + 1) * step:{margin}} {pen.axis}{drawn[row]}" for row in reversed(range(rows))),
        left + pen.corner + axis,
        left + _tick_labels(ticks, len(columns) + 1),
        "",
        left + _legend("".join(drawn), pen),
    ]
    return [line.rstrip() for line in lines]


def _legend(drawn: str, pen: Pen) -> str:
    """Names what is to be seen, and no more."""
    shown: set[Use] = {use for use in STACK if pen.uses[use] in drawn}
    if any(character in drawn for character in pen.rising):
        shown.add("busy")
    return "  ".join(f"{pen.uses[use]} {use}" for use in STACK if use in shown)


def _step(peak: int) -> int:
    """Workers in a row: the least round number with which the peak fits."""
    if peak <= MAX_ROWS:
        return 1
    scale: int = 10 ** max(0, len(str(peak)) - 2)
    rounds = (n * scale for n in (2, 3, 4, 5, 10, 15, 20))
    return next(n for n in rounds if n * MAX_ROWS >= peak)


def _columns(summary: LedgerSummary, count: int, rows: int, step: int) -> list[Column]:
    columns = [Column([dict.fromkeys(STACK, 0.0) for _ in range(rows)]) for _ in range(count)]
    # A change at the very end has lasted no time, yet it may be the peak: it gets a hair's breadth.
    end = Point(max(summary.ended, summary.series[-1].at + summary.duration / 1000))
    wide = (end.at - summary.began) / count
    for point, after in pairwise([*summary.series, end]):
        begin, until = (point.at - summary.began) / wide, (after.at - summary.began) / wide
        cells = [_cell(point, row * step, step) for row in range(rows)]
        for number in range(int(begin), min(int(until) + 1, count)):
            share = min(until, number + 1) - max(begin, number)
            if share > 0:
                columns[number].add(point.paid, cells, share)
    return columns


def _cell(point: Point, bottom: int, step: int) -> dict[Use, float]:
    """How many workers of each use stand in a row when all are stacked."""
    cell: dict[Use, float] = {}
    below: float = -bottom
    for use, workers in _by_use(point).items():
        cell[use] = max(0.0, min(below + workers, step) - max(0.0, below))
        below += workers
    return cell


def _character(column: Column, row: int, step: int, pen: Pen) -> str:
    filled = min(1.0, column.highest / step - row)
    if filled <= 0:
        return " "
    uses = column.rows[row]
    longest = max(uses, key=lambda use: uses[use])
    if longest == "busy":
        return pen.rising[math.ceil(filled * len(pen.rising)) - 1]
    return pen.uses[longest] if filled >= 1 / 2 or row == 0 else " "


def _ticks(duration: float, columns: int) -> dict[int, str]:
    """The times to write below the axis, by their column."""
    step = next((step for step in TICKS if step * columns >= TICK_COLUMNS * duration), duration)
    times = [number * step for number in range(int(duration / step) + 1)]
    return {column: _clock(at) for at in times if (column := int(at / duration * columns)) < columns}


def _tick_labels(ticks: dict[int, str], room: int) -> str:
    """The times, each beginning one to the left of its tick; one for which there is no room is left out."""
    line = ""
    for column, label in ticks.items():
        if column + len(label) <= room:
            line = line.ljust(column) + label
    return line


# The sums below it.


def _sums(summary: LedgerSummary) -> list[str]:
    saved = summary.fixed - summary.paid
    decimals = 1 if summary.fixed < EXACT else 0
    amounts = [
        ("Paid", summary.paid, "worker-seconds"),
        *((f"  {use}", part, f"{_percent(part, summary.paid):>4}") for use, part in _by_use(summary).items()),
        ("Ideal", summary.busy, _above_ideal(summary)),
        ("Fixed size", summary.fixed, f"for {_count(summary.peak, 'worker')} throughout"),
        ("Saved", saved, f"{_percent(saved, summary.fixed):>4}"),
    ]
    wide = len(f"{summary.fixed:,.{decimals}f}")
    return [
        f"{name:{LABEL}}{max(0.0, amount):>{wide},.{decimals}f}  {note}" for name, amount, note in amounts
    ]


def _above_ideal(summary: LedgerSummary) -> str:
    """How far what was paid is from workers that come in no time and go with their last task."""
    return f"paid is {summary.paid / summary.busy:.2f} times that" if summary.busy else "nothing was done"


def _counts(summary: LedgerSummary) -> list[str]:
    counts = [
        ("Peak", _count(summary.peak, "worker")),
        *([("Found", f"{_count(summary.found, 'unit')} at the beginning")] if summary.found else []),
        ("Started", _count(summary.starts, "unit")),
        ("Stopped", _count(summary.stops, "unit")),
        ("Duration", _span(summary.duration)),
    ]
    return [f"{name:{LABEL}}{count}" for name, count in counts]


def _by_use(amounts: Point | LedgerSummary) -> dict[Use, float]:
    return {
        "busy": amounts.busy,
        "idle": amounts.idle,
        "leaving": amounts.leaving,
        "starting": amounts.starting,
    }


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _percent(part: float, whole: float) -> str:
    share = max(0.0, 100 * part / whole) if whole else 0.0
    return "<1 %" if 0 < share < 1 else f"{share:.0f} %"


def _clock(seconds: float) -> str:
    """A time for the axis: 0s, 1m30s, 2h, 1d12h."""
    if seconds < MINUTE:
        return f"{seconds:g}s"
    return "".join(f"{number}{name[0]}" for number, name in _largest_two(round(seconds)))


def _span(seconds: float) -> str:
    """A length of time for a person: 41.5 s, 12 min 5 s, 3 h."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    return " ".join(f"{number} {name}" for number, name in _largest_two(round(seconds)))


def _largest_two(seconds: int) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        number, seconds = divmod(seconds, size)
        parts.append((number, name))
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return [part for part in parts[first : first + 2] if part[0]]
