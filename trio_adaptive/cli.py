"""The command line: ``trio-adaptive run``, ``up``, ``why`` and ``simulate``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio

from trio_adaptive.config import Settings, load_settings
from trio_adaptive.errors import (
    AlreadyDriven,
    ClusterError,
    ConfigurationError,
    LaunchesFailed,
    Mistake,
    SchedulerLost,
)
from trio_adaptive.forms import number_or_text
from trio_adaptive.service.listen import DEFAULT_ADDRESS, Address, Listen, check_listen, parse_address
from trio_adaptive.service.signals import fatal_interrupts
from trio_adaptive.service.worker_options import add_worker_options, is_warm, template, whole_number
from trio_adaptive.simulation.command import add_simulate, run_simulate
from trio_adaptive.simulation.replay.command import add_replay, run_replay

if TYPE_CHECKING:
    from trio_adaptive.service.elastic import Elastic, Plan
    from trio_adaptive.service.up import Web

Command: TypeAlias = Callable[[], Awaitable[int]]
"""What is left to do when everything has been checked; its result is the exit code."""

EXIT_USAGE = 2
EXIT_CLUSTER = 3
EXIT_LAUNCHES = 4
EXIT_SCHEDULER = 5
EXIT_INTERRUPTED = 130

EXIT_CODES = """\
exit codes:
  0    ended as it should: run: the script's own exit code
  2    wrong usage or configuration, or another autoscaler drives the cluster; nothing was started
  3    the cluster failed: it could not be started, ended by itself, or could not be closed
  4    launches failed again and again, and on_breaker is "end"
  5    the scheduler did not answer for scheduler_timeout
  128+n  signal n: run: the script's, or ours while starting; 130 is Ctrl-C, 143 is SIGTERM
"""

SCALER_OPTIONS: dict[str, str] = {
    "minimum": "never fewer workers than this (default 0)",
    "maximum": "never more workers than this (default: the processors of this machine)",
    "interval": "time between two looks when nothing happens, such as 500ms (default 100ms where workers are forked for"
    " a scheduler of our own, 1s elsewhere)",
    "wait-count": "looks in a row that must find a worker superfluous before it goes (default 3)",
    "idle-timeout": 'how long a worker must have been superfluous before it goes, or "auto" (default)',
    "target-duration": "how long the work at hand should take; less means more workers (default 5s)",
    "policy": "how the size is found: demand (default), dask, adaptive, count, fixed:N or module:Class",
    "shadow": "policies that only advise, such as dask,adaptive: the status line tells what they would have done",
}


OWN_CLUSTER_OPTIONS = (
    "scheduler",
    "port",
    "nthreads",
    "worker-command",
    "worker-logs",
    "cold",
    "preload",
    "dashboard-address",
    "no-dashboard",
    "record",
)
"""What is said of a cluster of this project's own. Their defaults are none, to tell what has been given."""

ANY_PORT = "127.0.0.1:0"

WARM_INTERVAL = 0.1
"""The default interval, in seconds, where workers are forked and the scheduler is ours: what is back at once may go soon."""


