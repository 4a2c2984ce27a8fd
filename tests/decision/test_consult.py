"""How a policy sits in the decision: what it is shown, what becomes of its advice, and what records keep."""

from __future__ import annotations

from attrs import evolve, field, frozen
from decision_worlds import Core, fleet, of_kind, unit

from trio_adaptive.decision.model import Cancel, Drain, Launch, Load, Sample, Sampled, SetHold, Work
from trio_adaptive.decision.policy import Advice, View
from trio_adaptive.decision.rules import Rules


@frozen
class Told:
    """Says what it is told to, and remembers what it was shown."""

    advice: Advice
    views: tuple[View, ...] = field(default=(), repr=False)

    def advise(self, view):
        return evolve(self, views=(*self.views, view)), self.advice


def core_of(*advice, rules=None, **more):
    return Core(rules or Rules(wait_count=1), policy=Told(Advice(*advice, **more)))


def test_it_is_shown_who_serves_who_is_on_the_way_and_since_when():
    core = core_of(3, "three", patience=0.0)
    core.step(10.0, (), 0)
    core.finish(10.0, "launch", ["new-0", "new-1", "new-2"])
    units = (unit("new-0"), unit("new-1", "requested"), unit("new-2", "requested"))
    core.step(17.0, units, 0)
    view = core.state.policy.views[-1]
    assert (view.at, view.registered, view.starting, view.startups) == (17.0, 1, (10.0, 10.0), (7.0,))
    assert view.confirmation == 0.0


def test_those_who_leave_are_not_shown():
    core = core_of(1, "one", patience=0.0)
    core.step(1.0, fleet("a", "b"), 0)
    core.look(2.0, fleet("a", "b"), 0)
    assert core.state.policy.views[-1].registered == 1


def test_its_word_stands_before_the_limits_and_is_what_the_record_tells():
    core = Core(Rules(), policy=Told(Advice(9, "nine, it says")), maximum=4)
    actions = core.feed(
        Sampled(Sample(0, 0, "interval", (), Load(2, "the load says", work=Work(queued=2), offers={})))
    )
    decision = core.last.decision
    assert len(of_kind(actions, Launch)) == 4
    assert (decision.raw, decision.final) == (9, 4)
    assert (decision.load.target, decision.load.why) == (9, "nine, it says")
    assert decision.load.work is None
    assert decision.load.offers is None


def test_its_patience_counts_unless_the_user_has_said_one():
    assert core_of(0, "", patience=0.0).state.patience == 1.0  # before the first look nothing was said
    hasty, patient = core_of(0, "none", patience=0.0), core_of(0, "none", patience=50.0)
    for core in (hasty, patient):
        core.step(1.0, fleet("a"), 0)
    assert hasty.state.flights.keys() == {"a"}
    assert not patient.state.flights
    mine = core_of(0, "none", patience=0.0, rules=Rules(wait_count=1, idle_timeout=30))
    mine.step(1.0, fleet("a"), 0)
    assert not mine.state.flights


def test_starts_that_it_calls_off_and_starts_that_it_does_not():
    units = (*fleet("a"), *fleet("b", "c", state="requested"))
    calls_off = core_of(0, "none", patience=0.0).step(1.0, units, 0)
    assert of_kind(calls_off, Cancel) == ["c", "b"]
    keeps = core_of(0, "none", patience=0.0, cancels=False).step(1.0, units, 0)
    assert of_kind(keeps, Cancel) == []
    assert of_kind(keeps, Drain) == ["a"]


def test_a_limit_calls_starts_off_before_anybody_leaves():
    core = core_of(3, "three", patience=0.0, cancels=False)
    units = (*fleet("a"), *fleet("b", "c", state="requested"))
    core.step(1.0, units, 0)
    core.feed(SetHold(1.5, 1))
    actions = core.step(2.0, units, 0)
    assert of_kind(actions, Cancel) == ["c", "b"]
    assert of_kind(actions, Drain) == []


def test_where_the_load_is_missing_it_is_not_asked():
    core = core_of(2, "two", patience=0.0)
    core.step(1.0, fleet("a", "b"), 0)
    core.feed(Sampled(Sample(2, 2, "interval", fleet("a", "b"), Load(0, missing="no answer"))))
    assert len(core.state.policy.views) == 1
    assert core.state.advice.target == 2
