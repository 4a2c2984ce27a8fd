"""Settings: what each option takes, where options come from, and that all mistakes are told at once."""

from __future__ import annotations

import contextlib
import inspect
import math
import subprocess
import sys
from collections import OrderedDict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import attrs
import dask.config
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.config import OPTIONS, ORDERED, Settings, load_settings
from trio_adaptive.decision.limits import Rate
from trio_adaptive.durations import UNITS, parse_duration
from trio_adaptive.errors import ConfigurationError, Mistake

steady = settings(max_examples=150)


@pytest.fixture(autouse=True)
def no_dask_options():
    """What the machine's own Dask configuration says is not part of these tests."""
    with dask.config.set({"distributed.adaptive": {}, "trio-adaptive": {}}):
        yield


def mistakes_of(options, file=None) -> dict[str, Mistake]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(options, file=file)
    return {mistake.path: mistake for mistake in caught.value.mistakes}


@pytest.fixture
def toml(tmp_path):
    def write(text: str | bytes) -> Path:
        file = tmp_path / "cluster.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


# Durations


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5.0),
        (0.25, 0.25),
        (-1, -1.0),
        (Fraction(1, 4), 0.25),
        (Decimal("0.1"), 0.1),
        (timedelta(minutes=1, microseconds=1), 60.000001),
        ("5", 5.0),
        ("5s", 5.0),
        (" 5 S ", 5.0),
        ("500ms", 0.5),
        ("20 ms", 0.02),
        ("1.1 ms", 0.0011),
        (".5s", 0.5),
        ("2.s", 2.0),
        ("1.5 minutes", 90.0),
        ("2h", 7200.0),
        ("1 day", 86400.0),
        ("1e3 us", 0.001),
        ("us", 1e-6),
        ("-5s", -5.0),
        ("inf", math.inf),
        ("Infinity", math.inf),
        (math.inf, math.inf),
    ],
)
def test_a_duration_is_read_as_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", " ", "5 parsecs", "5 s 3 ms", "s5", "1_0s", "0x5", "nan", "5e", "٣s", "5s\n5s", "-",
     None, True, math.nan, Decimal("nan"), 10**400, b"5s", [5], 5j],
)  # fmt: skip
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError):  # noqa: PT011 - the words differ
        parse_duration(written)


@steady
@given(st.floats(allow_nan=False))
def test_seconds_come_back_as_they_were_written(seconds):
    assert parse_duration(seconds) == seconds
    if math.isfinite(seconds):
        assert parse_duration(f"{seconds!r} s") == seconds


@steady
@given(st.timedeltas())
def test_timedeltas_keep_their_length(length):
    assert parse_duration(length) == length.total_seconds()


@steady
@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)))
def test_units_are_exact(number, unit):
    assert parse_duration(f"{number} {unit}") == float(number * UNITS[unit])


@steady
@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert not math.isnan(parse_duration(text))


# Fields


def test_the_defaults():
    assert load_settings({}) == Settings()
    assert attrs.asdict(Settings()) == {
        "interval": 1.0,
        "min_interval": 0.05,
        "minimum": 0,
        "maximum": math.inf,
        "wait_count": 3,
        "target_duration": 5.0,
        "idle_timeout": None,
        "call_timeout": 5.0,
        "request_timeout": 60.0,
        "drain_timeout": math.inf,
        "stop_timeout": 10.0,
        "shutdown_timeout": 5.0,
        "retry_delay": 1.0,
        "retry_delay_max": 60.0,
        "on_exit": "keep",
        "log_length": 1000,
        "strangers": "auto",
        "policy": "demand",
        "shadow": (),
        "value_of_time": 2.0,
        "startup_billed": True,
        "startup": None,
        "memory_file": "",
        "pending_timeout": None,
        "schedules": (),
        "stabilization_up": 0.0,
        "stabilization_down": 0.0,
        "rate_up": (),
        "rate_down": (),
        "rate_choice": "loosest",
        "max_launching": math.inf,
        "tolerance_up": 0.0,
        "tolerance_down": 0.0,
        "budget": math.inf,
        "budget_period": 86400.0,
        "fallback": "current",
        "fallback_size": None,
        "fallback_after": 60.0,
        "minimum_cores": None,
        "maximum_cores": None,
        "minimum_memory": None,
        "maximum_memory": None,
        "worker_key": None,
        "driver": "",
        "name": "",
        "take_over": False,
        "startup_timeout": None,
        "breaker_failures": 5,
        "on_breaker": "probe",
        "scheduler_timeout": math.inf,
        "journal": "",
        "journal_size": 100 * 2**20,
        "journal_sync": "interval",
    }


