"""What differs between two configurations, key by key, as the file has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from trio_adaptive.service.config_file.reading import Configuration, Hosting
from trio_adaptive.service.elastic import Plan
from trio_adaptive.service.fleet import DEFAULT


@frozen
class Changes:
    """Everything that is new in a configuration.

    Attributes:
        service: keys of ``[service]``, with their new values.
        settings: for each cluster that stays, the options that are new.
        weights: for each cluster that stays, a new weight.
        fixed: in words, what else is new: it counts only for a cluster, or a service, that begins anew.
    """

    service: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, float]
    fixed: tuple[str, ...]


def changes(old: Configuration, new: Configuration) -> Changes:
    """What is new."""
    both = [(old.clusters[name], each) for name, each in new.clusters.items() if name in old.clusters]
    fixed = [f"{place(name)}: a new cluster" for name in new.clusters if name not in old.clusters]
    fixed += [f"{place(name)}: not there any more" for name in old.clusters if name not in new.clusters]
    for before, after in both:
        fixed += [f"{place(after.name)}.{key}" for key in _fixed(before, after)]
    return Changes(
        service=differences(old.service, new.service),
        settings={after.name: differences(before.settings, after.settings) for before, after in both},
        weights={after.name: after.weight for before, after in both if before.weight != after.weight},
        fixed=tuple(fixed),
    )


def place(cluster: str, key: str = "") -> str:
    """Where something of a cluster stands in the file."""
    table = "cluster" if cluster == DEFAULT else f"clusters.{cluster}"
    return f"{table}.{key}" if key else table


def differences(old: Any, new: Any) -> dict[str, Any]:
    """The fields of two frozen values of one class in which they differ, with the new values."""
    names = [field.name for field in attrs.fields(type(new))]
    return {name: getattr(new, name) for name in names if getattr(old, name) != getattr(new, name)}


def _fixed(old: Hosting, new: Hosting) -> Iterator[str]:
    if old.workers is not None and new.workers is not None:
        yield from (key for key in differences(old.workers, new.workers) if key != "weight")
    elif isinstance(old.plan, Plan) or isinstance(new.plan, Plan):
        yield "class"
    elif old.plan.blueprint != new.plan.blueprint:
        yield "args, kwargs" if old.plan.blueprint.cls is new.plan.blueprint.cls else "class"