OFFLINE: dict[str, Callable[[argparse.Namespace], int]] = {"simulate": run_simulate, "replay": run_replay}
"""The commands that need no cluster."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command in OFFLINE:
            return OFFLINE[options.command](options)
        return _execute(options)
    except ConfigurationError as error:
        print(f"trio-adaptive: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        expected, bugs = group.split((ClusterError, ConfigurationError))
        if bugs is not None or expected is None:
            raise
        leaves = _leaves(expected)
        for leaf in leaves:
            print(f"trio-adaptive: {leaf}", file=sys.stderr)
        return _exit_code(leaves)


def _exit_code(leaves: Sequence[BaseException]) -> int:
    for kind, code in ((LaunchesFailed, EXIT_LAUNCHES), (SchedulerLost, EXIT_SCHEDULER)):
        if any(isinstance(leaf, kind) for leaf in leaves):
            return code
    # Some bounds can only be held against the cluster object, and who drives it is only known there.
    of_use = all(isinstance(leaf, ConfigurationError | AlreadyDriven) for leaf in leaves)
    return EXIT_USAGE if of_use else EXIT_CLUSTER


def _execute(options: argparse.Namespace) -> int:
    if options.command == "why":
        return _why(options)
    live = not options.quiet and not options.plain and sys.stderr.isatty()
    with fatal_interrupts():
        _check_installed()
        command = _run(options, live=live) if options.command == "run" else _up(options, live=live)
        _set_up_logging(options, live=live)
    return trio.run(command)


def _why(options: argparse.Namespace) -> int:
    from trio_adaptive.service.why import why  # noqa: PLC0415 - for this command only

    text = why(options)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads it has seen enough, as head(1) has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(options: argparse.Namespace, *, live: bool) -> Command:
    plan = _plan(options)
    from trio_adaptive.service.run import run  # noqa: PLC0415 - slow to import

    return lambda: run(plan, options.script, live=live, report=not options.quiet)


def _up(options: argparse.Namespace, *, live: bool) -> Command:
    opening = _own_cluster(options) if options.file is None else _cluster_of_file(options)
    web = None if options.no_listen else _web(options.listen)
    from trio_adaptive.service.up import up  # noqa: PLC0415 - slow to import

    return lambda: up(opening, live=live, web=web)


def _web(address: Address | None) -> Web | None:
    """The HTTP API; none where it is not installed and nobody has asked for it."""
    missing = [name for name in ("starlette", "hypercorn") if importlib.util.find_spec(name) is None]
    if missing and address is not None:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake("--listen", problem, "pip install 'trio-adaptive[service]'")])
    if missing:
        print("No HTTP: pip install 'trio-adaptive[service]' brings it", file=sys.stderr)
        return None
    listen = Listen() if address is None else Listen(address, may_move=False)
    check_listen(listen)
    from trio_adaptive.service.http.web import web  # noqa: PLC0415 - for this command only

    return web(listen)


def _own_cluster(options: argparse.Namespace) -> AbstractAsyncContextManager[Elastic]:
    plan = _plan(options)
    from trio_adaptive.service.elastic import elastic  # noqa: PLC0415 - slow to import

    return elastic(plan)


def _cluster_of_file(options: argparse.Namespace) -> AbstractAsyncContextManager[Elastic]:
    from trio_adaptive.service.cluster_file import load_plan  # noqa: PLC0415 - slow to import
    from trio_adaptive.service.foreign_cluster import foreign_cluster  # noqa: PLC0415

    given = {name: getattr(options, name.replace("-", "_")) for name in OWN_CLUSTER_OPTIONS}
    misplaced = [f"--{name}" for name, value in given.items() if value is not None and value is not False]
    return foreign_cluster(
        load_plan(options.file, _chosen(options), config=options.config, misplaced=misplaced)
    )


def _set_up_logging(options: argparse.Namespace, *, live: bool) -> None:
    from trio_adaptive.service.status import set_up_logging  # noqa: PLC0415 - needs rich

    set_up_logging(live=live, verbose=options.verbose, quiet=options.quiet)


def _plan(options: argparse.Namespace) -> Plan:
    from trio_adaptive.service.elastic import Plan  # noqa: PLC0415

    return Plan(
        settings=_settings(options),
        scheduler=getattr(options, "scheduler", None),
        port=getattr(options, "port", None) or 0,
        dashboard_address=None if options.no_dashboard else options.dashboard_address or ANY_PORT,
        worker=template(options),
        record=_record(options),
    )


def _record(options: argparse.Namespace) -> Path | None:
    if options.record is not None and getattr(options, "scheduler", None) is not None:
        allowed = "no --scheduler: start that one with --preload trio_adaptive.dask.recording FILE"
        raise ConfigurationError([Mistake("--record", "given for a scheduler that runs already", allowed)])
    return None if options.record is None else Path(options.record).absolute()


def _chosen(options: argparse.Namespace) -> dict[str, object]:
    """The scaler's options that have been given, by their names in `Settings`."""
    given = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in SCALER_OPTIONS}
    if getattr(options, "take_over", False):
        given["take_over"] = True
    given["journal"] = options.journal
    given["name"] = getattr(options, "name", None)
    return {name: value for name, value in given.items() if value is not None}


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(_chosen(options), file=options.config)
    ours = getattr(options, "scheduler", None) is None
    if ours and is_warm(options) and options.interval is None and settings.interval == Settings().interval:
        settings = attrs.evolve(settings, interval=max(WARM_INTERVAL, settings.min_interval))
    if settings.maximum == float("inf"):  # nobody wants as many workers as there are tasks on one machine
        return attrs.evolve(settings, maximum=max(os.cpu_count() or 1, settings.minimum))
    return settings


