"""Who leaves and when, where the cluster tells how long a unit has been idle; and units that refuse."""

from __future__ import annotations

from itertools import pairwise

from attrs import evolve
from decision_worlds import Core, ids, rank, unit

from trio_adaptive.decision.model import Cancel, Drain, Launch, SetHold, SetLimits, Suggest, Suggested
from trio_adaptive.decision.rules import Rules
from trio_adaptive.journal.words import in_words

SLOW = Rules(interval=1, wait_count=2, idle_timeout=10)
MIB = 2**20


def leaving(core):
    assert core.last.decision is not None
    return core.last.decision.chosen


# Idle in seconds


def test_who_has_been_idle_for_long_enough_waits_for_the_ticks_only():
    core = Core(SLOW)
    at = [core.step(t, [unit("a", idle=60.0 + t)], 0) for t in range(2)]
    assert at == [(), (Drain(ids("a"), only_idle=True),)]


def test_who_has_not_been_idle_for_long_enough_waits_for_the_rest():
    core = Core(SLOW)
    went = [t for t in range(12) if core.step(t, [unit("a", idle=7.0 + t)], 0)]
    assert went == [3]


def test_who_has_been_superfluous_for_long_enough_leaves_though_idle_for_less():
    core = Core(SLOW)
    went = [t for t in range(12) if core.step(t, [unit("a", idle=0.5)], 0)]
    assert went == [10]


def test_after_a_hold_idle_workers_do_not_wait_again():
    core = Core(SLOW)
    units = [unit("a", idle=100.0), unit("b", idle=100.0)]
    core.feed(SetHold(0, 2))
    assert core.step(1, units, 0) == ()
    core.feed(SetHold(1.5, None))
    assert [core.step(t, units, 0) for t in (2, 3)] == [(), (Drain(ids("a", "b"), only_idle=True),)]


def test_busy_units_leave_on_other_terms_than_idle_ones():
    core = Core()
    assert core.step(0, [unit("a", idle=5.0), unit("b", executing=1)], 0) == (
        Drain(ids("a"), only_idle=True),
        Drain(ids("b")),
    )


def test_above_the_maximum_idle_units_leave_even_if_work_comes_to_them():
    core = Core(Rules(wait_count=1, idle_timeout=0), maximum=3)
    units = [unit(name, idle=5.0) for name in "abc"]
    core.feed(SetLimits(0, maximum=2))
    assert core.step(1, units, 0) == (Drain(ids("b", "c"), only_idle=True), Drain(ids("a")))


# Refusals


