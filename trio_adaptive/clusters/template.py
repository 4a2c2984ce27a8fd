"""How one unit of worker processes is started: a command line with the unit's name in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from trio_adaptive.decision.model import UnitId, WorkerName
from trio_adaptive.errors import ConfigurationError, Mistake

_OF_MODULE = (sys.executable, "-m")

PLACEHOLDERS = ("address", "name")
"""What stands in braces in a command: the scheduler's address and the name under which the worker has to register."""


def worker_command(
    *, nthreads: int = 1, host: str | None = None, more: Sequence[str] = ()
) -> tuple[str, ...]:
    """The default command: one ``dask worker`` process without a nanny, which halves its start-up time.

    Args:
        nthreads: tasks it runs at once.
        host: the address on which it listens; default: Dask chooses.
        more: further arguments of ``dask worker``.
    """
    host_arguments = () if host is None else ("--host", host)
    return (
        *(sys.executable, "-m", "distributed.cli.dask_worker", "{address}", "--name", "{name}"),
        *("--nthreads", str(nthreads), "--no-nanny", "--no-dashboard"),
        *host_arguments,
        *more,
    )


@frozen
class WorkerTemplate:
    """How a unit is started.

    Attributes:
        command: program and arguments with the `PLACEHOLDERS` in braces.
        size: workers in a unit; with several the process names them ``NAME-0``, ``NAME-1``, as ``dask worker
            --nworkers`` does.
        env: the whole environment of the process; default: ours.
        warm: fork the processes from one that has the imports behind it, see `starts`; needs a command that begins as
            that of `worker_command` does, with this Python's ``-m MODULE``.
        preload: modules that are imported there as well, before the first fork.
        log_dir: a folder for the output, one file a unit; default: only its end is kept, in memory.
        startup_timeout: how long a process may take to register, in seconds.
        grace: between SIGTERM and SIGKILL, in seconds.

    Raises:
        ConfigurationError: an empty command, braces around something else, ``warm`` with another kind of command,
            or ``preload`` without it.
    """

    command: tuple[str, ...] = field(factory=worker_command)
    size: int = 1
    env: Mapping[str, str] | None = None
    warm: bool = False
    preload: tuple[str, ...] = ()
    log_dir: Path | None = None
    startup_timeout: float = 60.0
    grace: float = 2.0

    def __attrs_post_init__(self) -> None:
        mistakes = [*self._check_command()]
        if self.preload and not self.warm:
            problem = f"{', '.join(self.preload)} without warm"
            mistakes.append(Mistake("preload", problem, "modules for processes that are forked"))
        if mistakes:
            raise ConfigurationError(mistakes)

    def _check_command(self) -> Iterator[Mistake]:
        shown = shlex.join(self.command)
        try:
            self.fill("tcp://host:0", UnitId("name"))
        except (KeyError, IndexError, ValueError) as error:
            allowed = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            yield Mistake("command", f"{error} in {shown!r}", f"a command line with {allowed}")
        start, module = self.command[: len(_OF_MODULE)], self.command[len(_OF_MODULE) :]
        if self.warm and not (start == _OF_MODULE and module):
            allowed = f"a command that begins with {shlex.join(_OF_MODULE)} and a module"
            yield Mistake("command", f"{shown!r} with warm", allowed)

    @property
    def restarts(self) -> bool:
        """Whether a worker of such a process may come back after the scheduler has let it go: a nanny's does."""
        return not any("--no-nanny" in argument for argument in self.command)

    @property
    def module(self) -> str:
        """What a warm process runs."""
        return self.command[len(_OF_MODULE)]

    def arguments(self, address: str, unit: UnitId) -> list[str]:
        """What follows the module in the command line of one unit that is warm."""
        return self.fill(address, unit)[len(_OF_MODULE) + 1 :]

    def fill(self, address: str, unit: UnitId) -> list[str]:
        """The command line of one unit."""
        if not self.command:
            raise ValueError("nothing")
        return [argument.format(address=address, name=unit) for argument in self.command]

    def worker_names(self, unit: UnitId) -> tuple[WorkerName, ...]:
        """The names under which a unit's workers register."""
        if self.size == 1:
            return (WorkerName(unit),)
        return tuple(WorkerName(f"{unit}-{i}") for i in range(self.size))
