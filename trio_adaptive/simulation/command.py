"""The command ``trio-adaptive simulate``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any, Final, TypeVar

from trio_adaptive.config import load_settings
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.targets.named import NAMES, named_policy
from trio_adaptive.durations import parse_duration
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.forms import number_or_text
from trio_adaptive.runtime.policies import own_policy
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.compare import SWEPT, Plan, compare, sweep
from trio_adaptive.simulation.plot import plot_courses, plot_frontier
from trio_adaptive.simulation.report import in_all
from trio_adaptive.simulation.tables import LEGEND, as_json, table
from trio_adaptive.simulation.workloads.files import read_workload
from trio_adaptive.simulation.workloads.generated import FAMILIES, generate
from trio_adaptive.simulation.workloads.model import Workload

T = TypeVar("T")

EXAMPLES: Final = """\
examples:
  trio-adaptive simulate requests --startup 30s --maximum 48 --compare dask,adaptive,count
  trio-adaptive simulate log.swf.gz --startup 2min --compare dask,adaptive --plot out.png
  trio-adaptive simulate workflow.json --policy adaptive --runs 2          # the second one remembers durations
  trio-adaptive simulate bursts:7 --policy adaptive --sweep maximum=8,16,32 --plot frontier.png

exit codes:
  0    simulated
  2    wrong usage, or a workload with mistakes
"""


def add_simulate(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="run the real decision against a model of a cluster",
        description="Run the real decision against a model of a cluster, on a virtual clock.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "workload",
        metavar="WORKLOAD",
        help=f"a file (.jsonl, WfCommons .json, .swf, each also .gz), or a family, with :SEED: {', '.join(FAMILIES)}",
    )
    _add_policies(parser)
    _add_model(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf (needs matplotlib)"
    )
    output.add_argument(
        "--sweep", metavar="SETTING=A,B,...", help=f"each value of a setting: {', '.join(SWEPT)}"
    )
    output.add_argument("--json", action="store_true", help="figures as JSON")


def _add_policies(parser: argparse.ArgumentParser) -> None:
    policies = parser.add_argument_group("policies")
    policies.add_argument(
        "--policy", metavar="NAME", help=f"{', '.join(NAMES)}, fixed:N or module:Class (default adaptive)"
    )
    policies.add_argument("--compare", metavar="A,B,...", help="several of them, side by side")
    policies.add_argument("--target-duration", metavar="DURATION", help="as the setting (default 5s)")
    policies.add_argument("--value-of-time", metavar="VALUE", help="as the setting (default 2)")
    policies.add_argument("--startup-free", action="store_true", help="a worker that starts costs nothing")
    policies.add_argument("--interval", metavar="DURATION", help="time between two looks (default 1s)")
    policies.add_argument("--wait-count", metavar="COUNT", help="as the setting (default 3)")
    policies.add_argument("--runs", metavar="N", help="how often; later ones remember (default 1)")


def _add_model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("the cluster")
    model.add_argument("--minimum", metavar="N", help="never fewer workers (default 0)")
    model.add_argument("--maximum", metavar="N", help="never more workers (default 64)")
    model.add_argument("--startup", metavar="DURATION", help="from request to registration (default 30s)")
    model.add_argument(
        "--startup-sigma", metavar="X", help="how much that varies: sigma of a lognormal (default 0)"
    )
    model.add_argument("--threads", metavar="N", help="threads of a worker (default 1)")
    model.add_argument("--failing", metavar="SHARE", help="share of starts that fail (default 0)")
    model.add_argument(
        "--lifetime", metavar="DURATION", help="mean time until a worker is lost (default: never)"
    )
    model.add_argument(
        "--transfer", metavar="DURATION", help="for a result from another worker (default: no time)"
    )
    model.add_argument("--order", choices=("fifo", "graph"), default="fifo", help="which task is first")
    model.add_argument("--seed", metavar="N", help="of all chance (default 0)")


def run_simulate(options: argparse.Namespace) -> int:
    """Do what the options say, and print it; returns the exit code.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    asked = _Asked(options)
    plan, swept = asked.plan(), asked.sweep()
    asked.check()
    workload = asked.workload
    if swept is None:
        results = compare(plan)
        print(as_json([("", results)]) if options.json else _told(plan, table(results)))
        if options.plot is not None:
            _draw(options.plot, lambda path: plot_courses(results, workload.name, path))
        return 0
    setting, values = swept
    groups = sweep(plan, setting, values)
    rows = [
        (f"{result.name}, {setting} {value:g}", result) for value, results in groups for result in results
    ]
    told = table([result for _, result in rows], names=[name for name, _ in rows])
    as_text = [(f"{value:g}", results) for value, results in groups]
    print(as_json(as_text) if options.json else _told(plan, told, swept=setting))
    if options.plot is not None:
        _draw(options.plot, lambda path: plot_frontier(groups, setting, path))
    return 0


def _told(plan: Plan, figures: str, *, swept: str = "") -> str:
    workload = plan.workload
    facts = {
        "startup": f"a start takes {plan.hardware.startup:g} s",
        "maximum": f"at most {plan.maximum:g} workers",
    }
    cluster = ", ".join(fact for setting, fact in facts.items() if setting != swept)
    return f"{workload.name}: {in_all(workload)}\n{cluster}\n\n{figures}\n\n{LEGEND}"


