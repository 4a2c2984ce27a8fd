"""What the benchmarks share: contestants in processes of their own, numbers, tables, and what machine this is."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import psutil

HERE = Path(__file__).parent
MARK = "TRIO_ADAPTIVE_BENCHMARK"
"""Environment variable by which all processes of one contestant are known, however they were started."""

FORK_SERVER = "_fork_server.py"
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)
TIMEOUT = 120.0
GRACE = 15.0
SAMPLED = 0.02


def check(ok: object, message: str) -> None:
    """A figure counts only if the work was done."""
    if not ok:
        raise RuntimeError(message)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: one of the values, never something in between."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def times(slower: float, faster: float) -> str:
    """A ratio, for a table."""
    return "-" if not faster else f"{slower / faster:.3g}x"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def progress(text: str) -> None:
    """For whoever waits; the results go to stdout."""
    print(f"  {text}", file=sys.stderr, flush=True)


def facts() -> str:
    """What was measured on."""
    packages = ("trio-adaptive", "distributed", "trio", "anyio", "psutil")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = psutil.cpu_count(logical=True)
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GiB; Python {platform.python_version()}, "
        f"{versions}. Load average when it began: {load:.1f}."
    )


class Contestant:
    """One program under measurement and all that it starts."""

    def __init__(self, process: subprocess.Popen[str], mark: str, log: IO[str]) -> None:
        self.process = process
        self.mark = mark
        self._log = log

    def say(self, word: str) -> None:
        """Write one line to its stdin."""
        if self.process.stdin is not None:
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()

    def hear(self) -> str:
        """The next line of its stdout."""
        watchdog = threading.Timer(TIMEOUT, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline() if self.process.stdout is not None else ""
        finally:
            watchdog.cancel()
        check(line, f"the contestant ended or hung:\n{self.errors()}")
        return line.rstrip()

    def result(self) -> Any:
        """The next line, which is JSON."""
        return json.loads(self.hear())

    def errors(self) -> str:
        """What it wrote to stderr."""
        self._log.seek(0)
        return self._log.read()[-4000:]

    def family(self) -> list[psutil.Process]:
        """Its processes that run now."""
        return [
            each for each in map(_process, psutil.pids()) if each is not None and is_marked(each, self.mark)
        ]


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def is_marked(process: psutil.Process, mark: str) -> bool:
    """Whether it belongs to this contestant."""
    with suppress(*GONE):
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    return False


@contextmanager
def contestant(
    *command: str, stop: signal.Signals | None = None, grace: float = GRACE
) -> Generator[Contestant]:
    """Start a program; at the end of the block it is told to end, and nothing of it is left.

    Args:
        command: what to run.
        stop: the signal that tells it to end; by default its stdin is closed.
        grace: seconds that it may take for that.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, MARK: mark},
        )
        one = Contestant(process, mark, log)
        try:
            yield one
            _end(process, stop, grace)
            check(process.returncode == 0, f"exit code {process.returncode}:\n{one.errors()}")
        finally:
            # The fork of a fork may come between two looks, so that one look is not enough.
            while left := one.family():
                for each in left:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                psutil.wait_procs(left, timeout=1)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _end(process: subprocess.Popen[str], stop: signal.Signals | None, grace: float) -> None:
    if stop is not None:
        process.send_signal(stop)
    elif process.stdin is not None:
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)


def role(name: str, *arguments: object, program: str = "contestants.py") -> tuple[str, ...]:
    """The command line of one of the programs in `contestants`, or in another file beside it."""
    return (sys.executable, str(HERE / program), name, *map(str, arguments))


def trio_adaptive(*arguments: str) -> tuple[str, ...]:
    """The command line of our own command."""
    return (sys.executable, "-m", "trio_adaptive", *arguments)


class WorkerMeter(threading.Thread):
    """Adds up how long the worker processes of a contestant exist, looking every 20 ms.

    A process counts by its command line, from its start (not: from being ready) until it has ended. Only processes
    that are new are looked into, so that looking costs next to nothing.
    """

    def __init__(self, one: Contestant) -> None:
        super().__init__(daemon=True)
        self._mark = one.mark
        self._over = threading.Event()
        self._seen: dict[int, int] = {}
        self._workers: dict[int, psutil.Process] = {}
        self.paid = 0.0
        self.peak = 0

    def run(self) -> None:
        before = time.perf_counter()
        while not self._over.is_set():
            now = time.perf_counter()
            self.paid += len(self._workers) * (now - before)
            self._look()
            self.peak = max(self.peak, len(self._workers))
            before = now
            self._over.wait(max(0.0, SAMPLED - (time.perf_counter() - now)))

    def wait_empty(self) -> None:
        """Wait until all workers have gone."""
        wait_until(lambda: not self._workers, "the workers do not go")
        self.close()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        self._workers = {pid: each for pid, each in self._workers.items() if _runs(each)}
        pids = set(psutil.pids())
        self._seen = {pid: looks for pid, looks in self._seen.items() if pid in pids}
        for pid in pids:
            looks = self._seen.get(pid, 0)
            # Looked at more than once: between fork and exec a process looks like its parent.
            if looks < 5:
                self._seen[pid] = looks + 1
                self._judge(pid)

    def _judge(self, pid: int) -> None:
        with suppress(*GONE):
            each = psutil.Process(pid)
            # What a worker itself starts looks like it for a moment.
            if is_marked(each, self._mark) and is_worker(each) and each.ppid() not in self._workers:
                self._workers[pid] = each
                self._seen[pid] = 5


def _runs(process: psutil.Process) -> bool:
    with suppress(*GONE):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def is_worker(process: psutil.Process) -> bool:
    """Whether it is a worker process: one of ours, or one of a nanny of LocalCluster's."""
    line = " ".join(process.cmdline())
    if FORK_SERVER in line:  # a forked worker looks like the server, whose parent is something else
        parent = process.parent()
        return parent is not None and FORK_SERVER in " ".join(parent.cmdline())
    # What starts a script with a script's name in its arguments is no worker.
    return ("distributed.cli.dask_worker" in line or "spawn_main" in line) and "trio_adaptive.cli" not in line


def wait_until(condition: Callable[[], object], complaint: str, timeout: float = TIMEOUT) -> None:
    """Poll, where nothing tells."""
    deadline = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < deadline, complaint)
        time.sleep(0.02)


def alternating(names: Sequence[str], round_: int) -> list[str]:
    """The order of one round: A B C, then C B A, so that a drift of the machine hits all alike."""
    return list(names) if round_ % 2 == 0 else list(reversed(names))
