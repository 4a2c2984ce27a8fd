"""The places where options come from.

Each source turns its own spelling into names with a path, the later source wins, cattrs reads what is left, and all
mistakes leave in one error.
"""

from __future__ import annotations

import difflib
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
from attrs import define, field, frozen
from cattrs import ClassValidationError, Converter

from trio_adaptive.config.settings import OPTIONS, ORDERED, TAKES_NONE, Settings
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.forms import Misread

DASK_KEYS = ("interval", "minimum", "maximum", "wait-count", "target-duration")
"""What is taken from Dask's own ``distributed.adaptive``."""


def _is_annotated(type_: Any) -> bool:
    return hasattr(type_, "__metadata__")


def _hook(annotated: Any) -> Callable[[object, object], object]:
    def structure(given: object, _type: object) -> object:
        for asked in annotated.__metadata__:
            given = asked(given)
        return given

    return structure


_CONVERTER = Converter()
_CONVERTER.register_structure_hook_factory(_is_annotated, _hook)


PATHS = ("journal", "memory_file")
"""Options that name a file; one in a configuration file is looked for beside that file."""


@frozen
class Source:
    """A table of options in a file that somebody else has read.

    Attributes:
        path: where it stands, such as ``service.toml: adaptive``.
        options: by name, as they were written.
        folder: what relative paths in it start from; None for the current folder.
    """

    path: str
    options: object
    folder: Path | None = None


def load_settings(
    options: Mapping[str, object], *, file: Path | None = None, tables: Sequence[Source] = ()
) -> Settings:
    """Settings from, the later winning: the defaults, Dask's configuration, ``file``, ``tables``, ``options``.

    Dask's configuration counts where Dask is installed: ``distributed.adaptive`` and then ``trio-adaptive``.
    Names may be spelled with ``-`` for ``_``. None stands for "not given" wherever it is no value of the option.

    Args:
        options: by name, as they came from the caller.
        file: a TOML file with the table ``[adaptive]``; its other tables are not looked at.
        tables: more tables of options, of files that have been read already.

    Raises:
        ConfigurationError: naming all that is wrong, each with its place and what is allowed there. A wrong value
            that a later source overrides does no harm.
    """
    draft = _Draft()
    draft.add_dask()
    if file is not None:
        draft.add_file(file)
    for table in tables:
        draft.add_table(table)
    draft.add(options, "")
    return draft.settings()


@frozen
class _Given:
    path: str
    value: object


@define
class _Draft:
    """What the sources have said up to now, and the mistakes in how they said it."""

    given: dict[str, _Given] = field(factory=dict)
    mistakes: list[Mistake] = field(factory=list)

    def add_dask(self) -> None:
        try:
            from dask import config  # noqa: PLC0415 - Dask is optional, and slow to import
        except ImportError:
            return
        theirs = {key: config.get(f"distributed.adaptive.{key}", None) for key in DASK_KEYS}
        self.add(theirs, "distributed.adaptive.")
        self._add_section(config.get("trio-adaptive", None), "trio-adaptive")

    def add_file(self, file: Path) -> None:
        try:
            with file.open("rb") as stream:
                content = tomllib.load(stream)
        except (OSError, ValueError, RecursionError) as error:
            self._mistake(str(file), f"cannot be read: {error}", "a TOML file in UTF-8")
        else:
            self.add_table(Source(f"{file}: adaptive", content.get("adaptive"), file.parent))

    def add_table(self, table: Source) -> None:
        """Lay a table of a file over what was said before."""
        options = table.options
        if table.folder is not None and isinstance(options, Mapping):
            options = beside(cast("Mapping[Any, object]", options), table.folder)
        self._add_section(options, table.path)

    def _add_section(self, section: object, path: str) -> None:
        if isinstance(section, Mapping):
            self.add(cast("Mapping[object, object]", section), f"{path}.")
        elif section is not None:
            self._mistake(path, f"is {shown(section)}", "a table of options")

    def add(self, options: Mapping[Any, object], prefix: str) -> None:
        """Lay one source's options over those of the sources before it."""
        spellings: dict[str, object] = {}
        for key, value in options.items():
            path = f"{prefix}{key if isinstance(key, str) else shown(key)}"
            name = path.removeprefix(prefix).replace("-", "_")
            if name not in OPTIONS:
                self._mistake(path, f"unknown option{_near(name)}", f"one of {', '.join(OPTIONS)}")
            elif name in spellings:
                self._mistake(path, f"given twice, also as {spellings[name]}", "one spelling of it")
            elif value is not None or name in TAKES_NONE:
                self.given[name] = _Given(path, value)
            spellings[name] = key

    def _mistake(self, path: str, problem: str, allowed: str) -> None:
        self.mistakes.append(Mistake(path, problem, allowed))

    def settings(self) -> Settings:
        """The whole of it.

        Raises:
            ConfigurationError: something is wrong, here or in what was added.
        """
        wrong: dict[str, BaseException] = {}
        values = {name: given.value for name, given in self.given.items()}
        try:
            settings = _CONVERTER.structure(values, Settings)
        except ClassValidationError as errors:
            wrong = {note.name: error for error, note in errors.group_exceptions()[0]}
            right = {name: value for name, value in values.items() if name not in wrong}
            settings = _CONVERTER.structure(right, Settings)
        for name, error in wrong.items():
            path = self.given[name].path
            if isinstance(error, Misread):
                self.mistakes += [attrs.evolve(each, path=f"{path}{each.path}") for each in error.mistakes]
            else:
                self._mistake(path, f"is {shown(values[name])}", OPTIONS[name])
        self._check_order(settings, wrong)
        self._check_fallback(settings, wrong)
        if self.mistakes:
            raise ConfigurationError(self.mistakes)
        return settings

    def _check_order(self, settings: Settings, wrong: Iterable[str]) -> None:
        for low, high in ORDERED:
            least, most = getattr(settings, low), getattr(settings, high)
            if low in wrong or high in wrong or least is None or most is None or least <= most:
                continue
            path = self.given[low if low in self.given else high].path
            problem = f"{self._said(low, settings)}, but {self._said(high, settings)}"
            self._mistake(path, problem, f"{low} at most {high}")

    def _check_fallback(self, settings: Settings, wrong: Iterable[str]) -> None:
        known = settings.fallback == "current" or settings.fallback_size is not None
        if not known and "fallback_size" not in wrong:
            problem = f"is {shown(settings.fallback)}, but fallback_size is not given"
            self._mistake(self.given["fallback"].path, problem, "fallback_size as well")

    def _said(self, name: str, settings: Settings) -> str:
        path = self.given[name].path if name in self.given else f"{name} (by default)"
        return f"{path} is {shown(getattr(settings, name))}"


def beside(options: Mapping[Any, object], folder: Path) -> dict[Any, object]:
    """The options with their relative paths made to start from this folder."""
    return {
        name: str(folder / value) if _is_path(name) and isinstance(value, str) and value[:1] != "~" else value
        for name, value in options.items()
    }


def _is_path(name: object) -> bool:
    return isinstance(name, str) and name.replace("-", "_") in PATHS


def _near(name: str) -> str:
    return near(name, OPTIONS)


def near(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that is not known; empty when none is like it."""
    found = difflib.get_close_matches(name, list(names))
    return f", did you mean {' or '.join(found)}?" if found else ""


def shown(value: object) -> str:
    """Short, whatever it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write very large integers
        return f"a {type(value).__name__} too long to show"
