"""``trio-adaptive run``: one script with an elastic cluster for as long as it runs, and a report at its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from shutil import get_terminal_size

import trio

from trio_adaptive.clusters.process import ChildProcess, child_process
from trio_adaptive.service.elastic import Elastic, Plan, elastic, renew_on_signal
from trio_adaptive.service.report import draws_blocks, render_report
from trio_adaptive.service.signals import Signals, from_terminal
from trio_adaptive.service.status import watched
from trio_adaptive.service.terminal import say

SCRIPT_GRACE = 10.0
"""How long a script may take to end after the first signal, in seconds, before it is ended."""

REPORT_WIDTH = 100
"""A wider terminal makes the report no more readable."""


async def run(plan: Plan, command: Sequence[str], *, live: bool, report: bool) -> int:
    """Run a command with ``DASK_SCHEDULER_ADDRESS`` set.

    Args:
        plan: the cluster that it gets.
        command: program and arguments.
        live: draw a status line while it runs.
        report: print what the workers have cost, at its end.

    Returns:
        The command's exit code, 128 + n for signal n.
    """
    starting = trio.CancelScope()
    signals = Signals(starting)
    code: int | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(signals.watch)
        with starting:
            code = await _serve(plan, command, signals, live=live, report=report)
        nursery.cancel_scope.cancel()
    return 128 + (signals.first or 0) if code is None else code


async def _serve(plan: Plan, command: Sequence[str], signals: Signals, *, live: bool, report: bool) -> int:
    async with elastic(plan) as up:
        signals.pids = up.pids
        signals.cancels = None  # from now on it is for the script to end
        async with watched(up.scaler, live=live), trio.open_nursery() as nursery:
            await nursery.start(renew_on_signal, lambda: [up])
            code = await _script(command, up, signals)
            nursery.cancel_scope.cancel()
    if report:
        _print_report(up)
    return code


async def _script(command: Sequence[str], up: Elastic, signals: Signals) -> int:
    env = {**os.environ, "DASK_SCHEDULER_ADDRESS": up.address}
    # In our own process group, so that it may read from the terminal and Ctrl-C reaches it.
    script = child_process(
        command, env=env, capture=False, new_group=False, parent_death_signal=signal.SIGTERM, grace=2.0
    )
    async with script as process, trio.open_nursery() as nursery:
        nursery.start_soon(_pass_on, signals, process)
        code = await process.wait()
        nursery.cancel_scope.cancel()
    return code if code >= 0 else 128 - code


async def _pass_on(signals: Signals, process: ChildProcess) -> None:
    await signals.arrived.wait()
    if signals.first is not None and not from_terminal(signals.first):
        process.send_signal(signals.first)
    await trio.sleep(SCRIPT_GRACE)
    await process.terminate(grace=2.0)


def _print_report(up: Elastic) -> None:
    width = min(REPORT_WIDTH, get_terminal_size((REPORT_WIDTH, 24)).columns)
    text = render_report(up.scaler.cost, width=width, unicode=draws_blocks(sys.stderr))
    say(f"\n{text}", sys.stderr)
