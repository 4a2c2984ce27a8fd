"""Every option of the autoscaler in one frozen value, and the places where options come from.

What a field allows stands in its annotation, as a test and as words. Each source turns its own spelling into
names with a path, the later source wins, cattrs reads what is left, and all mistakes leave in one error.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import reprlib
import tomllib
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, SupportsInt, TypeAlias, cast, get_args, get_type_hints

import attrs
from attrs import Factory, define, field, frozen
from cattrs import ClassValidationError, Converter

from trio_adaptive.decision.limits import Fallback, Rate, RateChoice
from trio_adaptive.decision.state import Strangers
from trio_adaptive.decision.targets.named import is_policy
from trio_adaptive.durations import FORMS, parse_duration
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.forms import (
    RATE_FORM,
    SCHEDULE_FORM,
    Misread,
    read_amount,
    read_number,
    read_rates,
    read_schedules,
)
from trio_adaptive.schedules import Schedule


@frozen
class Allowed:
    """One thing that a field asks of its value; a field may ask several, in order.

    Attributes:
        words: what is asked, for whoever gave something else.
        test: whether a value may stand. None is not asked: it stands where ``read`` lets it pass.
        read: makes the field's value of the given one, or raises.
    """

    words: str
    test: Callable[[Any], bool] = lambda _: True
    read: Callable[[Any], Any] = lambda given: given

    def __call__(self, given: object) -> object:
        value = self.read(given)
        if value is not None and not self.test(value):
            raise ValueError(self.words)
        return value


def _read_count(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, SupportsInt) or given != int(given):
        raise ValueError("not a whole number")
    return int(given)


def _read_maximum(given: object) -> float:
    return math.inf if given in (math.inf, "inf") else _read_count(given)


def _read_cores(given: object) -> int | None:
    return None if given is None else _read_count(given)


def _read_memory(given: object) -> int | None:
    if isinstance(given, str):
        if not any(character.isdigit() for character in given):
            raise ValueError("no number in it")  # for Dask, text without a number is one of that unit
        from dask.utils import parse_bytes  # noqa: PLC0415 - only those who have Dask can say it

        return int(parse_bytes(given))
    return _read_cores(given)


def _read_size(given: object) -> int:
    size = _read_memory(given)
    if size is None:
        raise ValueError("no number of bytes")
    return size


def _read_path(given: object) -> str:
    if not isinstance(given, str | os.PathLike):
        raise TypeError("no path")
    return str(os.fspath(given))


def _read_idle_timeout(given: object) -> float | None:
    return None if given in (None, "auto") else parse_duration(given)


def _read_optional(given: object) -> float | None:
    return None if given is None else parse_duration(given)


def _read_value(given: object) -> float:
    if isinstance(given, str) and given in VALUES:
        return VALUES[given]
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError("neither a number nor one of the words")
    return float(given)


VALUES: Mapping[str, float] = {"thrifty": 1.0, "balanced": 2.0, "fast": 6.0}
"""What the presets mean: worker-seconds for a second of one waiting task."""

ABOVE_0 = Allowed("above 0", lambda number: number > 0)
FROM_0 = Allowed("at least 0", lambda number: number >= 0)
FROM_1 = Allowed("at least 1", lambda number: number >= 1)
BELOW_1 = Allowed("below 1", lambda number: number < 1)
FINITE = Allowed("finite", math.isfinite)

NAME = re.compile(r"[A-Za-z0-9_-]*")

Seconds: TypeAlias = Annotated[float, Allowed(f"a duration ({FORMS})", read=parse_duration)]
IdleTimeout: TypeAlias = Annotated[
    float | None, Allowed(f'"auto", None or a duration ({FORMS})', read=_read_idle_timeout)
]
Count: TypeAlias = Annotated[int, Allowed("a whole number", read=_read_count)]
Maximum: TypeAlias = Annotated[float, Allowed("a whole number or inf", read=_read_maximum)]
Sync: TypeAlias = Literal["never", "each", "interval"]
OnExit: TypeAlias = Literal["keep", "minimum", "close"]
OneOfOnExit: TypeAlias = Annotated[
    OnExit, Allowed(" or ".join(map(repr, get_args(OnExit))), lambda word: word in get_args(OnExit))
]
Cores: TypeAlias = Annotated[int | None, Allowed("a whole number of cores", read=_read_cores)]
Memory: TypeAlias = Annotated[int | None, Allowed('bytes, or text such as "100 GiB"', read=_read_memory)]
OneOfStrangers: TypeAlias = Annotated[
    Strangers, Allowed(" or ".join(map(repr, get_args(Strangers))), lambda word: word in get_args(Strangers))
]
Share: TypeAlias = Annotated[float, Allowed("a number", read=read_number)]
Hours: TypeAlias = Annotated[float, Allowed("a number or inf", read=read_amount)]
OneOfRateChoice: TypeAlias = Annotated[
    RateChoice,
    Allowed(" or ".join(map(repr, get_args(RateChoice))), lambda word: word in get_args(RateChoice)),
]
OneOfFallback: TypeAlias = Annotated[
    Fallback, Allowed(" or ".join(map(repr, get_args(Fallback))), lambda word: word in get_args(Fallback))
]
Size: TypeAlias = Annotated[int | None, Allowed("a whole number or None", read=_read_cores)]
Rates: TypeAlias = Annotated[tuple[Rate, ...], Allowed(RATE_FORM, read=read_rates)]
Schedules: TypeAlias = Annotated[tuple[Schedule, ...], Allowed(SCHEDULE_FORM, read=read_schedules)]
Text: TypeAlias = Annotated[str, Allowed("text", lambda given: isinstance(given, str))]
UnitName: TypeAlias = Annotated[
    str,
    Allowed("letters, digits, - or _", lambda given: isinstance(given, str) and bool(NAME.fullmatch(given))),
]
YesOrNo: TypeAlias = Annotated[bool, Allowed("true or false", lambda given: isinstance(given, bool))]
FilePath: TypeAlias = Annotated[str, Allowed("a path, as text", read=_read_path)]
Bytes: TypeAlias = Annotated[int, Allowed('bytes, or text such as "100 MiB"', read=_read_size)]
OnBreaker: TypeAlias = Literal["probe", "end"]
OneOfOnBreaker: TypeAlias = Annotated[
    OnBreaker, Allowed(" or ".join(map(repr, get_args(OnBreaker))), lambda word: word in get_args(OnBreaker))
]
OneOfSync: TypeAlias = Annotated[
    Sync, Allowed(" or ".join(map(repr, get_args(Sync))), lambda word: word in get_args(Sync))
]
PolicyName: TypeAlias = Annotated[
    str, Allowed('"demand", "dask", "adaptive", "count", "fixed:N" or "module:Class"', is_policy)
]
ValueOfTime: TypeAlias = Annotated[float, Allowed("thrifty, balanced, fast or a number", read=_read_value)]
OptionalSeconds: TypeAlias = Annotated[
    float | None, Allowed(f"None or a duration ({FORMS})", read=_read_optional)
]
WorkerKey: TypeAlias = Annotated[
    Callable[[Any], Hashable] | None, Allowed("a function of a worker's state, or None", callable)
]


def _default_min_interval(settings: Settings) -> float:
    return min(0.05, settings.interval)


def _default_retry_delay_max(settings: Settings) -> float:
    return max(60.0, settings.retry_delay)


@frozen(kw_only=True)
class Settings:
    """Every option; `load_settings` makes one.

    Durations are seconds. Sizes are workers, and become whole units where several workers are started as one.

    The constructor takes values at their word: it neither reads ``"5s"`` nor looks for contradictions.

    Attributes:
        interval: between two looks at the cluster, when nothing has asked for one sooner.
        min_interval: between two looks at the least, however many wake-ups come; unless given, it follows a
            shorter ``interval``.
        minimum: never fewer workers than this by our own action.
        maximum: never more workers than this, an int or infinite.
        wait_count: how many looks in a row must find a unit superfluous before it is given back.
        target_duration: how long the work at hand should take; less means more workers.
        idle_timeout: how long a unit must have been idle or superfluous before it is given back. None is automatic:
            at least ``wait_count`` intervals and the start-up time that was measured.
        call_timeout: for a question to the scheduler or the cluster.
        request_timeout: for a request to launch units, until it is accepted.
        drain_timeout: for a whole drain: until the unit has finished its tasks and moved its data. Then it is made
            to go with the least harm, or stays where its cluster cannot do that.
        stop_timeout: for stopping or taking back a unit.
        shutdown_timeout: for what is in flight when adapting ends.
        retry_delay: from the first failed launch to the next attempt; it grows from failure to failure.
        retry_delay_max: where that growth ends; unless given, it follows a longer ``retry_delay``.
        on_exit: what becomes of the workers when adapting ends: "keep" them all, go down to the "minimum", or
            "close" them all.
        log_length: how many records are kept in memory.
        strangers: what becomes of workers that are not part of the cluster's plan. They always count. "adopt": they
            may be given back like all others. "retire": they are given back at once. "ignore": nothing. "auto": adopt,
            or ignore where `trio-adaptive up` has attached itself to somebody else's scheduler.
        pending_timeout: the same as ``idle_timeout`` for a unit that has been asked for and has not registered, such
            as a batch job in a queue. None is automatic: as long as ``idle_timeout``.
        schedules: windows of the calendar, each with a least or largest number of workers while it is open.
        stabilization_up: to grow no further than was asked for throughout so long a time; 0 is off.
        stabilization_down: to shrink no further than was asked for throughout so long a time; 0 is off.
        rate_up: how fast to grow: workers, or a percentage of the size, in a period.
        rate_down: how fast to shrink, likewise.
        rate_choice: which one counts where there are several rates in one direction.
        max_launching: the most units that may be starting at once, the minimum notwithstanding.
        tolerance_up: the share of the size by which more may be asked for without any growing; 0.1 is 10 %.
        tolerance_down: the share of the size by which less may be asked for without any shrinking.
        budget: worker-hours that may be used in any ``budget_period``.
        budget_period: the length of the time that ``budget`` is for.
        fallback: what to aim at when the load has not been known for long: the "current" size, the "static" one of
            ``fallback_size``, or the larger of both, "current-if-higher".
        fallback_size: how many workers, for ``fallback``.
        fallback_after: how long the load must not have been known before the fallback counts; until then the size is
            held.
        minimum_cores: the least number of cores, made into workers; the larger of this and ``minimum`` counts.
        maximum_cores: the largest number of cores, made into workers; the smaller of this and ``maximum`` counts.
        minimum_memory: the same in bytes, or as text such as ``"100 GiB"``.
        maximum_memory: the same in bytes.
        policy: how the size is found. "demand": by the work, and a worker leaves when it has been superfluous for as
            long as a start takes. "dask": Dask's rule to the letter. "adaptive": by what a worker is good for once it has
            started, and kept for what it is good for. "count": a thread for each task. "fixed:N": always N workers.
            "module:Class": a class of your own.
        value_of_time: for "adaptive": what a second of one waiting task is worth, in worker-seconds; "thrifty" is
            1, "balanced" 2, "fast" 6.
        startup_billed: for "adaptive": whether a worker costs something while it starts.
        startup: how long a start takes, as far as is known before one has been measured.
        memory_file: where start-up times and durations of tasks are kept from run to run; empty: nowhere.
        worker_key: groups workers that are given back together, as in `distributed.deploy.Adaptive`.
        driver: who adapts, as others read it; a scheduler has one at a time. Empty: program, user, host, process.
        name: what the names of the units begin with. Workers of an earlier run under the same name, which was killed
            for example, count as our own. Empty: "adaptive", and nobody else's workers count as our own.
        take_over: take the place of another driver of the same scheduler, which then ends.
        startup_timeout: how long a unit may take to register from its launch on, before it is given up and replaced.
            None is automatic: learned from the start-ups that were measured, ten minutes before that, and for ever
            where units wait in a queue.
        breaker_failures: after so many failed launches in a row they are tried one by one, until one has succeeded.
        on_breaker: what happens after so many failures: "probe" goes on trying, "end" ends adapting with an error.
        scheduler_timeout: how long the scheduler may not answer before adapting ends with an error. Until then nothing
            is changed.
        journal: a file to which every record is written, for ``trio-adaptive why``; empty for none. What was there
            stays, and files next to it, with numbers at their ends, hold what is older.
        journal_size: of all these files together; the oldest records go.
        journal_sync: when records are forced to the disk, where they outlive a crash of the machine as well: "never",
            at the "interval" of a second, or "each" time that some are written.
    """

    interval: Annotated[Seconds, ABOVE_0, FINITE] = 1.0
    min_interval: Annotated[Seconds, FROM_0, FINITE] = field(
        default=Factory(_default_min_interval, takes_self=True)
    )
    minimum: Annotated[Count, FROM_0] = 0
    maximum: Annotated[Maximum, FROM_0] = math.inf
    wait_count: Annotated[Count, FROM_1] = 3
    target_duration: Annotated[Seconds, ABOVE_0, FINITE] = 5.0
    idle_timeout: Annotated[IdleTimeout, FROM_0] = None
    call_timeout: Annotated[Seconds, ABOVE_0, FINITE] = 5.0
    request_timeout: Annotated[Seconds, ABOVE_0, FINITE] = 60.0
    drain_timeout: Annotated[Seconds, ABOVE_0] = math.inf
    stop_timeout: Annotated[Seconds, ABOVE_0, FINITE] = 10.0
    shutdown_timeout: Annotated[Seconds, FROM_0] = 5.0
    retry_delay: Annotated[Seconds, ABOVE_0, FINITE] = 1.0
    retry_delay_max: Annotated[Seconds, ABOVE_0, FINITE] = field(
        default=Factory(_default_retry_delay_max, takes_self=True)
    )
    on_exit: OneOfOnExit = "keep"
    log_length: Annotated[Count, FROM_1] = 1000
    strangers: OneOfStrangers = "auto"
    pending_timeout: Annotated[IdleTimeout, FROM_0] = None
    schedules: Schedules = ()
    stabilization_up: Annotated[Seconds, FROM_0, FINITE] = 0.0
    stabilization_down: Annotated[Seconds, FROM_0, FINITE] = 0.0
    rate_up: Rates = ()
    rate_down: Rates = ()
    rate_choice: OneOfRateChoice = "loosest"
    max_launching: Annotated[Maximum, FROM_1] = math.inf
    tolerance_up: Annotated[Share, FROM_0, BELOW_1] = 0.0
    tolerance_down: Annotated[Share, FROM_0, BELOW_1] = 0.0
    budget: Annotated[Hours, ABOVE_0] = math.inf
    budget_period: Annotated[Seconds, ABOVE_0, FINITE] = 86400.0
    fallback: OneOfFallback = "current"
    fallback_size: Annotated[Size, FROM_0] = None
    fallback_after: Annotated[Seconds, FROM_0, FINITE] = 60.0
    minimum_cores: Annotated[Cores, FROM_0] = None
    maximum_cores: Annotated[Cores, FROM_1] = None
    minimum_memory: Annotated[Memory, FROM_0] = None
    maximum_memory: Annotated[Memory, FROM_1] = None
    policy: PolicyName = "demand"
    value_of_time: Annotated[ValueOfTime, ABOVE_0, FINITE] = 2.0
    startup_billed: YesOrNo = True
    startup: Annotated[OptionalSeconds, ABOVE_0, FINITE] = None
    memory_file: Text = ""
    worker_key: WorkerKey = None
    driver: Text = ""
    name: UnitName = ""
    take_over: YesOrNo = False
    startup_timeout: Annotated[IdleTimeout, ABOVE_0] = None
    breaker_failures: Annotated[Count, FROM_1] = 5
    on_breaker: OneOfOnBreaker = "probe"
    scheduler_timeout: Annotated[Seconds, ABOVE_0] = math.inf
    journal: FilePath = ""
    journal_size: Annotated[Bytes, FROM_1] = 100 * 2**20
    journal_sync: OneOfSync = "interval"


_HINTS = get_type_hints(Settings, include_extras=True)
_TAKES_NONE = {attribute.name for attribute in attrs.fields(Settings) if attribute.default is None}

OPTIONS: Mapping[str, str] = {
    name: ", ".join(asked.words for asked in hint.__metadata__) for name, hint in _HINTS.items()
}
"""Every option by name, and what is allowed for it, in words."""

ORDERED = (
    ("minimum", "maximum"),
    ("minimum_cores", "maximum_cores"),
    ("minimum_memory", "maximum_memory"),
    ("min_interval", "interval"),
    ("retry_delay", "retry_delay_max"),
)
"""Pairs of options, of which the first is at most as large as the second where both are given."""

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


def load_settings(options: Mapping[str, object], *, file: Path | None = None) -> Settings:
    """Settings from, the later winning: the defaults, Dask's configuration, ``file``, ``options``.

    Dask's configuration counts where Dask is installed: ``distributed.adaptive`` and then ``trio-adaptive``.
    Names may be spelled with ``-`` for ``_``. None stands for "not given" wherever it is no value of the option.

    Args:
        options: by name, as they came from the caller.
        file: a TOML file with the table ``[adaptive]``; its other tables are not looked at.

    Raises:
        ConfigurationError: naming all that is wrong, each with its place and what is allowed there. A wrong value
            that a later source overrides does no harm.
    """
    draft = _Draft()
    draft.add_dask()
    if file is not None:
        draft.add_file(file)
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
            self._add_section(content.get("adaptive"), f"{file}: adaptive")

    def _add_section(self, section: object, path: str) -> None:
        if isinstance(section, Mapping):
            self.add(cast("Mapping[object, object]", section), f"{path}.")
        elif section is not None:
            self._mistake(path, f"is {_shown(section)}", "a table of options")

    def add(self, options: Mapping[Any, object], prefix: str) -> None:
        """Lay one source's options over those of the sources before it."""
        spellings: dict[str, object] = {}
        for key, value in options.items():
            path = f"{prefix}{key if isinstance(key, str) else _shown(key)}"
            name = path.removeprefix(prefix).replace("-", "_")
            if name not in OPTIONS:
                self._mistake(path, f"unknown option{_near(name)}", f"one of {', '.join(OPTIONS)}")
            elif name in spellings:
                self._mistake(path, f"given twice, also as {spellings[name]}", "one spelling of it")
            elif value is not None or name in _TAKES_NONE:
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
                self._mistake(path, f"is {_shown(values[name])}", OPTIONS[name])
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
            problem = f"is {_shown(settings.fallback)}, but fallback_size is not given"
            self._mistake(self.given["fallback"].path, problem, "fallback_size as well")

    def _said(self, name: str, settings: Settings) -> str:
        path = self.given[name].path if name in self.given else f"{name} (by default)"
        return f"{path} is {_shown(getattr(settings, name))}"


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _shown(value: object) -> str:
    """Short, whatever it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write very large integers
        return f"a {type(value).__name__} too long to show"
