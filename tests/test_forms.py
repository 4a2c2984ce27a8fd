"""How rates and schedules are written; every mistake in them is told, with its place."""

from __future__ import annotations

import attrs
import dask.config
import pytest

from trio_adaptive.config import load_settings
from trio_adaptive.decision.limits import Limits, Rate
from trio_adaptive.errors import ConfigurationError
from trio_adaptive.schedules import Schedule

RIGHT = {"start": "0 8 * * mon-fri", "end": "0 18 * * mon-fri", "minimum": 3}


@pytest.fixture(autouse=True)
def no_dask_options():
    with dask.config.set({"distributed.adaptive": {}, "trio-adaptive": {}}):
        yield


def mistakes_of(**options) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(options)
    return {mistake.path: mistake.problem for mistake in caught.value.mistakes}


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("4 in 1 min", Rate(4, percent=False, period=60)),
        ("50% in 15s", Rate(50, percent=True, period=15)),
        (" 12.5 %  in 15 ", Rate(12.5, percent=True, period=15)),
    ],
)
def test_a_rate_is_an_amount_in_a_period(written, rate):
    assert load_settings({"rate_up": written}).rate_up == (rate,)
    assert load_settings({"rate_down": [written, rate]}).rate_down == (rate, rate)


def test_a_rate_reads_as_it_is_told():
    for rate in (Rate(4, percent=False, period=60.0), Rate(12.5, percent=True, period=0.5)):
        assert load_settings({"rate_up": rate.words}).rate_up == (rate,)


def test_of_several_rates_the_wrong_ones_are_told_by_their_places():
    mistakes = mistakes_of(rate_up=["4 in 15s", "many", "1.5 in 2s", 7], rate_down="4 in a while")
    assert set(mistakes) == {"rate_up[1]", "rate_up[2]", "rate_up[3]", "rate_down"}
    assert mistakes["rate_up[2]"] == "is '1.5 in 2s': the amount is no whole number of workers above 0"


def test_a_schedule_is_a_table():
    (schedule,) = load_settings({"schedules": [RIGHT]}).schedules
    assert schedule == Schedule("0 8 * * mon-fri", "0 18 * * mon-fri", "UTC", 3, None)
    (schedule,) = load_settings({"schedules": [{**RIGHT, "timezone": "Asia/Tokyo", "maximum": 3}]}).schedules
    assert (schedule.timezone, schedule.maximum) == ("Asia/Tokyo", 3)


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        ({"start": None}, ".start", "is missing"),
        ({"end": 8}, ".end", "is 8"),
        ({"start": "8 o'clock"}, ".start", 'is "8 o\'clock": not five fields'),
        ({"start": "0 0 8 * * *"}, ".start", "is '0 0 8 * * *': not five fields"),
        ({"start": "0 25 * * *"}, ".start", "is '0 25 * * *': Bad hour"),
        ({"end": "0 0 31 2 *"}, ".end", "is '0 0 31 2 *': Bad day-of-month"),
        ({"timezone": "Mars/Olympus"}, ".timezone", "is 'Mars/Olympus': no time zone of that name"),
        ({"timezone": "../etc/passwd"}, ".timezone", "is '../etc/passwd': no time zone of that name"),
        ({"timezone": ""}, ".timezone", "is '': no time zone of that name"),
        ({"timezone": ["UTC"]}, ".timezone", "is ['UTC']"),
        ({"minimum": -1}, ".minimum", "is -1"),
        ({"minimum": True}, ".minimum", "is True"),
        ({"maximum": 2.5}, ".maximum", "is 2.5"),
        ({"maximum": 2}, "", "minimum is 3, but maximum is 2"),
        ({"minimum": None}, "", "says neither minimum nor maximum"),
        ({"end": "0  8 * * mon-fri"}, "", "start and end are both '0 8 * * mon-fri'"),
        ({"size": 3}, ".size", "unknown"),
    ],
)
def test_what_is_wrong_in_a_schedule_is_told_by_its_place(change, path, problem):
    assert mistakes_of(schedules=[RIGHT, {**RIGHT, **change}]) == {f"schedules[1]{path}": problem}


def test_everything_that_is_wrong_is_told_at_once():
    mistakes = mistakes_of(
        schedules=[3, {"start": "x", "minimum": -1, "timezone": 7}],
        rate_up="x",
        tolerance_up=2,
        budget="much",
    )
    places = {"[0]", "[1].start", "[1].end", "[1].minimum", "[1].timezone"}
    assert set(mistakes) == {f"schedules{place}" for place in places} | {"rate_up", "tolerance_up", "budget"}


@pytest.mark.parametrize("fallback", ["static", "current-if-higher"])
def test_a_fallback_needs_a_size(fallback):
    assert mistakes_of(fallback=fallback) == {"fallback": f"is '{fallback}', but fallback_size is not given"}
    assert list(mistakes_of(fallback=fallback, fallback_size=-1)) == ["fallback_size"]
    assert load_settings({"fallback": fallback, "fallback_size": 0}).fallback == fallback


def test_the_limits_of_the_decision_are_settings_with_the_same_defaults():
    for name, field in attrs.fields_dict(Limits).items():
        assert getattr(load_settings({}), name) == field.default


def test_from_dasks_configuration():
    ours = {"schedules": [RIGHT], "rate-up": ["4 in 15s"], "max-launching": 5}
    with dask.config.set({"trio-adaptive": ours}):
        loaded = load_settings({})
    assert (len(loaded.schedules), len(loaded.rate_up), loaded.max_launching) == (1, 1, 5)


def test_the_place_of_a_mistake_in_a_file_begins_with_the_file(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text('[[adaptive.schedules]]\nstart = "0 8 * * *"\nend = "soon"\nminimum = 1\n')
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, file=file)
    assert [mistake.path for mistake in caught.value.mistakes] == [f"{file}: adaptive.schedules[0].end"]
