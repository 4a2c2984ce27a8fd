"""What several clusters, each right by itself, must not have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trio_adaptive.errors import Mistake
from trio_adaptive.service.elastic import Plan

if TYPE_CHECKING:
    from trio_adaptive.service.config_file.reading import Hosting
    from trio_adaptive.service.config_file.tables import ServiceTable


def check_together(file: Path | None, service: ServiceTable, clusters: Sequence[Hosting]) -> list[Mistake]:
    """The mistakes that only show when all clusters are looked at."""
    return [*_check_single(file, clusters), *_check_maximum(file, service, clusters)]


def _check_single(file: Path | None, clusters: Sequence[Hosting]) -> Iterator[Mistake]:
    """Two must not write the same file, listen on the same port, or drive the same scheduler."""
    ones: tuple[tuple[str, Callable[[Hosting], object]], ...] = (
        ("adaptive.journal", lambda each: each.settings.journal),
        ("adaptive.memory_file", lambda each: each.settings.memory_file),
        ("port", lambda each: each.plan.port if isinstance(each.plan, Plan) else 0),
        ("scheduler", lambda each: each.plan.scheduler if isinstance(each.plan, Plan) else None),
    )
    for key, value_of in ones:
        for value, names in _groups(clusters, value_of):
            allowed = f"another {key.rpartition('.')[2]} for each cluster"
            yield Mistake(f"{file}: clusters", f"{', '.join(names)} have the same {key}, {value}", allowed)


def _groups(
    clusters: Iterable[Hosting], value_of: Callable[[Hosting], object]
) -> Iterator[tuple[object, list[str]]]:
    found: dict[object, list[str]] = {}
    for each in clusters:
        if value := value_of(each):
            found.setdefault(value, []).append(each.name)
    yield from ((value, names) for value, names in found.items() if len(names) > 1)


def _check_maximum(
    file: Path | None, service: ServiceTable, clusters: Sequence[Hosting]
) -> Iterator[Mistake]:
    least = sum(each.settings.minimum for each in clusters)
    if not math.isinf(service.maximum) and least > service.maximum:
        problem = f"is {service.maximum:g}, but the minimum of all clusters together is {least}"
        yield Mistake(f"{file}: service.maximum", problem, f"at least {least}")
