"""The command line's options for worker processes on this machine, and what becomes of them."""

from __future__ import annotations

import argparse
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from trio_adaptive.clusters.template import PLACEHOLDERS, WorkerTemplate, worker_command
from trio_adaptive.errors import ConfigurationError, Mistake


def add_worker_options(command: argparse.ArgumentParser) -> None:
    """Add them to a command."""
    workers = command.add_argument_group("workers")
    workers.add_argument("--nthreads", type=_threads, help="threads of a worker (default 1)")
    places = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    workers.add_argument(
        "--worker-command", metavar="TEMPLATE", help=f"command that starts one worker, with {places} in it"
    )
    workers.add_argument(
        "--preload",
        type=_modules,
        metavar="MODULES",
        help="imported once, for all workers, which are forked from there; such as numpy,pandas,my_module",
    )
    workers.add_argument(
        "--cold", action="store_true", help="start each worker anew instead, which takes ten times as long"
    )
    workers.add_argument(
        "--worker-logs", type=Path, metavar="FOLDER", help="write the output of each worker into a file there"
    )


def is_warm(options: argparse.Namespace) -> bool:
    """Whether workers are to be forked, where the system can."""
    return not options.cold and options.worker_command is None


def template(options: argparse.Namespace) -> WorkerTemplate:
    """How a worker is started, as these options have it.

    Raises:
        ConfigurationError: they contradict each other, or name what is not there.
    """
    warm = is_warm(options)
    preload = _preload(options, warm=warm)
    if options.worker_command is not None:
        command = tuple(shlex.split(options.worker_command))
    else:
        # Where the scheduler is ours it listens on loopback only, and so do its workers.
        host = None if getattr(options, "scheduler", None) else "127.0.0.1"
        command = worker_command(nthreads=options.nthreads or 1, host=host)
    if options.worker_logs is not None:
        options.worker_logs.mkdir(parents=True, exist_ok=True)
    return WorkerTemplate(command, warm=warm, preload=preload, log_dir=options.worker_logs)


def _preload(options: argparse.Namespace, *, warm: bool) -> tuple[str, ...]:
    """What `--preload` names, which has to be there, and of use."""
    named: tuple[str, ...] = options.preload or ()
    if named and not warm:
        problem = "with --cold or --worker-command"
        raise ConfigurationError([Mistake("--preload", problem, "where workers are forked")])
    missing = [
        Mistake("--preload", f"there is no module {name!r}", "modules that Python finds here")
        for name in named
        if not _is_there(name.partition(".")[0])
    ]
    if missing:
        raise ConfigurationError(missing)
    return named


def _is_there(module: str) -> bool:
    here = str(Path.cwd())  # where a worker looks first, as `python -m` does
    sys.path.insert(0, here)
    try:
        return find_spec(module) is not None
    finally:
        sys.path.remove(here)


def _threads(text: str) -> int:
    return whole_number(text, 1, 1024)


def whole_number(text: str, least: int, most: int) -> int:
    """A number from the command line, within bounds."""
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def _modules(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of modules, such as numpy,pandas.io")
    return names
