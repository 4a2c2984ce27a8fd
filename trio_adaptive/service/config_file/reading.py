"""From a configuration file and the command line to a `Configuration`, or to one error that names every mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from attrs import define, evolve, field, frozen

from trio_adaptive.config import Settings, Source, load_settings
from trio_adaptive.config.sources import near, shown
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.cluster_file import load_plan, plan_of
from trio_adaptive.service.config_file.fields import CLUSTER_NAME, NAME_WORDS
from trio_adaptive.service.config_file.given import Given, option
from trio_adaptive.service.config_file.tables import (
    ServiceTable,
    WorkersTable,
    read_table,
    spelled,
    with_paths,
)
from trio_adaptive.service.config_file.together import check_together
from trio_adaptive.service.elastic import Plan
from trio_adaptive.service.fleet import DEFAULT
from trio_adaptive.service.foreign_cluster import ForeignPlan
from trio_adaptive.service.own_workers import plan_of_workers
from trio_adaptive.service.specification import Findings, specification_of

TABLES: Final = ("service", "adaptive", "cluster", "clusters")
BY_CLASS: Final = ("module", "class", "args", "kwargs")
COMMON: Final = ("weight", "adaptive")
"""Keys that any kind of cluster has."""

RECORDS: Final = 20_000
FEWEST_RECORDS: Final = 100
"""So many records are kept in memory of all clusters together, and of each at least; half a kilobyte each."""

Place: TypeAlias = Callable[[str], str]
"""Gives the path of a key, for messages."""


@frozen
class Hosting:
    """One cluster of the service.

    Attributes:
        name: how the service calls it.
        plan: what to bring up.
        weight: its part where all clusters share a maximum.
        workers: what was said of worker processes on this machine; None for another kind of cluster.
    """

    name: str
    plan: Plan | ForeignPlan
    weight: float = 1.0
    workers: WorkersTable | None = None

    @property
    def settings(self) -> Settings:
        """The scaler's."""
        return self.plan.settings


@frozen
class Configuration:
    """All that a service has to know.

    Attributes:
        service: what there is one of.
        clusters: by name; at least one.
        file: where it was read from; None where there was no file.
    """

    service: ServiceTable
    clusters: Mapping[str, Hosting]
    file: Path | None = None


def read_configuration(file: Path | None, given: Given = Given()) -> Configuration:  # noqa: B008 - frozen
    """Read a file, or make up what there is without one; starts nothing, but imports the classes that are named.

    Raises:
        ConfigurationError: naming all that is wrong, each with its place.
    """
    reading = _Reading(file, given)
    content = {} if file is None else reading.content(file)
    service = reading.service(content)
    clusters = reading.clusters(content)
    if not reading.mistakes:
        reading.mistakes += check_together(file, service, clusters)
    if reading.mistakes:
        # What [adaptive] says wrong is found once for each cluster.
        raise ConfigurationError(list(dict.fromkeys(reading.mistakes)))
    return Configuration(service, {each.name: _modest(each, len(clusters)) for each in clusters}, file)