def _draw(path: Path, draw: Callable[[Path], None]) -> None:
    try:
        draw(path)
    except (OSError, ValueError) as error:
        problem = f"cannot be written: {error}"
        raise ConfigurationError([Mistake("--plot", problem, "a .png, .svg or .pdf")]) from error


class _Asked:
    """What has been asked for, read with all mistakes at once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._mistakes: list[Mistake] = []
        self.workload = self._or_mistakes(lambda: _workload(options.workload)) or generate("trickle")
        if options.plot is not None and util.find_spec("matplotlib") is None:
            allowed = "pip install 'trio-adaptive[simulation]'"
            self._mistakes.append(Mistake("--plot", "matplotlib is not installed", allowed))

    def check(self) -> None:
        """Raise what has been found."""
        if self._mistakes:
            raise ConfigurationError(self._mistakes)

    def plan(self) -> Plan:
        """The plan; where there are mistakes, with defaults in their places."""
        names = self._names()
        own = {name: self._own(name) for name in names if named_policy(name) is None}
        seconds, number = self._seconds, self._number
        hardware = Hardware(
            startup=seconds("startup", 30.0),
            startup_sigma=number("startup_sigma", 0.0),
            threads=int(number("threads", 1, least=1, whole=True)),
            failing=number("failing", 0.0, most=0.99),
            lifetime=seconds("lifetime", math.inf),
            order=self._options.order,
            transfer=seconds("transfer", 0.0),
            seed=int(number("seed", 0, whole=True)),
        )
        settings = self._settings()
        minimum = int(number("minimum", 0, whole=True))
        maximum = number("maximum", 64, least=1, whole=True)
        if minimum > maximum:
            self._mistakes.append(
                Mistake("--minimum", f"is {minimum}, but --maximum is {maximum:g}", "at most the maximum")
            )
        return Plan(
            self.workload,
            tuple(name for name in names if own.get(name, True) is not None),
            hardware,
            minimum,
            maximum,
            Rules(interval=settings.interval, wait_count=settings.wait_count),
            settings.target_duration,
            settings.value_of_time,
            not self._options.startup_free,
            int(number("runs", 1, least=1, whole=True)),
            {name: policy for name, policy in own.items() if policy is not None},
        )

    def sweep(self) -> tuple[str, list[float]] | None:
        """The setting that is swept, and its values."""
        text: str | None = self._options.sweep
        if text is None:
            return None
        name, _, listed = text.partition("=")
        setting = name.strip().replace("-", "_")
        try:
            values = [self._swept(setting, each) for each in listed.split(",")]
        except (TypeError, ValueError):
            values = []
        if setting not in SWEPT or not values or min(values) <= 0:
            allowed = f"SETTING=A,B,... with one of {', '.join(SWEPT)} and amounts above 0"
            self._mistakes.append(Mistake("--sweep", f"is {text!r}", allowed))
        return setting, values

    @staticmethod
    def _swept(setting: str, text: str) -> float:
        return parse_duration(text) if setting in {"startup", "target_duration"} else float(text)

    def _names(self) -> Sequence[str]:
        options = self._options
        text: str = options.compare or options.policy or "adaptive"
        if options.compare and options.policy:
            text = f"{options.policy},{options.compare}"
        return tuple(dict.fromkeys(name.strip() for name in text.split(",")))

    def _own(self, name: str) -> Policy | None:
        settings = self._or_mistakes(lambda: load_settings({"policy": name}))
        return None if settings is None else self._or_mistakes(lambda: own_policy(name))

    def _settings(self) -> Any:
        options = self._options
        names = ("interval", "wait_count", "target_duration", "value_of_time")
        given: Mapping[str, object] = {
            name: number_or_text(getattr(options, name))
            for name in names
            if getattr(options, name) is not None
        }
        return self._or_mistakes(lambda: load_settings(given)) or load_settings({})

    def _seconds(self, name: str, default: float) -> float:
        text: str | None = getattr(self._options, name)
        if text is None:
            return default
        try:
            return max(0.0, parse_duration(number_or_text(text)))
        except (TypeError, ValueError):
            self._mistakes.append(Mistake(f"--{name}", f"is {text!r}", 'a duration, such as "30s" or 30'))
            return default

    def _number(
        self, name: str, default: float, *, least: float = 0.0, most: float = math.inf, whole: bool = False
    ) -> float:
        text: str | None = getattr(self._options, name)
        if text is None:
            return default
        value = number_or_text(text)
        if isinstance(value, str) or not least <= value <= most or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            upper = f", at most {most:g}" if math.isfinite(most) else ""
            option = name.replace("_", "-")
            self._mistakes.append(
                Mistake(f"--{option}", f"is {text!r}", f"{kind}, at least {least:g}{upper}")
            )
            return default
        return value

    def _or_mistakes(self, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigurationError as error:
            self._mistakes += error.mistakes
            return None


def _workload(text: str) -> Workload:
    family, _, seed = text.partition(":")
    if family in FAMILIES and (not seed or seed.isdecimal()):
        return generate(family, int(seed or 0))
    path = Path(text)
    if not path.suffix and not path.exists():
        allowed = f"a file, or one of {', '.join(FAMILIES)}, with :SEED"
        raise ConfigurationError([Mistake("workload", f"no file and no family: {text!r}", allowed)])
    return read_workload(path)
