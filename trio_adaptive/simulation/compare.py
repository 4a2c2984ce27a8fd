"""Several policies on one workload, and one policy over a range of a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve, field, frozen

from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.report import Report, report
from trio_adaptive.simulation.run import Run, Setup, simulate
from trio_adaptive.simulation.workloads.model import Workload

SWEPT: Final = ("maximum", "startup", "value_of_time", "target_duration")
"""What can be swept."""


@frozen
class Plan:
    """What is to be simulated.

    Attributes:
        workload: what is to be done.
        policies: names, as the setting `policy` has them.
        hardware: what workers are like.
        minimum, maximum: bounds.
        rules: of the decision.
        target_duration: of "dask", "demand" and "adaptive", in seconds.
        value_of_time: of "adaptive", and of the regret.
        startup_billed: of "adaptive".
        runs: how often each is run; the later ones remember what the earlier ones have measured.
        own: policies that are none of ours, by name.
    """

    workload: Workload
    policies: tuple[str, ...]
    hardware: Hardware = field(factory=Hardware)
    minimum: int = 0
    maximum: float = 64
    rules: Rules = field(factory=Rules)
    target_duration: float = 5.0
    value_of_time: float = 2.0
    startup_billed: bool = True
    runs: int = 1
    own: Mapping[str, Policy] = field(factory=dict[str, Policy])


@frozen
class Result:
    """One row of a table.

    Attributes:
        name: the policy, and which run it was.
        run: what became of it.
        report: its figures.
    """

    name: str
    run: Run
    report: Report


def compare(plan: Plan) -> list[Result]:
    """Run all policies of a plan, in order."""
    results: list[Result] = []
    for name in plan.policies:
        startup: float | None = None
        remembered: Mapping[str, Remembered] = {}
        for number in range(1, plan.runs + 1):
            run = simulate(plan.workload, _setup(plan, name, startup, remembered))
            startup, remembered = run.state.startup, run.measured
            shown = name if plan.runs == 1 else f"{name}, run {number}"
            results.append(Result(shown, run, report(shown, run, plan.value_of_time)))
    return results


def _setup(plan: Plan, name: str, startup: float | None, remembered: Mapping[str, Remembered]) -> Setup:
    policy = named_policy(
        name,
        target_duration=plan.target_duration,
        value_of_time=plan.value_of_time,
        startup_billed=plan.startup_billed,
        startup=startup,
        remembered=remembered,
    )
    return Setup(
        plan.own[name] if policy is None else policy,
        plan.hardware,
        plan.minimum,
        plan.maximum,
        plan.rules,
        plan.target_duration,
    )


def sweep(plan: Plan, setting: str, values: Sequence[float]) -> list[tuple[float, list[Result]]]:
    """The same for each value of a setting, one of `SWEPT`."""
    return [(value, compare(_with(plan, setting, value))) for value in values]


def _with(plan: Plan, setting: str, value: float) -> Plan:
    match setting:
        case "startup":
            return evolve(plan, hardware=evolve(plan.hardware, startup=value))
        case "maximum":
            return evolve(plan, maximum=value if math.isinf(value) else int(value))
        case "value_of_time":
            return evolve(plan, value_of_time=value)
        case "target_duration":
            return evolve(plan, target_duration=value)
        case _:
            raise ValueError(f"{setting} cannot be swept")