def _modest(hosting: Hosting, number: int) -> Hosting:
    """Keeping no more records than its part of `RECORDS`, where nobody has said how many."""
    settings = hosting.settings
    most = max(FEWEST_RECORDS, RECORDS // number)
    if settings.log_length != Settings().log_length or most >= settings.log_length:
        return hosting
    return evolve(hosting, plan=evolve(hosting.plan, settings=evolve(settings, log_length=most)))


@define
class _Reading:
    file: Path | None
    given: Given
    mistakes: list[Mistake] = field(factory=list[Mistake])

    @property
    def folder(self) -> Path:
        return Path() if self.file is None else self.file.parent

    def place(self, table: str, key: str = "") -> str:
        return f"{self.file}: {'.'.join(filter(None, (table, key)))}"

    def content(self, file: Path) -> Mapping[str, Any]:
        try:
            with file.open("rb") as stream:
                content = tomllib.load(stream)
        except (OSError, ValueError, RecursionError) as error:
            self.mistakes.append(Mistake(str(file), f"cannot be read: {error}", "a TOML file in UTF-8"))
            return {}
        for name in content:
            if name not in TABLES:
                problem = f"unknown table{near(name, TABLES)}"
                self.mistakes.append(Mistake(self.place(name), problem, f"one of {', '.join(TABLES)}"))
        return content

    def table(self, parent: Mapping[str, Any], key: str, path: str) -> dict[str, Any]:
        """One table in another, its keys as Python spells them; empty where there is none."""
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.mistakes.append(Mistake(self.place(path), f"is {shown(value)}", "a table"))
            return {}
        return spelled(cast("dict[str, Any]", value), partial(self.place, path), self.mistakes)

    def service(self, content: Mapping[str, Any]) -> ServiceTable:
        table = self.table(content, "service", "service")
        read = read_table(ServiceTable, table, partial(self.place, "service"), self.mistakes)
        return with_paths(read, self.folder)

    def clusters(self, content: Mapping[str, Any]) -> list[Hosting]:
        tables = dict(self._tables(content))
        hostings: list[Hosting] = []
        for name, (path, table) in tables.items():
            try:
                hostings.append(self._hosting(name, path, table, content))
            except ConfigurationError as error:
                self.mistakes += error.mistakes
        if len(tables) > 1 and self.given.words:
            allowed = f"in {self.place('clusters')}.NAME"
            self.mistakes += [
                Mistake(word, "makes no sense with several clusters", allowed) for word in self.given.words
            ]
        return hostings

    def _tables(self, content: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
        """The name of each cluster, with the place and content of its table."""
        named = (
            self.table({"clusters": content.get("clusters")}, "clusters", "clusters") and content["clusters"]
        )
        if not named:
            yield DEFAULT, ("cluster", self.table(content, "cluster", "cluster"))
            return
        if "cluster" in content:
            problem = "stands beside [clusters]"
            self.mistakes.append(Mistake(self.place("cluster"), problem, "one of the two"))
        for name in named:
            path = f"clusters.{name}"
            if not CLUSTER_NAME.fullmatch(name):
                problem = f"{shown(name)} is no name of a cluster"
                self.mistakes.append(Mistake(self.place("clusters"), problem, NAME_WORDS))
            yield name, (path, self.table(named, name, path))

    def _hosting(self, name: str, path: str, table: dict[str, Any], content: Mapping[str, Any]) -> Hosting:
        common = {key: table.pop(key) for key in COMMON if key in table}
        weight: dict[str, Any] = {key: value for key, value in common.items() if key == "weight"}
        read = read_table(WorkersTable, weight, partial(self.place, path), self.mistakes)
        sources = [Source(self.place("adaptive"), content.get("adaptive"), self.folder)]
        sources.append(Source(self.place(path, "adaptive"), common.get("adaptive"), self.folder))
        if "file" in table:
            return Hosting(name, self._of_file(path, table, sources), read.weight)
        if "class" in table or "module" in table:
            return Hosting(name, self._of_class(path, table, sources), read.weight)
        plan, workers = self._of_workers(path, table, sources)
        return Hosting(name, plan, read.weight, workers)

    def _of_file(self, path: str, table: dict[str, Any], sources: list[Source]) -> ForeignPlan:
        self._alone(path, table, ("file",), "beside file")
        file = table["file"]
        if not isinstance(file, str) or not file or "\0" in file:
            raise ConfigurationError(
                [Mistake(self.place(path, "file"), f"is {shown(file)}", "a path, as text")]
            )
        return load_plan(self.folder / file, self.given.scaling, misplaced=self._misplaced(), tables=sources)

    def _of_class(self, path: str, table: dict[str, Any], sources: list[Source]) -> ForeignPlan:
        self._alone(path, table, BY_CLASS, "beside class")
        findings = Findings(self.file or Path(), under=path)
        specification = specification_of(table, findings)
        return plan_of(
            specification, findings, self.given.scaling, misplaced=self._misplaced(), tables=sources
        )

    def _misplaced(self) -> list[str]:
        return [option(name) for name in self.given.workers]

    def _alone(self, path: str, table: Mapping[str, Any], keys: tuple[str, ...], beside: str) -> None:
        for key in table:
            if key not in keys:
                allowed = f"one of {', '.join((*keys, *COMMON))}"
                self.mistakes.append(Mistake(self.place(path, key), f"makes no sense {beside}", allowed))

    def _of_workers(
        self, path: str, table: dict[str, Any], sources: list[Source]
    ) -> tuple[Plan, WorkersTable]:
        known = len(self.mistakes)
        read = read_table(WorkersTable, table, partial(self.place, path), self.mistakes)
        workers = evolve(with_paths(read, self.folder), **self.given.workers)
        settings, plan = Settings(), None
        try:
            settings = load_settings(self.given.scaling, tables=sources)
        except ConfigurationError as error:
            self.mistakes += error.mistakes
        try:
            given = any("interval" in _keys(source.options) for source in sources)
            plan = plan_of_workers(
                workers,
                settings,
                partial(self._spelled, path),
                interval_given=given or "interval" in self.given.scaling,
            )
        except ConfigurationError as error:
            self.mistakes += error.mistakes
        if plan is None or len(self.mistakes) > known:
            raise ConfigurationError([])
        return plan, workers

    def _spelled(self, path: str, key: str) -> str:
        """A key as whoever gave it has spelled it."""
        return option(key) if self.file is None or key in self.given.workers else self.place(path, key)


def _keys(options: object) -> set[object]:
    return set(cast("Mapping[object, object]", options)) if isinstance(options, Mapping) else set()
