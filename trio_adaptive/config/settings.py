"""Every option of the autoscaler in one frozen value.

What a field allows stands in its annotation, as a test and as words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, get_type_hints

import attrs
from attrs import Factory, field, frozen

from trio_adaptive.config.allowed import (
    ABOVE_0,
    BELOW_1,
    FINITE,
    FROM_0,
    FROM_1,
    Bytes,
    Cores,
    Count,
    FilePath,
    Hours,
    IdleTimeout,
    Maximum,
    Memory,
    OneOfFallback,
    OneOfOnBreaker,
    OneOfOnExit,
    OneOfRateChoice,
    OneOfStrangers,
    OneOfSync,
    OptionalSeconds,
    PolicyName,
    PolicyNames,
    Rates,
    Schedules,
    Seconds,
    Share,
    Size,
    Text,
    UnitName,
    ValueOfTime,
    WorkerKey,
    YesOrNo,
)


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
        shadow: policies that only advise: what they would have done, and what would have come of it, is told in records and
            statistics.
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
    shadow: PolicyNames = ()
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
TAKES_NONE = frozenset(attribute.name for attribute in attrs.fields(Settings) if attribute.default is None)
"""The options that None is a value of."""

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
