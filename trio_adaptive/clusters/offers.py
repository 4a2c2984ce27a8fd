"""The resources of the next worker, as far as they can be known before it is there.

A worker that is told of none has those of Dask's configuration, ``distributed.worker.resources``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dask import config
from distributed import Nanny, Worker
from distributed.utils import import_term

Offers = Mapping[str, float]

OPTION = "--resources"
PROGRAMS = frozenset({"distributed.cli.dask_worker", "dask-worker"})


def offers_of_command(command: Sequence[str], env: Mapping[str, str] | None) -> Offers | None:
    """The resources of a worker with this command line; None where that is not ``dask worker``.

    Args:
        command: program and arguments.
        env: the whole environment of the process; None for ours.
    """
    for place, argument in enumerate(command):
        option, equals, value = argument.partition("=")
        if option == OPTION:
            return _parsed(value if equals else "".join(command[place + 1 : place + 2]))
    is_worker = not PROGRAMS.isdisjoint(command) or any(each.endswith("dask-worker") for each in command[:1])
    return _configured() if is_worker and env is None else None


def offers_of_spec(spec: Mapping[str, Any]) -> Offers | None:
    """The resources of a worker of this specification; None where its class is not one of distributed's own."""
    try:
        kind = import_term(spec["cls"]) if isinstance(spec["cls"], str) else spec["cls"]
    except (KeyError, ImportError, AttributeError, ValueError):
        return None
    if not (isinstance(kind, type) and issubclass(kind, (Worker, Nanny))):
        return None
    told = spec.get("options", {}).get("resources")
    return _configured() if told is None else _numbers(told)


def _parsed(text: str) -> Offers | None:
    """As ``dask worker`` reads it: ``"GPU=1 MEM=2e9"``, with commas or spaces; None where it could not."""
    pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
    return _numbers({name: value for name, _, value in pairs})


def _configured() -> Offers | None:
    return _numbers(config.get("distributed.worker.resources", {}) or {})


def _numbers(told: Mapping[str, Any]) -> Offers | None:
    with suppress(TypeError, ValueError):
        return {str(name): float(value) for name, value in told.items()}
    return None
