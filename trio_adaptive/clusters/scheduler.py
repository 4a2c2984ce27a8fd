"""A Dask scheduler as a child process of ours, for as long as a block lasts."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from attrs import frozen

from trio_adaptive.clusters.process import ChildProcess, child_process, describe_exit
from trio_adaptive.errors import ClusterError

POLL: Final = 0.01
"""Time between two looks for the file in which the scheduler leaves its address, in seconds."""

START_TIMEOUT: Final = 60.0
GRACE: Final = 2.0


@frozen
class EmbeddedScheduler:
    """A scheduler that runs.

    Attributes:
        address: for clients and workers.
        dashboard: the link to Dask's own dashboard; empty when there is none.
        process: its process.
    """

    address: str
    dashboard: str
    process: ChildProcess


@asynccontextmanager
async def embedded_scheduler(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    dashboard_address: str | None = "127.0.0.1:0",
    more: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> AsyncGenerator[EmbeddedScheduler]:
    """Start a scheduler and wait until it listens.

    Args:
        host: where it listens; loopback, so that nobody else comes in.
        port: its port; 0 for any that is free.
        dashboard_address: host and port of Dask's dashboard; None for none.
        more: further arguments of ``dask scheduler``.
        env: the whole environment of the process; default: ours.

    Raises:
        ClusterError: it ended before it listened (with its last output), or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="trio-adaptive-") as folder:
        file = Path(folder) / "scheduler.json"
        dashboard = (
            ("--no-dashboard",) if dashboard_address is None else ("--dashboard-address", dashboard_address)
        )
        command = (
            *(sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", host, "--port", str(port)),
            *("--scheduler-file", str(file), *dashboard, *more),
        )
        async with child_process(command, env=env, grace=GRACE) as process:
            identity = await _identity(file, process)
            # Without a dashboard there is a web server all the same.
            link = "" if dashboard_address is None else _dashboard_link(identity)
            yield EmbeddedScheduler(identity["address"], link, process)


async def _identity(file: Path, process: ChildProcess) -> dict[str, Any]:
    with anyio.move_on_after(START_TIMEOUT):
        while process.returncode is None:
            try:
                answer: dict[str, Any] = json.loads(file.read_bytes())  # noqa: ASYNC240 - a few hundred bytes
            except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or not written to its end
                await anyio.sleep(POLL)
            else:
                return answer
    if process.returncode is None:
        raise ClusterError(f"the scheduler did not listen within {START_TIMEOUT:g} s:\n{process.output}")
    raise ClusterError(f"the scheduler ended with {describe_exit(process.returncode)}:\n{process.output}")


def _dashboard_link(identity: Mapping[str, Any]) -> str:
    port = identity.get("services", {}).get("dashboard")
    if port is None:
        return ""
    host = str(identity["address"]).split("://", 1)[1].rsplit(":", 1)[0]
    return f"http://{host}:{port}/status"