def test_every_option_is_told_and_explained():
    assert list(OPTIONS) == [field.name for field in attrs.fields(Settings)]
    assert all(OPTIONS.values())
    for name in OPTIONS:
        assert f"\n    {name}: " in inspect.getdoc(Settings)


RIGHT = [
    ("strangers", "retire", "retire"),
    ("policy", "fixed:3", "fixed:3"),
    ("shadow", ["adaptive", "dask"], ("adaptive", "dask")),
    ("shadow", "adaptive, fixed:3", ("adaptive", "fixed:3")),
    ("policy", "my_module.policies:Mine", "my_module.policies:Mine"),
    ("value_of_time", "thrifty", 1.0),
    ("value_of_time", 3, 3.0),
    ("startup_billed", False, False),
    ("startup", "2 min", 120.0),
    ("memory_file", "~/memory.json", "~/memory.json"),
    ("pending_timeout", "auto", None),
    ("pending_timeout", "10 min", 600.0),
    ("schedules", [], ()),
    ("stabilization_up", "30s", 30.0),
    ("stabilization_down", 0, 0.0),
    ("rate_up", "4 in 15s", (Rate(4.0, percent=False, period=15.0),)),
    ("rate_up", [], ()),
    ("rate_down", ["10% in 1 min"], (Rate(10.0, percent=True, period=60.0),)),
    ("rate_choice", "strictest", "strictest"),
    ("max_launching", 10, 10),
    ("max_launching", "inf", math.inf),
    ("tolerance_up", 0.1, 0.1),
    ("tolerance_down", 0, 0.0),
    ("budget", 100, 100.0),
    ("budget", "inf", math.inf),
    ("budget_period", "1 week", 604800.0),
    ("fallback", "current", "current"),
    ("fallback_size", 0, 0),
    ("fallback_size", None, None),
    ("fallback_after", "2 min", 120.0),
    ("minimum_cores", 0, 0),
    ("maximum_cores", 8.0, 8),
    ("minimum_memory", "7GB", 7_000_000_000),
    ("maximum_memory", "1 GiB", 2**30),
    ("maximum_memory", 10**12, 10**12),
    ("interval", "20 ms", 0.02),
    ("min_interval", 0, 0.0),
    ("minimum", 2.0, 2),
    ("maximum", 7, 7),
    ("maximum", 2.0, 2),
    ("maximum", 0, 0),
    ("maximum", math.inf, math.inf),
    ("maximum", "inf", math.inf),
    ("wait_count", 1, 1),
    ("target_duration", timedelta(minutes=1), 60.0),
    ("idle_timeout", "auto", None),
    ("idle_timeout", None, None),
    ("idle_timeout", "2h", 7200.0),
    ("idle_timeout", 0, 0.0),
    ("idle_timeout", "inf", math.inf),
    ("call_timeout", 1, 1.0),
    ("request_timeout", "5 minutes", 300.0),
    ("drain_timeout", "1 day", 86400.0),
    ("drain_timeout", "inf", math.inf),
    ("stop_timeout", 1.5, 1.5),
    ("shutdown_timeout", 0, 0.0),
    ("shutdown_timeout", math.inf, math.inf),
    ("retry_delay", "500ms", 0.5),
    ("retry_delay_max", 1, 1.0),
    ("on_exit", "close", "close"),
    ("log_length", 1, 1),
    ("worker_key", repr, repr),
    ("worker_key", None, None),
    ("driver", "the night shift", "the night shift"),
    ("driver", "", ""),
    ("name", "night_batch-2", "night_batch-2"),
    ("take_over", True, True),
    ("startup_timeout", "auto", None),
    ("startup_timeout", "2 min", 120.0),
    ("startup_timeout", "inf", math.inf),
    ("breaker_failures", 1, 1),
    ("on_breaker", "end", "end"),
    ("scheduler_timeout", "5 min", 300.0),
    ("journal", "cluster.jsonl", "cluster.jsonl"),
    ("journal", Path("cluster.jsonl"), "cluster.jsonl"),
    ("journal_size", "1 MiB", 2**20),
    ("journal_sync", "each", "each"),
]

