"""The pause after failures, and the breaker."""

from __future__ import annotations

from itertools import pairwise

from decision_worlds import Core, fleet, ids, of_kind, unit
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.model import Cancel, Launch
from trio_adaptive.decision.retries import breaker, failed
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State


def fail(core, at, number=1):
    """A round of launches that fails; returns how many were tried."""
    launched = of_kind(core.look(at, (), 5), Launch)
    core.finish(at, "launch", launched, "failed", "quota exceeded")
    return len(launched)


def broken(core, failures=3):
    """The core after so many failures in a row; returns when the pause is over."""
    for _ in range(failures):
        fail(core, max(0.0, core.state.retry_at))
    return core.state.retry_at


STRICT = Rules(breaker_failures=3, retry_delay=1)


def test_after_many_failures_one_launch_is_tried_alone():
    core = Core(STRICT)
    assert [fail(core, at) for at in (0, 1, 3)] == [5, 5, 5]
    assert core.state.failures == 3
    assert core.look(4, (), 5) == ()
    assert core.note == "next launch in 3.0 s, of one alone after 3 failures in a row: quota exceeded"
    assert core.look(7, (), 5) == (Launch(ids("new-15")),)
    assert core.note == "one launch is tried, after 3 failures in a row: quota exceeded"


def test_no_other_is_launched_until_it_is_known_what_becomes_of_that_one():
    core = Core(STRICT)
    over = broken(core)
    (probe,) = of_kind(core.look(over, (), 5), Launch)
    core.finish(over, "launch", [probe])
    assert core.look(over + 100, fleet(probe, state="requested"), 5) == ()
    assert core.note == "waiting for one launch to succeed, after 3 failures in a row"


def test_its_success_closes_the_breaker():
    core = Core(STRICT)
    over = broken(core)
    (probe,) = of_kind(core.look(over, (), 5), Launch)
    core.finish(over, "launch", [probe])
    assert len(of_kind(core.look(over + 2, fleet(probe), 5), Launch)) == 4
    assert breaker(core.state, over + 2) == "closed"
    assert core.note == ""


def test_its_failure_opens_it_again_for_longer():
    core = Core(STRICT)
    over = broken(core)
    assert breaker(core.state, over - 0.1) == "open"
    assert breaker(core.state, over) == "half-open"
    (probe,) = of_kind(core.look(over, (), 5), Launch)
    assert core.look(over + 1, (unit(probe, "failed", detail="no"),), 5) == (Cancel((probe,), ended=True),)
    assert breaker(core.state, over + 1) == "open"
    assert core.state.retry_at == over + 1 + 8


def test_a_probe_that_does_not_register_in_time_is_a_failure():
    core = Core(Rules(breaker_failures=1, retry_delay=1, startup_timeout=10))
    fail(core, 0)
    (probe,) = of_kind(core.look(1, (), 5), Launch)
    core.look(12, fleet(probe, state="requested"), 5)
    assert breaker(core.state, 12) == "open"
    core.finish(12, "cancel", [probe])
    assert len(of_kind(core.look(20, (), 5), Launch)) == 1


@given(
    prefix=st.text(max_size=8),
    delay=st.floats(0.01, 10),
    most=st.floats(10, 100),
    jitter=st.floats(0, 1),
    times=st.integers(1, 80),
)
def test_pauses_grow_up_to_their_maximum_and_each_is_shortened_by_its_share_at_most(
    prefix, delay, most, jitter, times
):
    rules = Rules(retry_delay=delay, retry_delay_max=most, retry_jitter=jitter)
    state, now, pauses = State(rules, prefix=prefix), 0.0, []
    for _ in range(times):
        state = failed(state, now, "no")
        pauses.append(state.retry_at - now)
        now = state.retry_at
    for number, pause in enumerate(pauses):
        whole = min(delay * 2.0**number, most)
        assert whole * (1 - jitter) - 1e-6 <= pause <= whole + 1e-6


def test_two_programs_do_not_come_back_at_the_same_time():
    rules = Rules(retry_jitter=0.2)
    pauses = sorted(failed(State(rules, prefix=f"adaptive-{i}"), 0.0, "no").retry_at for i in range(100))
    assert pauses[0] < 0.85
    assert pauses[-1] > 0.95
    assert max(b - a for a, b in pairwise(pauses)) < 0.03
