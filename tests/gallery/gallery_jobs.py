"""A batch system's jobs, as an object of ``distributed``: two worker processes that are started and ended as one."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from contextlib import suppress
from functools import partial

import distributed
from attrs import define, field
from distributed.deploy.spec import ProcessInterface, SpecCluster

from trio_adaptive.clusters.template import worker_command

GROUP = ["-0", "-1"]


@define
class Queue:
    """What a batch system has been asked for, job by job.

    Attributes:
        delay: seconds between a job's acceptance and its start.
        jobs: all that were ever accepted.
        sizes: how many were accepted and had not ended, after each change.
    """

    delay: float = 0.0
    jobs: list[Job] = field(factory=list)
    sizes: list[int] = field(factory=list)

    def count(self):
        self.sizes.append(sum(not job.over for job in self.jobs))


class Job(ProcessInterface):
    """Worker processes, by default two; accepted at once, started after the queue's delay."""

    def __init__(self, address, name, queue, suffixes=GROUP):
        super().__init__()
        self.scheduler = address
        self.name = name
        self.queue = queue
        self.suffixes = suffixes
        self.over = False
        self.processes = []
        self.running = None

    async def start(self):
        self.queue.jobs.append(self)
        self.queue.count()
        self.running = asyncio.create_task(self.run())
        await super().start()

    async def run(self):
        await asyncio.sleep(self.queue.delay)
        for suffix in self.suffixes:
            name = f"{self.name}{suffix}"
            command = [part.format(address=self.scheduler, name=name) for part in worker_command()]
            # By the thread that lives: asyncio's own way needs a watcher of children in the main thread.
            self.processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))  # noqa: ASYNC220 - returns at once

    async def kill(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            while process.poll() is None:
                await asyncio.sleep(0.01)

    async def close(self):
        self.over = True
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running
        await self.kill()
        self.queue.count()
        await super().close()


SCHEDULER = {
    "cls": distributed.Scheduler,
    "options": {"dashboard": False, "dashboard_address": "127.0.0.1:0", "port": 0},
}


def spec_cluster(kind, options, *, group=None, workers=None, cluster=SpecCluster):
    """Opens a ``SpecCluster`` whose new workers are of one kind."""
    worker = {"cls": kind, "options": options} | ({} if group is None else {"group": group})
    return partial(
        cluster, workers=workers or {}, scheduler=SCHEDULER, worker=worker, silence_logs=logging.CRITICAL
    )


def jobs(queue):
    """Opens a cluster of such jobs, without any so far."""
    return spec_cluster(Job, {"queue": queue}, group=GROUP)


def single_processes(queue):
    """Opens a cluster of jobs of one process, which registers under the job's own name."""
    return spec_cluster(Job, {"queue": queue, "suffixes": [""]})