def test_a_unit_that_refuses_is_asked_again_after_longer_and_longer():
    core = Core()
    asked = []
    for t in range(200):
        if core.step(t, [unit("a")], 0):
            asked.append(t)
            core.finish(t, "drain", ["a"], "refused", "it holds an actor")
        else:
            assert core.note == "a stays: it holds an actor"
    assert [b - a for a, b in pairwise(asked)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_another_unit_goes_instead():
    core = Core()
    units = [unit("a"), unit("b"), unit("c")]
    assert core.step(0, units, 2) == (Drain(ids("a")),)
    core.finish(0, "drain", ["a"], "refused", "it holds an actor")
    assert core.look(0.5, units, 2) == (Suggest(2, 1),)  # one more than there are too many
    assert core.feed(Suggested(0.5, 2, rank(units, 1))) == (Drain(ids("b")),)
    assert core.note == ""


def test_the_note_says_who_stays_and_who_is_named_beside():
    core = Core(Rules(interval=1, wait_count=2, idle_timeout=0))
    units = [unit("a"), unit("b"), unit("c", idle=0.0)]
    for t in range(2):
        core.step(t, units[:2], 0)
    core.finish(1, "drain", ["a", "b"], "refused", "it holds an actor\nsuch as this")
    core.step(1.5, units, 0)
    assert (
        core.note == "1 named to leave, not for long enough yet; a stays: it holds an actor, and 1 more stay"
    )


def test_a_refusal_is_forgotten_when_the_unit_works_again():
    core = Core()
    a, b = unit("a", idle=3.0), unit("b", executing=1)
    for t in (0, 1, 3):
        assert core.step(t, [a, b], 1) == (Drain(ids("a"), only_idle=True),)
        core.finish(t, "drain", ["a"], "refused", "it holds an actor")
    assert core.state.refusals["a"].count == 3
    core.step(4, [evolve(a, idle=None), b], 2)
    assert not core.state.refusals
    assert core.step(5, [a, b], 1) == (Drain(ids("a"), only_idle=True),)


def test_where_nobody_tells_of_idleness_a_running_task_is_work():
    core = Core()
    core.step(0, [unit("a")], 0)
    core.finish(0, "drain", ["a"], "refused", "it holds an actor")
    core.step(0.2, [unit("a")], 0)
    assert core.state.refusals
    core.step(0.4, [unit("a", executing=1)], 1)
    assert core.step(0.6, [unit("a")], 0) == ()  # the look may have been older than the refusal
    assert core.step(1.0, [unit("a")], 0) == (Drain(ids("a")),)
    core.finish(1.0, "drain", ["a"], "refused", "it holds an actor")
    assert core.state.refusals["a"].count == 1


def test_a_unit_that_refuses_for_its_work_is_asked_again_when_it_has_rested():
    core = Core(maximum=0)
    busy = unit("a", executing=1, idle=None)
    asked = []
    for tick in range(80):
        t = tick / 10
        if core.step(t, [busy if t < 5 else evolve(busy, executing=0, idle=t - 5)], 0):
            asked.append(t)
            core.finish(t, "drain", ["a"], "refused", "it has work that only it can do")
    assert asked == [0, 1, 3, 6, 7]  # idle now, it refuses for another reason


def test_a_recall_that_comes_too_late_is_no_refusal_to_leave():
    core = Core()
    core.step(0, [unit("a")], 0)
    core.look(1, [unit("a")], 1)
    core.finish(1, "recall", ["a"], "refused", "it is leaving already")
    assert not core.state.refusals


def test_a_refusal_is_forgotten_when_the_unit_has_gone():
    core = Core()
    core.step(0, [unit("a")], 0)
    core.finish(0, "drain", ["a"], "refused", "it holds an actor")
    core.step(1, [], 0)
    assert not core.state.refusals


def test_unwelcome_strangers_that_refuse_are_left_alone_for_a_while():
    core = Core(Rules(strangers="retire"))
    stranger = [unit("s", ours=False)]
    asked = []
    for tick in range(40):
        if core.look(tick / 10, stranger, 0):
            asked.append(tick)
            core.finish(tick / 10, "drain", ["s"], "refused", "it holds an actor")
    assert asked == [0, 10, 30]


def test_a_refused_unit_counts_and_none_is_launched_for_it():
    core = Core()
    units = [unit("a"), unit("b")]
    core.step(0, units, 1)
    core.finish(0, "drain", ["a"], "refused", "it holds an actor")
    assert core.look(0.5, units, 3) == (Launch(ids("new-0")),)


# Who was chosen, and why


def test_the_record_says_of_each_unit_why_it_leaves():
    core = Core(Rules(interval=1, wait_count=2, idle_timeout=0, strangers="adopt"))
    units = [
        unit("a", idle=12.1, stored=3 * MIB),
        unit("b", executing=2),
        unit("c", ours=False, executing=1),
        unit("d", "requested"),
        unit("e", "failed"),
    ]
    core.step(0, units, 0)
    assert leaving(core) == ()
    core.step(1, units, 0)
    assert leaving(core) == (
        "d: has not registered, superfluous for 1.0 s",
        "a: idle for 12.1 s, 3.0 MiB stored",
        "b: 2 tasks to finish, superfluous for 1.0 s",
        "c: 1 task to finish, not part of the plan, superfluous for 1.0 s",
    )
    assert "a: idle for 12.1 s" not in in_words(core.last)  # too many for one line


def test_a_few_are_told_of_in_the_line_of_the_log():
    core = Core()
    core.step(0, [unit("a", idle=12.1), unit("b", idle=0.0)], 1)
    assert in_words(core.last) == "2 -> 1 (the load asks for 1): draining a; a: idle for 12.1 s"


def test_of_very_many_only_the_first_are_told_of():
    core = Core()
    pending = [unit(f"p{i}", "requested") for i in range(150)]
    (cancel,) = core.step(0, pending, 0)
    assert isinstance(cancel, Cancel)
    assert len(leaving(core)) == 101
    assert leaving(core)[-1] == "and 50 more"
