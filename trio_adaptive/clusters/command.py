"""A nursery of worker processes: each unit is one child process of ours, started from a command line.

Three rules make it safe. Starting is a critical section: a unit is listed before its process exists, and the process
belongs to its task from its first moment on. A process is signalled only when the scheduler has let its worker go, or
has never known it. And the tasks are shielded, so that a cancellation from outside ends the processes only when this
context is left, after the last drain.
"""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from trio_adaptive.clusters.base import Terms, Wake
from trio_adaptive.clusters.linked import LinkedCluster, strangers
from trio_adaptive.clusters.offers import Offers, offers_of_command
from trio_adaptive.clusters.process import ChildProcess, describe_exit
from trio_adaptive.clusters.starts import Starts, starts
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.dask.answers import Roster
from trio_adaptive.dask.link import SchedulerLink, open_link
from trio_adaptive.decision.model import Unit, UnitId, UnitState, WorkerName
from trio_adaptive.errors import ClusterError

OUTPUT_SHOWN = 2000
"""Characters of a process's last output that go into an error message."""

RESTART = 15.0
"""How long a nanny may take to start its worker again, in seconds; as Dask's own ``lost-worker-timeout``."""


@define(eq=False)
class _Process:
    """One unit and the task that it lives in.

    Attributes:
        registered: whether any of its workers ever has.
        here: whether one is, as of the latest look.
        gone_since: when the scheduler was first seen to have let go of them all.
    """

    unit: UnitId
    begun: float
    scope: anyio.CancelScope = field(factory=lambda: anyio.CancelScope(shield=True))
    started: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)
    child: ChildProcess | None = None
    registered: bool = False
    here: bool = False
    gone_since: float = math.inf
    leaving: bool = False
    failure: str = ""


