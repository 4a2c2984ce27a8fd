"""The files of a journal: appended to by one program at a time, bounded in size all together.

``journal.jsonl`` is the latest; when it is full it becomes ``journal.jsonl.1``, that one ``.2``, and the oldest goes.
Nothing here knows what stands in a line. Every method may block, and raises `OSError` where the disk does not obey.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

PARTS: Final = 4
"""Files of one journal: when the oldest goes, three quarters of what was kept are still there."""


def parts(path: Path) -> list[Path]:
    """The files of a journal that exist, oldest first."""
    if not path.name:  # a folder such as "." has no files that belong to it
        return []
    older = [path.with_name(f"{path.name}.{number}") for number in range(PARTS - 1, 0, -1)]
    return [part for part in (*older, path) if part.exists()]


class JournalFiles:
    """Writes whole lines.

    Args:
        path: the latest file.
        size: bound on the bytes in all files together.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._part_size = size // PARTS
        self._fd: int | None = None
        self._written = 0

    @property
    def is_open(self) -> bool:
        """Whether lines can be written."""
        return self._fd is not None

    def open(self) -> None:
        """Go on at the end of the latest file.

        Raises:
            OSError: it cannot be written, or another program writes it.
        """
        self.close()
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._lock(fd)
            self._written = os.fstat(fd).st_size
            if not self._ends_a_line():
                os.write(fd, b"\n")  # the last line of a program that was killed stays alone
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"{self.path} is being written by another program, or scaler") from error

    def _ends_a_line(self) -> bool:
        if not self._written:
            return True
        with self.path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read() == b"\n"

    def is_full(self, keeps: int) -> bool:
        """Whether it is time for a new file; never before this one has more than ``keeps`` bytes."""
        return self._written >= max(self._part_size, keeps)

    @property
    def is_lost(self) -> bool:
        """Whether somebody has taken the file away, so that nobody can read what is written to it."""
        return self._fd is not None and os.fstat(self._fd).st_nlink == 0

    def write(self, line: bytes) -> None:
        """Append a line; after an error, the next `open` sees to it that the rest of it stays alone."""
        if self._fd is None:
            self.open()
        rest = memoryview(line)
        try:
            while rest and self._fd is not None:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self.close()
            raise
        self._written += len(line)

    def rotate(self) -> None:
        """Begin a new file, and let go of the oldest one where there are too many."""
        for number in range(PARTS - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if newer.exists():
                newer.replace(older)
        self.open()

    def sync(self) -> None:
        """Return when everything that was written is on the disk."""
        if self._fd is not None:
            os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
