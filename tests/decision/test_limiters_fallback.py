"""When the load is not known: the size is held, and after a while becomes what was set for that."""

from __future__ import annotations

import pytest
from decision_worlds import fleet, of_kind, unit
from limiters_kit import limited

from trio_adaptive.decision.model import Drain, Launch, Load, Sample, Sampled, SampleFailed, Stop

STATIC = {"fallback": "static", "fallback_size": 3, "fallback_after": 10}


def look_without_load(core, at, units):
    sample = Sample(at, at, "interval", tuple(units), Load(0, missing="the queue does not answer"), core.size)
    return core.feed(Sampled(sample))


@pytest.mark.parametrize("fallback", [{}, STATIC])
def test_at_first_the_size_is_held(fallback):
    core = limited(**fallback)
    core.step(0, fleet("a", "b"), 2)
    for at in range(1, 11):
        assert look_without_load(core, at, fleet("a", "b")) == ()
    record = core.last
    assert (record.kind, record.error) == ("sample failed", "the queue does not answer")
    assert record.decision.reasons == ()
    assert record.decision.note == "the load has not been known for 9 s"
    assert core.state.last_error == "the queue does not answer"


def test_it_is_held_for_ever_where_no_fallback_is_set():
    core = limited()
    assert look_without_load(core, 0, fleet("a", "b")) == ()
    assert look_without_load(core, 1e9, fleet("a", "b")) == ()


@pytest.mark.parametrize(
    ("mode", "here", "final"),
    [
        ("static", "a", 3),
        ("static", "abcde", 3),
        ("current-if-higher", "a", 3),
        ("current-if-higher", "abcde", 5),
    ],
)
def test_after_a_while_it_becomes_what_was_set(mode, here, final):
    core = limited(**STATIC | {"fallback": mode})
    units = fleet(*here)
    look_without_load(core, 0, units)
    look_without_load(core, 10, units)
    decision = core.last.decision
    assert (decision.raw, decision.final) == (len(units), final)
    if final != len(units):
        (reason,) = decision.reasons
        assert (reason.limiter, reason.why) == ("fallback", "no load for 10 s")


def test_one_answer_ends_it():
    core = limited(**STATIC)
    look_without_load(core, 0, fleet("a"))
    core.step(9, fleet("a"), 1)
    assert look_without_load(core, 11, fleet("a")) == ()
    assert core.note == "the load has not been known for 0 s"


def test_the_fallback_obeys_the_other_limiters():
    core = limited(**STATIC, max_launching=1, core={"maximum": 2})
    look_without_load(core, 0, ())
    assert len(of_kind(look_without_load(core, 10, ()), Launch)) == 1
    assert core.reasons == [("fallback", 0, 3), ("launching", 3, 1)]


def test_a_worker_that_dies_meanwhile_is_replaced_up_to_the_minimum():
    core = limited(core={"minimum": 2})
    core.step(0, fleet("a", "b", "c"), 3)
    assert look_without_load(core, 1, fleet("a", "b")) == ()
    assert len(of_kind(look_without_load(core, 2, fleet("a")), Launch)) == 1


# Where the cluster does not answer either


def test_what_cannot_be_seen_may_grow_and_is_never_shrunk():
    core = limited(**STATIC)
    core.step(0, fleet("a"), 1)
    assert [core.feed(SampleFailed(at, "unreachable")) for at in (1, 10)] == [(), ()]
    assert len(of_kind(core.feed(SampleFailed(11, "unreachable")), Launch)) == 2
    assert core.reasons == [("fallback", 1, 3)]
    # Launched, and not to be seen: it is known all the same.
    core.finish(12, "launch", ["new-0", "new-1"])
    assert core.feed(SampleFailed(13, "unreachable")) == ()
    core = limited(**STATIC)
    core.step(0, fleet(*"abcde"), 5)
    core.feed(SampleFailed(1, "unreachable"))
    assert core.feed(SampleFailed(99, "unreachable")) == ()
    assert (core.last.kind, core.last.error) == ("sample failed", "unreachable")


def test_before_the_first_answer_nothing_is_done():
    core = limited(**STATIC)
    assert [core.feed(SampleFailed(at, "unreachable")) for at in (0, 1000)] == [(), ()]
    assert core.last.decision is None


def test_after_the_end_nothing_is_done():
    core = limited(**STATIC)
    core.step(0, fleet("a"), 1)
    core.feed(SampleFailed(1, "unreachable"))
    core.feed(Stop(2, "the user said so"))
    assert core.feed(SampleFailed(99, "unreachable")) == ()


def test_silence_is_told_from_where_it_began_whichever_way_it_shows():
    core = limited(**STATIC)
    core.step(0, fleet("a"), 1)
    core.feed(SampleFailed(1, "unreachable"))
    look_without_load(core, 5, fleet("a"))
    assert core.note == "the load has not been known for 4 s"
    assert len(of_kind(look_without_load(core, 11, fleet("a", "b", "c", "d")), Drain)) == 0
    assert core.last.decision.final == 3


def test_what_has_ended_is_cleaned_up_without_a_load():
    core = limited()
    core.step(0, fleet("a"), 1)
    (cleaning,) = look_without_load(core, 1, (unit("a", "lost"),))
    assert cleaning.ended