WRONG = {
    "interval": [0, -1, "inf", "", "5 parsecs", math.nan, True, [1], 10**400],
    "min_interval": [-1, "inf", math.nan],
    "minimum": [-1, 1.5, math.nan, math.inf, True, "3", "inf", -(10**5000), [], 2j],
    "maximum": [-1, 1.5, math.nan, -math.inf, False, "3", "-inf", timedelta(1)],
    "wait_count": [0, 0.5, True],
    "target_duration": [0, "nan", "inf"],
    "idle_timeout": [-1, "never", False, math.nan],
    "call_timeout": [0, "inf"],
    "request_timeout": [0, "inf"],
    "drain_timeout": [0, "-inf"],
    "stop_timeout": [0, "inf"],
    "shutdown_timeout": [-1, object()],
    "retry_delay": [0, "inf"],
    "retry_delay_max": [0, "inf"],
    "on_exit": ["", "Keep", 1, ["keep"], {}],
    "log_length": [0, math.inf],
    "strangers": ["", "Adopt", 1],
    "shadow": [3, ["best"], ["dask", "dask"], "dask,", [3]],
    "policy": ["", "best", "fixed", "fixed:-1", 3, ["dask"], "a b:C"],
    "value_of_time": [0, -1, "cheap", math.inf, True, [1]],
    "startup_billed": ["yes", 1],
    "startup": [0, "soon", "inf"],
    "memory_file": [7, b"x"],
    "pending_timeout": [-1, "never", False],
    "schedules": ["0 8 * * *", 1, {}],
    "stabilization_up": [-1, "inf"],
    "stabilization_down": [-1, "inf", "a while"],
    "rate_up": [
        "",
        "4",
        "4 in",
        "-4 in 5s",
        "1.5 in 5s",
        "4 in 0s",
        "0 in 5s",
        "0 % in 5s",
        "4 in inf",
        4,
        {},
    ],
    "rate_down": ["10 percent in 1 min", True],
    "rate_choice": ["", "max", 1],
    "max_launching": [0, -1, 1.5, "many"],
    "tolerance_up": [-0.1, 1, "10 %", True, math.nan],
    "tolerance_down": [1.0, math.inf, 10**400],
    "budget": [0, -1, "10 hours", True, math.nan, -math.inf],
    "budget_period": [0, "inf"],
    "fallback": ["", "Static", 3],
    "fallback_size": [-1, 1.5, "many", True],
    "fallback_after": [-1, "inf"],
    "minimum_cores": [-1, 1.5, "many", math.inf, True],
    "maximum_cores": [0, 1.5, "8"],
    "minimum_memory": [-1, "1 parsec", "", b"1"],
    "maximum_memory": [0, "0 GB", "-1 GB", "much"],
    "worker_key": ["host", 0, False],
    "driver": [7, True, b"us"],
    "name": ["two words", "{name}", 1],
    "take_over": ["yes", 1, 0],
    "startup_timeout": [0, -1, "soon"],
    "breaker_failures": [0, 1.5, "many"],
    "on_breaker": ["stop", 1],
    "scheduler_timeout": [0, -1, "never"],
    "journal": [1, True, b"cluster.jsonl"],
    "journal_size": [0, -1, 1.5, "much", True],
    "journal_sync": ["always", 1],
}


@pytest.mark.parametrize(("name", "given_value", "value"), RIGHT)
def test_a_right_value_is_taken(name, given_value, value):
    taken = getattr(load_settings({name: given_value}), name)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_a_wrong_value_is_told_with_what_is_allowed(name, value):
    (mistake,) = mistakes_of({name: value}).values()
    assert mistake.path == name
    assert mistake.problem.startswith("is ")
    assert mistake.allowed == OPTIONS[name]


def test_the_tables_leave_no_option_out():
    assert {name for name, *_ in RIGHT} == set(WRONG) == set(OPTIONS)


TAKES_NONE = {
    "startup",
    "idle_timeout",
    "startup_timeout",
    "pending_timeout",
    "fallback_size",
    "minimum_cores",
    "maximum_cores",
    "minimum_memory",
    "maximum_memory",
    "worker_key",
}


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - TAKES_NONE))
def test_none_is_not_given_where_it_is_no_value(name):
    with dask.config.set({"trio-adaptive.idle-timeout": 5}):
        assert load_settings({name: None}) == Settings(idle_timeout=5.0)


def test_none_is_a_value_of_the_idle_timeout():
    with dask.config.set({"trio-adaptive.idle-timeout": 5}):
        assert load_settings({"idle_timeout": None}).idle_timeout is None


def test_defaults_follow_the_option_that_bounds_them():
    assert load_settings({"interval": "10ms"}).min_interval == 0.01
    assert load_settings({"retry_delay": "2 minutes"}).retry_delay_max == 120.0


