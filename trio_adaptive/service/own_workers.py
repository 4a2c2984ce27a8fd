"""From what is said of worker processes on this machine to the plan for a cluster of them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.config import Settings, load_settings
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.config_file.given import option
from trio_adaptive.service.config_file.tables import WorkersTable
from trio_adaptive.service.elastic import Plan

WARM_INTERVAL: Final = 0.1
"""The default interval, in seconds, where workers are forked and the scheduler is ours: what is back at once may go soon."""


def plan_of_workers(
    table: WorkersTable, settings: Settings, place: Callable[[str], str], *, interval_given: bool
) -> Plan:
    """What to bring up.

    Args:
        table: what is said of the workers.
        settings: the scaler's; what nobody has given becomes what suits such workers.
        place: gives the path of a key of the table, for messages.
        interval_given: whether somebody has given ``interval``.

    Raises:
        ConfigurationError: the keys contradict each other, or name what is not there.
    """
    return Plan(
        settings=_fitted(settings, table, interval_given=interval_given),
        scheduler=table.scheduler,
        port=table.port,
        dashboard_address=table.dashboard_address,
        worker=_template(table, place),
        record=None if table.record is None else table.record.absolute(),
    )


def plan_for_script(
    workers: Mapping[str, Any], scaling: Mapping[str, object], *, config: Path | None
) -> Plan:
    """What to bring up for one script, by the command line and the table ``[adaptive]`` of a file.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    mistakes: list[Mistake] = []
    settings = Settings()
    try:
        settings = load_settings(scaling, file=config)
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        table = evolve(WorkersTable(), **workers)
        plan = plan_of_workers(table, settings, option, interval_given="interval" in scaling)
    except ConfigurationError as error:
        raise ConfigurationError([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise ConfigurationError(mistakes)
    return plan


def _fitted(settings: Settings, table: WorkersTable, *, interval_given: bool) -> Settings:
    ours = table.scheduler is None
    if ours and _is_warm(table) and not interval_given and settings.interval == Settings().interval:
        settings = evolve(settings, interval=max(WARM_INTERVAL, settings.min_interval))
    if settings.maximum == float("inf"):  # nobody wants as many workers as there are tasks on one machine
        return evolve(settings, maximum=max(os.cpu_count() or 1, settings.minimum))
    return settings


def _is_warm(table: WorkersTable) -> bool:
    """Whether workers are to be forked, where the system can."""
    return not table.cold and table.worker_command is None


def _template(table: WorkersTable, place: Callable[[str], str]) -> WorkerTemplate:
    mistakes = list(_wrong(table, place))
    preload = () if mistakes else table.preload
    try:
        template = WorkerTemplate(
            _command(table), warm=_is_warm(table), preload=preload, log_dir=table.worker_logs
        )
    except ConfigurationError as error:  # of the template, which has fields of its own
        mistakes += [evolve(each, path=place("worker_command")) for each in error.mistakes]
        raise ConfigurationError(mistakes) from error
    except ValueError as error:
        problem = f"is {table.worker_command!r}: {error}"
        mistakes.append(Mistake(place("worker_command"), problem, "a command line as a shell reads it"))
        raise ConfigurationError(mistakes) from error
    if mistakes:
        raise ConfigurationError(mistakes)
    return template


def _command(table: WorkersTable) -> tuple[str, ...]:
    if table.worker_command is not None:
        return tuple(shlex.split(table.worker_command))
    # Where the scheduler is ours it listens on loopback only, and so do its workers.
    host = "127.0.0.1" if table.scheduler is None else None
    return worker_command(nthreads=table.nthreads or 1, host=host)


def _wrong(table: WorkersTable, place: Callable[[str], str]) -> Iterator[Mistake]:
    if table.record is not None and table.scheduler is not None:
        allowed = "a scheduler of our own, or one with --preload trio_adaptive.dask.recording FILE"
        yield Mistake(place("record"), "given for a scheduler that runs already", allowed)
    if table.preload and not _is_warm(table):
        problem = f"with {place('cold')} or {place('worker_command')}"
        yield Mistake(place("preload"), problem, "where workers are forked")
        return
    for name in table.preload:
        if not _is_there(name.partition(".")[0]):
            yield Mistake(place("preload"), f"there is no module {name!r}", "modules that Python finds here")


def _is_there(module: str) -> bool:
    here = str(Path.cwd())  # where a worker looks first, as `python -m` does
    sys.path.insert(0, here)
    try:
        return find_spec(module) is not None
    except ValueError:  # such as __main__, which has no specification
        return False
    finally:
        sys.path.remove(here)
