"""How a command finds the service that runs on this machine: a file for each, in a folder that only its user can enter.

Nothing secret is in the files; but who could write them could send a user's token somewhere else.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from attrs import asdict, frozen

from trio_adaptive.errors import ClusterError


@frozen
class Announcement:
    """A service that runs here.

    Attributes:
        url: where it answers.
        pid: its process.
        name: what it is called; empty where it was given no name.
    """

    url: str
    pid: int
    name: str = ""

    @property
    def words(self) -> str:
        """Which one, for people."""
        return f"{self.name or 'process'} {self.pid} at {self.url}"


def folder() -> Path:
    """Where the files of this user are; it may not exist."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "trio-adaptive"
    return Path(tempfile.gettempdir()) / f"trio-adaptive-{os.getuid()}"


@contextmanager
def announced(url: str, name: str) -> Generator[None]:
    """Let commands find this process for as long as the block lasts.

    Raises:
        ClusterError: the file cannot be written, or the folder is somebody else's.
    """
    here = Announcement(url, os.getpid(), name)
    file = folder() / f"{here.pid}.json"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(file.parent):
            raise ClusterError(f"{file.parent} is not this user's alone")
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(here)), "utf-8")
        draft.replace(file)
    except OSError as error:
        raise ClusterError(f"cannot be written: {error}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()


def services() -> list[Announcement]:
    """Those that run, the latest last; files of those that were killed are removed."""
    if not _is_ours(folder()):
        return []
    found: list[tuple[float, Announcement]] = []
    for file in folder().glob("*.json"):
        with suppress(OSError, ValueError, TypeError):
            here = Announcement(**cast("dict[str, Any]", json.loads(file.read_text("utf-8"))))
            if _is_alive(here.pid):
                found.append((file.stat().st_mtime, here))
            else:
                file.unlink()
    return [here for _, here in sorted(found, key=lambda each: each[0])]


def _is_ours(place: Path) -> bool:
    """Whether nobody else can have put anything there."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