@pytest.mark.parametrize(
    ("options", "path", "told"),
    [
        ({"minimum": 5, "maximum": 3}, "minimum", ("minimum is 5", "maximum is 3")),
        ({"min_interval": 9}, "min_interval", ("min_interval is 9.0", "interval (by default) is 1.0")),
        (
            {"retry_delay_max": 0.5},
            "retry_delay_max",
            ("retry_delay (by default) is 1.0", "retry_delay_max is 0.5"),
        ),
        pytest.param(
            {"minimum": 10**5000, "maximum": 3}, "minimum", ("too long to show", "maximum is 3"), id="huge"
        ),
    ],
)
def test_a_contradiction_names_both_values(options, path, told):
    mistakes = mistakes_of(options)
    assert list(mistakes) == [path]
    assert all(words in mistakes[path].problem for words in told)


def test_a_contradiction_with_a_wrong_value_is_only_the_wrong_value():
    assert list(mistakes_of({"min_interval": 9, "interval": -1})) == ["interval"]


def test_an_unknown_option_is_told_with_its_neighbours():
    mistakes = mistakes_of({"wait_cuont": 3, "qqq": 1, 7: 8})
    assert list(mistakes) == ["wait_cuont", "qqq", "7"]
    assert "did you mean wait_count?" in mistakes["wait_cuont"].problem
    assert mistakes["qqq"].problem == "unknown option"
    assert all(name in mistakes["qqq"].allowed for name in OPTIONS)


# Everything at once


@steady
@given(st.data())
def test_every_wrong_field_is_told_at_once(data):
    names = data.draw(st.sets(st.sampled_from(sorted(WRONG)), min_size=1))
    options = {name: data.draw(st.sampled_from(WRONG[name])) for name in sorted(names)}
    assert set(mistakes_of(options)) == names


def test_mistakes_of_every_kind_and_source_leave_together(toml):
    file = toml("[adaptive]\nstop_timeout = 0\nlog-length = 5\nlog_length = 6\n")
    with dask.config.set({"distributed.adaptive.wait-count": 0, "trio-adaptive": {"call-timeout": "soon"}}):
        mistakes = mistakes_of({"minimum": 3, "maximum": 2, "speed": 1, "on_exit": "die"}, file)
    assert set(mistakes) == {
        "distributed.adaptive.wait-count",
        "trio-adaptive.call-timeout",
        f"{file}: adaptive.stop_timeout",
        f"{file}: adaptive.log_length",
        "minimum",
        "speed",
        "on_exit",
    }


class Unprintable:
    def __repr__(self):
        raise RuntimeError

    def __float__(self):
        raise RuntimeError

    def __int__(self):
        raise ZeroDivisionError

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None


huge = st.builds(pow, st.just(10), st.just(5000))  # Python does not write it
atoms = (
    st.none() | st.booleans() | st.integers(-3, 5) | st.integers() | st.floats() | st.text(max_size=6)
    | st.binary(max_size=3) | st.timedeltas() | st.decimals() | st.complex_numbers()
    | st.sampled_from(["auto", "inf", "5s", "keep", len, OrderedDict()])
    | huge | st.builds(Unprintable)
)  # fmt: skip
values = atoms | st.lists(atoms, max_size=2) | st.dictionaries(st.text(max_size=3), atoms, max_size=2)
names = (
    st.sampled_from([*OPTIONS, "wait-count", "on-exit", "wait_coun"]) | st.text(max_size=6) | st.integers()
)
mappings = st.dictionaries(names | huge, values, max_size=6)


@steady
@given(mappings, mappings)
def test_any_mapping_gives_settings_or_a_configuration_error(options, of_dask):
    with dask.config.set({"trio-adaptive": of_dask}):
        try:
            loaded = load_settings(options)
        except ConfigurationError as error:
            mistakes = error.mistakes
        else:
            mistakes = ()
            assert load_settings(attrs.asdict(loaded, recurse=False)) == loaded
            pairs = [(getattr(loaded, low), getattr(loaded, high)) for low, high in ORDERED]
            assert all(low <= high for low, high in pairs if None not in (low, high))
    assert all(mistake.problem and mistake.allowed and str(mistake) for mistake in mistakes)


# Dask's configuration


@pytest.mark.parametrize(
    ("key", "given_value", "name", "value"),
    [
        ("interval", "3s", "interval", 3.0),
        ("minimum", 2, "minimum", 2),
        ("maximum", math.inf, "maximum", math.inf),
        ("maximum", 9, "maximum", 9),
        ("wait-count", 5, "wait_count", 5),
        ("wait_count", 5, "wait_count", 5),
        ("target-duration", "1 minute", "target_duration", 60.0),
    ],
)
def test_dasks_own_options_are_honoured(key, given_value, name, value):
    with dask.config.set({f"distributed.adaptive.{key}": given_value}):
        assert getattr(load_settings({}), name) == value