class CommandCluster(LinkedCluster):
    """Worker processes on this machine for one scheduler. Opened by `command_cluster`; can be adapted.

    Attributes:
        starts: starts the processes; its ``reload()`` imports everything anew, where they are forked.
    """

    def __init__(
        self, link: SchedulerLink, template: WorkerTemplate, tasks: TaskGroup, starts: Starts
    ) -> None:
        super().__init__(link)
        self._template = template
        self.starts = starts
        self._tasks = tasks
        self._processes: dict[UnitId, _Process] = {}
        self._leftovers: set[WorkerName] = set()
        self._wake: Wake = _nobody

    @property
    def name(self) -> str:
        return f"worker processes for {self._link.address}"

    @property
    def tells_all(self) -> bool:
        return self._link.epoch is not None  # the probe is there, and the line to it stands

    @property
    def unit_size(self) -> int:
        return self._template.size

    @property
    def pids(self) -> dict[UnitId, int]:
        """The process ids of the units that run now."""
        return {p.unit: p.child.pid for p in self._processes.values() if p.child and not p.ended.is_set()}

    def _planned_offers(self) -> Offers | None:
        return offers_of_command(self._template.command, self._template.env)

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:
        roster = await self._link.roster(refresh=refresh)
        units = [self._unit(process, roster) for process in self._processes.values()]
        known = {name for unit in self._processes for name in self._template.worker_names(unit)}
        self._leftovers &= roster.keys()
        known |= self._leftovers
        return (*units, *strangers(roster, known))

    async def launch(self, units: Sequence[UnitId]) -> None:
        begun = anyio.current_time()
        processes = [_Process(unit, begun) for unit in units]
        for process in processes:
            self._processes[process.unit] = process
            self._tasks.start_soon(self._live, process)
        for process in processes:
            await process.started.wait()
        failures = [f"{process.unit}: {process.failure}" for process in processes if process.failure]
        if failures:
            raise ClusterError("; ".join(failures))

    async def cancel(self, units: Sequence[UnitId]) -> None:
        processes = [self._processes[unit] for unit in units if unit in self._processes]
        await self._look_at_stopped([process for process in processes if not process.ended.is_set()])
        kept = [process.unit for process in processes if process.here and not process.ended.is_set()]
        for process in processes:
            if process.unit not in kept:
                await self._end(process)
        if kept:
            raise ClusterError(f"registered meanwhile, and so not cancelled: {', '.join(kept)}")

    async def _look_at_stopped(self, processes: Sequence[_Process]) -> None:
        """Learn which of these the scheduler knows, and kill the others.

        They are stopped meanwhile: one that registered after the look would be given tasks, and end in the middle of
        them.
        """
        children = [process.child for process in processes if process.child and not process.here]
        for process in processes:
            if process.child is None:  # waits for the imports of a fork server, and need not come any more
                process.leaving = True
                process.scope.cancel()
        for child in children:
            child.send_signal(signal.SIGSTOP)
        try:
            if processes:
                await self.look(refresh=True)
                for process in processes:
                    if process.child and not process.here:
                        process.leaving = True
                        process.child.send_signal(signal.SIGKILL)
        finally:
            for child in children:
                child.send_signal(signal.SIGCONT)  # to those that are dead by now it makes no difference

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        process = self._processes.get(unit)
        # A stranger is a worker without a process of ours: it ends by itself when the scheduler has let it go.
        names = (WorkerName(unit),) if process is None else self._template.worker_names(unit)
        child = None if process is None else process.child
        await self._drain_workers(names, terms, halt=None if child is None else partial(_halt, child))
        if process is None:
            return
        process.leaving = True
        if terms.lost is not None and child is not None:
            await child.kill()  # it has been stopped in the middle of its task, which others do again
        try:
            # The scheduler has told the worker to close, so that its process ends by itself.
            with anyio.move_on_after(self._template.grace):
                await process.ended.wait()
        finally:
            process.scope.cancel()
        await self._end(process)

    async def watch(self, wake: Wake) -> None:
        self._wake = wake
        await super().watch(wake)

    async def _end(self, process: _Process) -> None:
        process.leaving = True
        process.scope.cancel()
        await process.ended.wait()
        self._forget(process)  # unless it has forgotten itself: one that had ended before it was to leave

    def _forget(self, process: _Process) -> None:
        if self._processes.pop(process.unit, None) is not None:
            self._leftovers.update(self._template.worker_names(process.unit))
            self._wake()

    async def _live(self, process: _Process) -> None:
        opening = self.starts.process(self._link.address, process.unit)
        try:
            with process.scope:
                async with opening as process.child:
                    process.started.set()
                    await process.child.wait()
        except (OSError, ClusterError) as error:
            process.failure = f"could not be started: {error}"
        finally:
            process.started.set()
            process.ended.set()
            if process.leaving:  # whoever wanted it to leave may not wait for it any more
                self._forget(process)
            self._wake()

    def _unit(self, process: _Process, roster: Roster) -> Unit:
        names = self._template.worker_names(process.unit)
        here = tuple(name for name in names if name in roster)
        process.here = bool(here)
        process.registered = process.registered or process.here
        away = process.registered and not process.here
        process.gone_since = min(process.gone_since, anyio.current_time()) if away else math.inf
        state = self._state(process)
        late = anyio.current_time() > process.begun + self._template.startup_timeout
        if state == "requested" and late and not process.registered:
            process.failure = f"did not register within {self._template.startup_timeout:g} s"
            process.scope.cancel()
            state = "failed"
        executing, idle, stored = self._activity(here, roster)
        detail = _post_mortem(process) if state in {"failed", "lost"} else ""
        return Unit(
            process.unit, state, here or names, len(names), executing, detail=detail, idle=idle, stored=stored
        )

    def _state(self, process: _Process) -> UnitState:
        if process.leaving:
            return "leaving"
        if process.ended.is_set() or process.failure:
            return "lost" if process.registered else "failed"
        if process.here:
            return "registered"
        # Its process lives, but the scheduler has given it up, and no worker comes back by itself: only a nanny's.
        patience = RESTART if self._template.restarts else 0.0
        return "lost" if anyio.current_time() >= process.gone_since + patience else "requested"

    def close(self) -> None:
        """End all processes: SIGTERM, grace, SIGKILL, in their own tasks. For `command_cluster`."""
        for process in self._processes.values():
            process.leaving = True
            process.scope.cancel()


async def _halt(child: ChildProcess) -> None:
    child.send_signal(signal.SIGSTOP)


def _nobody() -> None:
    """Before anybody watches."""


def _post_mortem(process: _Process) -> str:
    reason = process.failure
    child = process.child
    if not reason and child is not None and child.returncode is not None:
        reason = f"its process ended: {describe_exit(child.returncode)}"
    elif not reason:
        reason = "the scheduler has given its worker up, though its process runs"
    output = "" if child is None else child.output.strip()[-OUTPUT_SHOWN:]
    return f"{reason}; its last output:\n{output}" if output else reason


@asynccontextmanager
async def command_cluster(
    scheduler: str, template: WorkerTemplate | None = None, *, security: Any = None
) -> AsyncGenerator[CommandCluster]:
    """A cluster of worker processes on this machine, empty at first. Leaving the block ends them all.

    Args:
        scheduler: the address of a scheduler that runs, such as ``"tcp://127.0.0.1:8786"``.
        template: how a worker is started; default: ``dask worker`` with one thread.
        security: a ``distributed.Security`` with certificates, for TLS.
    """
    template = template or WorkerTemplate()
    async with (
        open_link(scheduler, security=security) as link,
        starts(template) as starter,
        anyio.create_task_group() as tasks,
    ):
        cluster = CommandCluster(link, template, tasks, starter)
        try:
            yield cluster
        finally:
            cluster.close()
