"""What the service shows on a terminal: lines, and one status line at the bottom, below whatever else is printed there.

The last row is taken out of the terminal's scrolling region, so that the output of a user's script and our log lines
scroll above it and are never mixed with it.

A terminal may go at any time, in the middle of a line. That is no reason to end without order: SIGHUP tells of it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TextIO

import trio
from rich.console import Console
from rich.text import Text

REFRESH: Final = 0.5
"""Time between two updates of the line, in seconds."""

MIN_ROWS: Final = 3
"""A lower terminal has no row to spare."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line, to stdout unless told otherwise."""
    hearer = sys.stdout if stream is None else stream
    with _perhaps_unheard(hearer):
        print(text, file=hearer, flush=True)


@contextmanager
def _perhaps_unheard(stream: TextIO) -> Generator[None]:
    """Let what is written to a terminal that has gone go nowhere, also what comes later."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device rather than a path
            os.dup2(nowhere.fileno(), stream.fileno())


class BottomLine:
    """Draws one line in the last row of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream)
        self._rows = 0

    def draw(self, text: Text) -> None:
        """Show this text, cut to the width of the terminal; follows a change of its size."""
        if not os.isatty(self._stream.fileno()):  # it has gone
            return
        with _perhaps_unheard(self._stream):
            self._draw(text)

    def _draw(self, text: Text) -> None:
        columns, rows = os.get_terminal_size(self._stream.fileno())
        if rows < MIN_ROWS:
            return
        reserve = self._reserve(rows) if rows != self._rows else ""
        self._rows = rows
        text.truncate(columns - 1, overflow="ellipsis")
        with self._console.capture() as capture:
            self._console.print(text, end="", soft_wrap=True)
        # Save the cursor, go to the last row, clear it, draw, and come back: one write, lest others come between.
        self._write(f"{reserve}\x1b7\x1b[{rows};1H\x1b[2K{capture.get()}\x1b8")

    def clear(self) -> None:
        """Give the last row back."""
        if self._rows:
            with _perhaps_unheard(self._stream):
                self._write(f"\x1b7\x1b[r\x1b[{self._rows};1H\x1b[2K\x1b8")
            self._rows = 0

    @staticmethod
    def _reserve(rows: int) -> str:
        # A new line first, so that a cursor in the last row moves its text up and out of the way.
        return f"\n\x1b7\x1b[1;{rows - 1}r\x1b8\x1b[1A"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


@asynccontextmanager
async def bottom_line(text: Callable[[], Text], stream: TextIO = sys.stderr) -> AsyncGenerator[None]:
    """Keep the line up to date for as long as the block lasts."""
    line = BottomLine(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_refresh, line, text)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
            line.clear()


async def _refresh(line: BottomLine, text: Callable[[], Text]) -> None:
    with trio.open_signal_receiver(signal.SIGWINCH) as resized:
        while True:
            line.draw(text())
            with trio.move_on_after(REFRESH):
                await anext(resized)