def _check_installed() -> None:
    missing = [name for name in ("distributed", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake("environment", problem, "pip install 'trio-adaptive[dask]'")])


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trio-adaptive",
        description="Elastic Dask clusters: workers come with the work and go without harm.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"trio-adaptive {version('trio-adaptive')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,up,why,simulate}")
    _add_run(commands)
    _add_up(commands)
    _add_why(commands)
    add_simulate(commands)
    add_replay(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = _command(
        commands,
        "run",
        "run a script with an elastic cluster of its own",
        """\
examples:
  trio-adaptive run --maximum 4 -- python docs/examples/wordcount.py
  trio-adaptive run --maximum 8 --target-duration 2s -- python train.py --epochs 3
  trio-adaptive run --plain --worker-logs logs/ -- python etl.py     # in a batch job
""",
    )
    run.usage = "trio-adaptive run [options] -- COMMAND [ARGUMENT ...]"
    run.add_argument(
        "script",
        nargs="+",
        metavar="COMMAND",
        help="started with DASK_SCHEDULER_ADDRESS set, so that Client() connects to the cluster",
    )


def _add_up(commands: Any) -> None:
    up = _command(
        commands,
        "up",
        "bring an elastic cluster up, until Ctrl-C or SIGTERM",
        """\
examples:
  trio-adaptive up --minimum 0 --maximum 4
  trio-adaptive up --port 8786 --idle-timeout 60s
  trio-adaptive up --scheduler tcp://host:8786 --maximum 16     # workers here for a scheduler there
  trio-adaptive up cluster.yaml --maximum 20                    # a SLURMCluster, a KubeCluster, ...
""",
    )
    up.usage = "trio-adaptive up [options] [FILE]"
    up.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="YAML file that names the class of the cluster and its arguments; default: processes on this machine",
    )
    up.add_argument("--scheduler", metavar="ADDRESS", help="attach to this scheduler instead of starting one")
    up.add_argument(
        "--take-over", action="store_true", help="take the place of another autoscaler there, which then ends"
    )
    up.add_argument(
        "--name", help="what the workers are called; those of an earlier run by this name are taken over"
    )
    up.add_argument("--port", type=_port, help="port of the scheduler that is started (default: any)")
    control = up.add_argument_group("control over HTTP")
    control.add_argument(
        "--listen",
        type=_address,
        metavar="HOST:PORT",
        help=f"answer there (default {DEFAULT_ADDRESS}, or another port when that is taken)",
    )
    control.add_argument("--no-listen", action="store_true", help="answer nowhere")


def _add_why(commands: Any) -> None:
    from trio_adaptive.service.why import EXAMPLES, add_arguments  # noqa: PLC0415 - see below

    summary = "tell what an autoscaler has decided, and why"
    add_arguments(
        commands.add_parser(
            "why",
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}: from the journal that it has kept.",
            epilog=f"{EXAMPLES}\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )


def _command(commands: Any, name: str, summary: str, examples: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{examples}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scaling = command.add_argument_group("scaling")
    for option, meaning in SCALER_OPTIONS.items():
        name = option.rsplit("-", 1)[-1].upper()
        scaling.add_argument(f"--{option}", type=number_or_text, metavar=name, help=meaning)
    scaling.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file; its table [adaptive] has all options"
    )
    add_worker_options(command)
    _add_display_options(command)
    return command


def _add_display_options(command: argparse.ArgumentParser) -> None:
    display = command.add_argument_group("display")
    display.add_argument(
        "--dashboard-address",
        metavar="HOST:PORT",
        help="of Dask's dashboard (default: any port)",
    )
    display.add_argument(
        "--journal", metavar="FILE", help="write every decision there, for trio-adaptive why (default: none)"
    )
    display.add_argument(
        "--record", metavar="FILE", help="write every task there, as a workload for trio-adaptive simulate"
    )
    display.add_argument("--no-dashboard", action="store_true", help="without Dask's dashboard")
    display.add_argument("--plain", action="store_true", help="log lines instead of a live status line")
    display.add_argument(
        "-q", "--quiet", action="store_true", help="only warnings; no status line, no report"
    )
    display.add_argument("-v", "--verbose", action="store_true", help="log every decision")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    return whole_number(text, 0, 65535)
