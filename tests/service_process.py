"""The command line as a process of its own, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

MARK = "TRIO_ADAPTIVE_TEST"
SLOW = 60.0

PROGRAM = """\
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup, also by children
from trio_adaptive.cli import main
sys.exit(main())
"""


class Service:
    """One ``trio-adaptive`` process in a process group of its own, and all that descends from it.

    Descendants are known by a mark in their environment, wherever they have been moved in the tree of processes.
    """

    def __init__(self, arguments: list[str], folder: Path, env: dict[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self.out, self.err = folder / f"{self.mark}.out", folder / f"{self.mark}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    PROGRAM,
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **env, MARK: self.mark},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.out.read_text()

    @property
    def errors(self) -> str:
        return self.err.read_text()

    def wait(self) -> int:
        return self.process.wait(SLOW)

    def until(self, condition, what: str):
        """Look again and again until a condition holds; its value."""
        deadline = time.monotonic() + SLOW
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {SLOW} s\n{self.output}\n{self.errors}"
            time.sleep(0.02)
        return value

    def address(self) -> str:
        """The scheduler's address, once `up` has told it."""
        lines = self.until(
            lambda: [ln for ln in self.output.splitlines() if ln.startswith("Scheduler")], "address"
        )
        return lines[0].split()[1]

    def url(self) -> str:
        """Where `up` answers over HTTP, once it does, and its cluster is up."""
        lines = self.until(
            lambda: [ln for ln in self.output.splitlines() if ln.startswith("Service")], "service"
        )
        self.address()
        return lines[0].split()[1]

    def descendants(self) -> list[int]:
        """All processes with our mark but the service itself."""
        marked = f"{MARK}={self.mark}".encode()
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marked in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return [pid for pid in found if pid != self.process.pid]

    def assert_nothing_left(self) -> None:
        self.until(lambda: not self.descendants(), f"processes {self.descendants()} have been left behind")

    def kill_all(self) -> None:
        for pid in [self.process.pid, *self.descendants()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(SLOW)


@contextmanager
def services(folder: Path):
    """Starts services; what a failing test leaves of them is ended."""
    started: list[Service] = []

    def start(*arguments: str, **env: str) -> Service:
        started.append(Service(list(arguments), folder, env))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.kill_all()
