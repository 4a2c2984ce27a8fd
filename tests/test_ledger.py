"""What a run cost, added up from samples."""

from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.model import Load, Sample, Unit, UnitId
from trio_adaptive.journal.ledger import Ledger, LedgerSummary, Point, paid_for

STATES = ("planned", "requested", "registered", "leaving", "failed", "lost")


def unit(name, state="registered", *, executing=0, size=1):
    return Unit(UnitId(name), state, size=size, executing=executing)


def look(at, *units):
    return Sample(begun=at, at=at, cause="interval", units=units, load=Load(target=0))


def ledger_of(*samples, close=None, **options):
    ledger = Ledger(**options)
    for sample in samples:
        ledger.add(sample)
    if close is not None:
        ledger.close(close)
    return ledger


units = st.builds(
    Unit,
    id=st.sampled_from("abcdef").map(UnitId),
    state=st.sampled_from(STATES),
    size=st.integers(1, 5),
    executing=st.integers(0, 2),
)
looks = st.builds(look, st.integers(0, 400).map(lambda quarters: quarters / 4)).flatmap(
    lambda sample: st.lists(units, unique_by=lambda one: one.id).map(
        lambda chosen: attrs.evolve(sample, units=tuple(chosen))
    )
)
runs = st.lists(looks, max_size=30)


def in_order(samples):
    """The samples that a ledger heeds: none that is older than one before it."""
    kept = []
    for sample in samples:
        if not kept or sample.at >= kept[-1].at:
            kept.append(sample)
    return kept


def paid_workers(sample):
    return sum(one.size for one in sample.units if paid_for(one))


class TestOneUnit:
    def test_its_life_is_split_by_what_it_did(self):
        summary = ledger_of(
            look(100),
            look(101, unit("a", "planned")),
            look(102, unit("a", "requested")),
            look(105, unit("a", executing=2)),
            look(110, unit("a")),
            look(112, unit("a", "leaving")),
            look(113),
            close=120,
        ).summary

        assert (summary.starting, summary.busy, summary.idle, summary.leaving) == (3, 5, 2, 1)
        assert summary.paid == 11
        assert (summary.found, summary.starts, summary.stops, summary.peak) == (0, 1, 1, 1)
        assert (summary.duration, summary.fixed) == (20, 20)
        assert summary.saving == pytest.approx(9 / 20)

    def test_is_paid_with_all_its_workers(self):
        summary = ledger_of(
            look(0, unit("a", executing=1, size=4), unit("b", "requested", size=4)), close=3
        ).summary

        assert (summary.busy, summary.starting, summary.peak) == (12, 12, 8)

    @pytest.mark.parametrize("end", ["failed", "lost"])
    def test_is_no_longer_paid_when_it_has_failed(self, end):
        summary = ledger_of(
            look(0), look(1, unit("a", "requested")), look(3, unit("a", end)), close=10
        ).summary

        assert (summary.paid, summary.starts, summary.stops) == (2, 1, 1)

    def test_that_was_there_before_is_found_not_started(self):
        summary = ledger_of(look(0, unit("a"), unit("b")), look(5, unit("b"), unit("c"))).summary

        assert (summary.found, summary.starts, summary.stops) == (2, 1, 1)

    def test_still_there_at_the_end_does_not_count_as_stopped(self):
        assert ledger_of(look(0, unit("a")), close=5).summary.stops == 0


class TestTime:
    def test_nothing_seen_costs_nothing(self):
        ledger = Ledger()
        ledger.close(10)

        assert ledger.summary == LedgerSummary()
        assert (ledger.summary.paid, ledger.summary.saving) == (0, 0)

    def test_an_older_sample_is_left_out(self):
        ledger = ledger_of(look(5, unit("a")))
        before = ledger.summary
        ledger.add(look(4, unit("b"), unit("c")))
        ledger.close(3)

        assert ledger.summary == before

    def test_the_second_of_two_looks_at_one_time_holds(self):
        summary = ledger_of(look(0, unit("a")), look(0, unit("a", executing=1)), close=2).summary

        assert (summary.busy, summary.idle) == (2, 0)
        assert summary.series == (Point(0, busy=1),)

    def test_a_constant_cluster_saves_nothing(self):
        samples = [look(at / 10, *map(unit, "abc")) for at in range(100)]

        assert ledger_of(*samples, close=10).summary.saving == pytest.approx(0, abs=1e-9)


class TestSeries:
    def test_stores_only_changes(self):
        samples = [look(at, unit("a", executing=at >= 5)) for at in range(10)]

        assert ledger_of(*samples).summary.series == (Point(0, idle=1), Point(5, busy=1))

    def test_stays_short_and_keeps_peak_and_end(self):
        def state(at):
            return [unit(str(n)) for n in range(50 if at == 777 else at % 3)]

        ledger = ledger_of(*(look(at, *state(at)) for at in range(3000)), max_points=100)
        series = ledger.summary.series

        assert 25 <= len(series) <= 100
        assert Point(777, idle=50) in series
        assert series[-1] == Point(2999, idle=2)

    def test_a_pause_between_bursts_stays_a_pause(self):
        def burst(begin):
            return [look(begin + at / 10, *map(unit, "abc"[at % 2 :])) for at in range(150)] + [
                look(begin + 16)
            ]

        series = ledger_of(*burst(0), *burst(3600), max_points=40).summary.series
        at_half_time = [point for point in series if point.at < 1800][-1]

        assert at_half_time.paid == 0
        assert at_half_time.at == 16


@given(runs, st.integers(0, 200))
def test_every_paid_second_has_one_use(samples, close):
    summary = ledger_of(*samples, close=close).summary
    kept = in_order(samples)
    end = look(summary.ended)
    paid = sum((after.at - at.at) * paid_workers(at) for at, after in pairwise([*kept, end]))

    assert summary.paid == paid  # quarters of seconds add up exactly
    assert summary.paid == summary.starting + summary.busy + summary.idle + summary.leaving


@given(runs)
def test_no_amount_is_negative_and_none_exceeds_the_fixed_cluster(samples):
    summary = ledger_of(*samples).summary

    assert min(summary.starting, summary.busy, summary.idle, summary.leaving, summary.duration) >= 0
    assert summary.paid <= summary.fixed
    assert 0 <= summary.saving <= 1
    assert all(point.paid <= summary.peak for point in summary.series)
    assert summary.peak == max(map(paid_workers, in_order(samples)), default=0)


@given(runs)
def test_what_came_and_did_not_go_is_there(samples):
    summary = ledger_of(*samples).summary
    last = in_order(samples)[-1:]

    assert summary.found + summary.starts - summary.stops == sum(
        paid_for(one) is not None for sample in last for one in sample.units
    )


@given(runs.filter(bool))
def test_the_same_sample_twice_changes_nothing(samples):
    ledger = ledger_of(*samples)
    before = ledger.summary
    ledger.add(samples[-1])

    assert ledger.summary == before


@given(runs, st.integers(8, 12))
def test_thinning_the_series_alters_no_amount(samples, max_points):
    whole, thin = ledger_of(*samples).summary, ledger_of(*samples, max_points=max_points).summary

    assert attrs.evolve(thin, series=()) == attrs.evolve(whole, series=())
    assert set(thin.series) <= set(whole.series)
    assert len(thin.series) <= max_points
    times = [point.at for point in thin.series]
    assert times == sorted(set(times))
