"""Keeping a journal: a task behind a bounded memory channel, which writes in a thread.

Whoever hands over an entry never waits. Where the disk is full, slow or gone, adapting goes on: the entries wait for it
as long as there is room for them, are then counted and left out, and what is wrong is told.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from attrs import define, field, frozen

from trio_adaptive.config import Settings, Sync
from trio_adaptive.decision.model import Event, Record, Sampled
from trio_adaptive.decision.state import State
from trio_adaptive.journal.files import JournalFiles
from trio_adaptive.journal.lines import Context, End, Entry, Header, Reason, end_line, entry_line, header_line
from trio_adaptive.threads import run_in_thread

ROOM: Final = 1000
"""So many entries may wait."""

ROOM_UNITS: Final = 200_000
"""So many units may there be in the looks that wait: each of them holds all of its units, some 500 bytes each."""

FAR: Final = 2**20
"""Bytes after which there is a header again, so that a damaged line costs no more than those up to the next one."""

SYNC_EVERY: Final = 1.0
"""Seconds between two calls of fsync, where that is the policy."""

RETRY: Final = 1.0
RETRY_MAX: Final = 60.0
"""Seconds between two attempts while nothing can be written, doubled from the first to the second."""

GRACE: Final = 2.0
"""Seconds that the last lines have at the end: a disk that hangs does not keep a program from ending."""


@frozen
class Item:
    """An entry that waits.

    Attributes:
        entry: what is to be written.
        before: what the decision remembered before it.
        lost: how many entries before it were left out.
        units: how many there are in its look.
    """

    entry: Entry
    before: State
    lost: int
    units: int


@define
class Scribe:
    """Writes entries and the headers that they need, one after the other; lives in the journal's thread.

    Attributes:
        files: where to.
        program: for the headers, as are ``run`` and ``settings``.
        sync: when to call fsync.
        given_up: whether nobody waits for it any more, so that it lets go of the file by itself.
        is_unsynced: whether something has been written since the last call of fsync that is due.
    """

    files: JournalFiles
    run: str
    program: str
    settings: Mapping[str, Any]
    sync: Sync
    _context: Context = field(factory=Context)
    _reason: Reason = "begin"
    _header_size: int = 0
    _since_header: int = 0
    _synced: float = -math.inf
    is_unsynced: bool = False
    given_up: bool = False

    def write(self, items: deque[Item]) -> None:
        """Write all of these; those that have been written are taken away.

        Raises:
            OSError: the disk does not obey. Calling again goes on with what is left.
        """
        if self.files.is_lost:
            self.files.close()
        try:
            while items:
                self._write(items[0])
                items.popleft()
        finally:
            if self.given_up:
                self.files.close()
        self.is_unsynced = self.sync != "never"
        if self.sync == "each" or time.monotonic() >= self._synced + SYNC_EVERY:
            self.flush()

    def flush(self) -> None:
        """See to it that all of it is on the disk, where that is the policy."""
        if self.is_unsynced:
            self.is_unsynced = False
            self._synced = time.monotonic()
            self.files.sync()

    def end(self, end: End | None) -> None:
        """Write the last line, and let go of the file."""
        if self.files.is_open and end is not None:
            self.files.write(end_line(end))
            self.is_unsynced = self.sync != "never"
            self.flush()
        self.files.close()

    def _write(self, item: Item) -> None:
        if not self.files.is_open:
            self.files.open()
            self._head(item, self._reason)
        elif item.lost:
            self._head(item, "lost")
        elif self.files.is_full(2 * self._header_size):
            self.files.rotate()
            self._head(item, "rotated")
        elif self._since_header > max(FAR, 8 * self._header_size):
            self._head(item, "again")
        line = entry_line(self._context, item.entry)
        self.files.write(line)
        self._since_header += len(line)
        self._context = self._context.after(item.entry)

    def _head(self, item: Item, reason: Reason) -> None:
        entry = item.entry
        header = Header(
            entry.time,
            entry.record.at,
            item.before,
            reason,
            self.run,
            self.program,
            self.settings,
            item.lost,
        )
        line = header_line(header)
        self._reason = "resumed"  # from now on, whenever the file has to be opened again
        self.files.write(line)
        self._context = Context(item.before.sample)
        self._header_size, self._since_header = len(line), 0


@define(eq=False)
class Journal:
    """Takes entries at once, and writes them in time. Made by `open_journal`.

    Attributes:
        scribe: writes them.
        tell: takes a message for people and its level.
        trouble: why nothing can be written at the moment; empty where it can.
        lost: how many entries have been left out.
    """

    scribe: Scribe
    tell: Callable[[int, str], None]
    _sender: MemoryObjectSendStream[Item]
    _receiver: MemoryObjectReceiveStream[Item]
    trouble: str = field(default="", init=False)
    lost: int = field(default=0, init=False)
    _lost_since: int = field(default=0, init=False)
    _units: int = field(default=0, init=False)
    _end: End | None = field(default=None, init=False)
    _closing: anyio.Event = field(factory=anyio.Event, init=False)
    _scope: anyio.CancelScope = field(factory=lambda: anyio.CancelScope(shield=True), init=False)
    _thread: anyio.CapacityLimiter = field(factory=lambda: anyio.CapacityLimiter(1), init=False)

    def put(self, event: Event, before: State, record: Record) -> None:
        """Hand over an entry; never blocks, and takes microseconds."""
        units = len(event.sample.units) if isinstance(event, Sampled) else 0
        item = Item(Entry(time.time(), event, record), before, self._lost_since, units)
        if self._units and self._units + units > ROOM_UNITS:
            self._lose()
            return
        try:
            self._sender.send_nowait(item)
        except (anyio.WouldBlock, anyio.ClosedResourceError):
            self._lose()
        else:
            self._lost_since = 0
            self._units += units

    def _lose(self) -> None:
        self.lost += 1
        self._lost_since += 1
        if not self.trouble:
            self._fail(f"{self.scribe.files.path} takes them too slowly")

    def close(self, reason: str) -> None:
        """There will be no more: `run` writes what waits, and ends, within `GRACE` in any case."""
        self._end = End(time.time(), reason)
        self._scope.deadline = anyio.current_time() + GRACE
        self._sender.close()
        self._closing.set()

    async def run(self) -> None:
        """Write until `close`. A cancellation from outside does not reach it before that."""
        with self._scope:
            await self._run()
        if self._scope.cancelled_caught:
            self.scribe.given_up = True
            why = self.trouble or f"{self.scribe.files.path} did not take it within {GRACE:g} s"
            self.tell(logging.WARNING, f"The end of the journal is missing: {why}")

    async def _run(self) -> None:
        batch: deque[Item] = deque()
        delay = RETRY
        while await self._fill(batch):
            units = sum(item.units for item in batch)
            try:
                await self._do(partial(self.scribe.write, batch))
            except OSError as error:
                self._fail(str(error))
                if self._closing.is_set():
                    return
                with anyio.move_on_after(delay):
                    await self._closing.wait()
                delay = min(2 * delay, RETRY_MAX)
            else:
                self._recover()
                delay = RETRY
            self._units -= units - sum(item.units for item in batch)
        await self._do(partial(self.scribe.end, self._end))

    async def _fill(self, batch: deque[Item]) -> bool:
        """Fetch what waits, if need be wait for it; False when all is written and there will be no more."""
        while not batch:
            try:
                with anyio.move_on_after(SYNC_EVERY if self.scribe.is_unsynced else math.inf):
                    batch.append(await self._receiver.receive())
                if not batch:
                    await self._do(self.scribe.flush)
            except anyio.EndOfStream:
                return False
        with suppress(anyio.WouldBlock, anyio.EndOfStream):
            while True:
                batch.append(self._receiver.receive_nowait())
        return True

    async def _do(self, function: Callable[[], None]) -> None:
        await run_in_thread(function, self._thread)

    def _fail(self, why: str) -> None:
        if not self.trouble:
            self.tell(logging.WARNING, f"The journal is not being written, adapting goes on: {why}")
        self.trouble = why

    def _recover(self) -> None:
        if self.trouble:
            self.tell(logging.INFO, f"The journal is being written again; {self.lost} records are missing")
        self.trouble = ""


@contextmanager
def open_journal(settings: Settings, run: str, tell: Callable[[int, str], None]) -> Generator[Journal]:
    """A journal whose task the caller runs.

    Args:
        settings: ``journal``, which has to name a file, and its siblings count here.
        run: names the lifetime.
        tell: takes a message for people and its level.
    """
    files = JournalFiles(Path(settings.journal), settings.journal_size)
    program = f"trio-adaptive {version('trio-adaptive')}"
    scribe = Scribe(files, run, program, _plain(settings), settings.journal_sync)
    sender, receiver = anyio.create_memory_object_stream[Item](ROOM)
    with sender, receiver:
        yield Journal(scribe, tell, sender, receiver)


def _plain(settings: Settings) -> dict[str, Any]:
    """The options that are not the defaults, as JSON takes them."""
    defaults = Settings()
    options = {each.name: getattr(settings, each.name) for each in attrs.fields(Settings)}
    changed = {name: value for name, value in options.items() if value != getattr(defaults, name)}
    finite = {name: str(value) if value == math.inf else value for name, value in changed.items()}
    return {n: v if isinstance(v, str | int | float | None) else repr(v) for n, v in finite.items()}
