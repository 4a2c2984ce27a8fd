"""How worker processes come into being: forked from a process that has the imports behind it, or each anew.

There is one fork server at a time that forks. One that is to be replaced does so until the next one is ready, and goes
on for as long as it has workers, which end with it; one that has ended by itself is replaced with the next start; where
none can serve, it is not tried again, and the workers are started without. Each of these is in the log.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

import anyio
from anyio import CancelScope
from anyio.abc import TaskGroup
from attrs import define, field

from trio_adaptive.clusters.forkserver import ForkServer, ForkServerEndedError, UnsupportedError, fork_server
from trio_adaptive.clusters.process import ChildProcess, child_process
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ClusterError

logger = logging.getLogger(__name__)


@define(eq=False)
class _Generation:
    """One fork server and the task that it lives in."""

    scope: CancelScope = field(factory=lambda: CancelScope(shield=True))
    ready: anyio.Event = field(factory=anyio.Event)
    server: ForkServer | None = None
    problem: str = ""
    is_retired: bool = False

    @property
    def forks(self) -> bool:
        """Whether it serves now."""
        return self.server is not None and not self.is_retired

    def retire(self) -> None:
        """It forks no more, and ends when its last worker has gone."""
        self.is_retired = True
        if self.server is None or not self.server.living:
            self.scope.cancel()


class Starts:
    """Starts the processes of one template. Opened by `starts`."""

    def __init__(self, template: WorkerTemplate, tasks: TaskGroup) -> None:
        self._template = template
        self._tasks = tasks
        self._generations: list[_Generation] = []

    @property
    def pids(self) -> list[int]:
        """The process ids of the fork servers that run."""
        return [each.server.process.pid for each in self._generations if each.server]

    @asynccontextmanager
    async def process(self, address: str, unit: UnitId) -> AsyncGenerator[ChildProcess]:
        """Start one unit for the scheduler at this address; leaving the block ends it. As `process.child_process`."""
        generation = await self._serving() if self._template.warm else None
        try:
            async with AsyncExitStack() as stack:
                try:
                    process = await stack.enter_async_context(self._opening(generation, address, unit))
                except ForkServerEndedError:  # it is not the worker's fault: it has a second chance
                    generation = await self._serving(instead=generation)
                    process = await stack.enter_async_context(self._opening(generation, address, unit))
                yield process
        finally:
            if generation is not None and generation.is_retired:
                generation.retire()

    def _opening(
        self, generation: _Generation | None, address: str, unit: UnitId
    ) -> AbstractAsyncContextManager[ChildProcess]:
        template = self._template
        log = None if template.log_dir is None else template.log_dir / f"{unit}.log"
        if generation is None or generation.server is None:
            return child_process(
                template.fill(address, unit), env=template.env, log=log, grace=template.grace
            )
        return generation.server.worker(template.arguments(address, unit), log=log, grace=template.grace)

    async def reload(self) -> None:
        """Import everything anew, for the workers that are started once this has returned. Also where it failed before.

        Raises:
            ClusterError: workers are not forked, or the imports have failed; then all is as it was.
        """
        if not self._template.warm:
            raise ClusterError("every worker is started anew: there is nothing to reload")
        before = [*self._generations]
        generation = self.begin()
        try:
            await generation.ready.wait()
        except BaseException:
            generation.retire()
            raise
        if generation.problem:
            if any(each.forks for each in before):
                self._generations.remove(generation)
            raise ClusterError(generation.problem)
        for each in before:
            each.retire()
        self._generations = [each for each in self._generations if not each.problem]

    def begin(self) -> _Generation:
        """Start a server for those that come from now on."""
        generation = _Generation()
        self._generations.append(generation)
        self._tasks.start_soon(self._live, generation)
        return generation

    def close(self) -> None:
        """End all servers, and their workers, if there are any."""
        for generation in self._generations:
            generation.is_retired = True
            generation.scope.cancel()

    async def _serving(self, *, instead: _Generation | None = None) -> _Generation | None:
        """The generation that forks now, another one than ``instead``; None where none can."""
        if instead is not None:
            instead.retire()
        while True:
            forking = [each for each in self._generations if each.forks]
            if forking:
                return forking[-1]
            coming = [each for each in self._generations if not each.is_retired]
            generation = coming[-1] if coming else self.begin()
            await generation.ready.wait()
            if generation.problem:
                return None
            if not generation.forks:  # it has ended at once, or was to be replaced before it could begin
                generation.is_retired = True

    async def _live(self, generation: _Generation) -> None:
        try:
            with generation.scope:
                await self._serve(generation)
        except (ClusterError, OSError) as error:
            generation.problem = str(error)
            if not any(each.forks for each in self._generations):
                # Where the system has no such thing and nobody has asked for it, it is no news.
                is_expected = isinstance(error, UnsupportedError) and not self._template.preload
                level = logging.INFO if is_expected else logging.WARNING
                logger.log(level, "Workers are not forked, but started anew, which is slower: %s", error)
        finally:
            generation.server = None
            if not generation.problem:
                self._generations.remove(generation)
            generation.ready.set()

    async def _serve(self, generation: _Generation) -> None:
        begun = anyio.current_time()
        module, preload = self._template.module, self._template.preload
        async with fork_server(module, preload, env=self._template.env) as server:
            generation.server = server
            generation.ready.set()
            seconds = anyio.current_time() - begun
            imported = ", ".join((module, *preload))
            logger.info(
                "Workers are forked from process %d: %s, in %.2f s", server.process.pid, imported, seconds
            )
            with suppress(ClusterError):  # it is given up, and nobody can do more
                await server.process.wait()
        logger.warning("A new fork server comes with the next worker: %s", server.epitaph())


@asynccontextmanager
async def starts(template: WorkerTemplate) -> AsyncGenerator[Starts]:
    """What starts the units of a template. Where they are to be forked, the imports begin at once.

    Leaving the block ends the fork server, and with it the workers that it still has.
    """
    async with anyio.create_task_group() as tasks:
        opened = Starts(template, tasks)
        if template.warm:
            opened.begin()
        try:
            yield opened
        finally:
            opened.close()