def test_later_sources_win(toml):
    file = toml("[adaptive]\nminimum = 3\nwait-count = 3\n")
    theirs = {"minimum": 1, "wait-count": 1, "interval": 1, "target-duration": 1}
    ours = {"minimum": 2, "wait_count": 2, "interval": 2}
    with dask.config.set({"distributed.adaptive": theirs, "trio-adaptive": ours}):
        loaded = load_settings({"minimum": 4}, file=file)
    assert (loaded.minimum, loaded.wait_count, loaded.interval, loaded.target_duration) == (4, 3, 2.0, 1.0)


def test_a_wrong_value_that_is_overridden_does_no_harm(toml):
    file = toml("[adaptive]\nminimum = 'many'\n")
    with dask.config.set({"distributed.adaptive.minimum": -1, "trio-adaptive.minimum": []}):
        assert load_settings({"minimum": 1}, file=file).minimum == 1


def test_a_contradiction_between_sources_names_both_places():
    with dask.config.set({"distributed.adaptive.minimum": 5}):
        (mistake,) = mistakes_of({"maximum": 3}).values()
    assert mistake.path == "distributed.adaptive.minimum"
    assert mistake.problem == "distributed.adaptive.minimum is 5, but maximum is 3"


@pytest.mark.parametrize("section", [3, "fast", ["interval"]])
def test_a_section_of_dasks_that_is_no_table_is_a_mistake(section):
    with dask.config.set({"trio-adaptive": section}):
        assert list(mistakes_of({})) == ["trio-adaptive"]


@pytest.mark.parametrize("section", [None, 3, []])
def test_an_odd_section_that_is_not_ours_is_left_alone(section):
    with dask.config.set({"distributed.adaptive": section, "trio-adaptive": None}):
        assert load_settings({}) == Settings()


def test_dask_is_not_needed(monkeypatch):
    with dask.config.set({"distributed.adaptive.minimum": 5}):
        monkeypatch.setitem(sys.modules, "dask", None)
        assert load_settings({}) == Settings()


def test_dask_is_not_imported_before_settings_are_loaded():
    code = "import sys, trio_adaptive.config; sys.exit('dask' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


# Files


def test_a_file_is_read_in_either_spelling(toml):
    file = toml(
        """
        title = "a cluster"
        [adaptive]
        wait-count = 7
        target_duration = "2 minutes"
        maximum = inf
        idle-timeout = "auto"
        [service]
        port = 1
        """
    )
    loaded = load_settings({}, file=file)
    assert (loaded.wait_count, loaded.target_duration, loaded.maximum) == (7, 120.0, math.inf)


def test_a_file_without_our_table_says_nothing(toml):
    assert load_settings({}, file=toml("[service]\nport = 1\n")) == Settings()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[adaptive]\nwait-count = 0\n", ": adaptive.wait-count"),
        ("[adaptive]\nwait_count = 2000-01-01\n", ": adaptive.wait_count"),
        ("[adaptive]\nspeed = 1\n", ": adaptive.speed"),
        ("[adaptive]\nwait-count = 3\nwait_count = 3\n", ": adaptive.wait_count"),
        ("[adaptive]\nworker_key = 'host'\n", ": adaptive.worker_key"),
        ("[adaptive.minimum]\nx = 1\n", ": adaptive.minimum"),
        ("adaptive = 3\n", ": adaptive"),
        ("[[adaptive]]\nminimum = 1\n", ": adaptive"),
        ("minimum 3", ""),
        ("[adaptive]\nminimum = 1\nminimum = 2\n", ""),
        (b"\xff\xfe", ""),
        ("x = " + "[" * 5000, ""),
        ("x = " + "9" * 5000, ""),
    ],
)
def test_a_wrong_file_is_told_with_the_place(toml, text, where):
    file = toml(text)
    (mistake,) = mistakes_of({}, file).values()
    assert mistake.path == f"{file}{where}"


@pytest.mark.parametrize("name", ["absent.toml", ".", "nul\0"])
def test_a_file_that_cannot_be_opened_is_a_mistake_beside_others(tmp_path, name):
    file = tmp_path / name
    assert set(mistakes_of({"minimum": -1}, file)) == {str(file), "minimum"}
