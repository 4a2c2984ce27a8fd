"""``trio-adaptive run``."""

from __future__ import annotations

import argparse
from typing import Any

from trio_adaptive.cli.options import add_command, add_scaling, given
from trio_adaptive.cli.serving import Command, serve

EXAMPLES = """\
examples:
  trio-adaptive run --maximum 4 -- python docs/examples/wordcount.py
  trio-adaptive run --maximum 8 --target-duration 2s -- python train.py --epochs 3
  trio-adaptive run --plain --worker-logs logs/ -- python etl.py     # in a batch job
"""


def add(commands: Any) -> None:
    """Add the command."""
    run = add_command(commands, "run", "run a script with an elastic cluster of its own", EXAMPLES, execute)
    add_scaling(run, "TOML file; its table [adaptive] has all options")
    run.usage = "trio-adaptive run [options] -- COMMAND [ARGUMENT ...]"
    run.add_argument(
        "script",
        nargs="+",
        metavar="COMMAND",
        help="started with DASK_SCHEDULER_ADDRESS set, so that Client() connects to the cluster",
    )


def execute(options: argparse.Namespace) -> int:
    """Run the script; returns its exit code."""
    return serve(options, _prepare)


def _prepare(options: argparse.Namespace, live: bool) -> Command:
    from trio_adaptive.service.logs import set_up_logging  # noqa: PLC0415 - slow to import
    from trio_adaptive.service.own_workers import plan_for_script  # noqa: PLC0415
    from trio_adaptive.service.run import run  # noqa: PLC0415

    said = given(options)
    plan = plan_for_script(said.workers, said.scaling, config=options.config)
    set_up_logging(live=live, verbose=options.verbose, quiet=options.quiet)
    return lambda: run(plan, options.script, live=live, report=not options.quiet)
