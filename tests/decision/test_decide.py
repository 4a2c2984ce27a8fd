"""What the core does, one behaviour at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from attrs import evolve
from decision_worlds import Core, Town, fleet, ids, of_kind, rank, unit

from trio_adaptive.decision.decide import counts
from trio_adaptive.decision.model import (
    AddRequest,
    Cancel,
    Counts,
    Drain,
    Launch,
    Load,
    Memory,
    Reason,
    Recall,
    SampleFailed,
    SetHold,
    SetLimits,
    SetPause,
    Stop,
    Suggest,
    Suggested,
    WorkerName,
)
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.targets import wanted_workers

PATIENT = Rules(interval=1, wait_count=3, idle_timeout=0)


# What is wanted


@pytest.mark.parametrize(
    ("target", "used", "processing", "wanted"),
    [
        (20, 70, 0, 12),  # 70 % used: 12 workers bring it below 60 %
        (20, 70, 9, 12),
        (20, 70, 10, 20),  # there may be more work than can be seen
        (20, 59, 0, 10),  # the workers have told of less by now: no more than there are, and no fewer
        (20, 500, 0, 20),
        (21, 70, 0, 21),
        (7, 70, 0, 7),
    ],
)
def test_stored_data_gets_the_workers_that_it_needs_and_no_more(target, used, processing, wanted):
    # Dask doubles, and doubles again before the data has moved (dask/distributed#6826).
    memory = Memory(workers=10, threads=10, used=used, limit=100)
    assert wanted_workers(Load(target, processing=processing, memory=memory)) == wanted


def test_without_a_limit_or_a_word_of_it_the_target_stands():
    assert wanted_workers(Load(20)) == 20
    assert wanted_workers(Load(20, processing=0, memory=Memory(10, 10, 70, 0))) == 20


# Growing


def test_grows_at_once():
    core = Core(PATIENT)
    assert core.look(0, fleet("a"), 3) == (Launch(ids("new-0", "new-1")),)


def test_grows_at_once_also_between_two_ticks():
    core = Core(PATIENT)
    assert core.look(0, (), 1, cause="wake-up") == (Launch(ids("new-0")),)


def test_does_not_launch_again_what_the_look_was_too_early_to_see():
    core = Core()
    core.look(0, (), 2)
    assert core.look(1, (), 2) == ()
    core.finish(1.5, "launch", ["new-0", "new-1"])
    assert core.look(2, (), 2, begun=1.2) == ()
    assert core.look(3, fleet("new-0", "new-1", state="requested"), 2) == ()


def test_a_launch_that_a_look_shows_has_been_seen():
    core = Core()
    core.look(0, (), 1)
    core.finish(1.5, "launch", ["new-0"])
    assert core.look(2, fleet("new-0", state="requested"), 0, begun=1) == (Cancel(ids("new-0")),)


def test_a_look_that_began_when_the_launch_ended_may_have_missed_it():
    core = Core()
    core.look(0, (), 1)
    core.finish(1, "launch", ["new-0"])
    assert core.look(1.2, (), 1, begun=1) == ()


def test_a_launch_that_came_to_nothing_is_made_up_for():
    core = Core()
    core.look(0, (), 2)
    core.finish(0.5, "launch", ["new-0", "new-1"])
    assert core.look(1, fleet("new-0"), 2) == (Launch(ids("new-2")),)


# Bounds


@pytest.mark.parametrize(
    ("target", "size", "reason"),
    [
        (0, 1, Reason("minimum", 0, 1, "minimum 1")),
        (2, 2, None),
        (10, 4, Reason("maximum", 10, 4, "maximum 4")),
        (-3, 1, Reason("minimum", 0, 1, "minimum 1")),
    ],
)
def test_minimum_and_maximum(target, size, reason):
    core = Core(minimum=1, maximum=4)
    assert len(of_kind(core.look(0, (), target), Launch)) == size
    assert core.last.decision.reasons == ((reason,) if reason else ())


def test_units_on_their_way_out_count_towards_the_maximum():
    core = Core(maximum=2)
    leaving = unit("a", "leaving")
    assert core.look(0, (leaving, unit("b")), 2) == ()
    assert core.note == "no room below the maximum until units have left"
    assert core.look(1, (unit("b"),), 2) == (Launch(ids("new-0")),)


STRANGERS = (unit("s", ours=False), unit("t", ours=False))


@pytest.mark.parametrize("what", ["auto", "adopt"])
def test_strangers_count_towards_the_maximum_and_leave_like_all_others(what):
    core = Core(Rules(idle_timeout=0, wait_count=1, strangers=what), maximum=3)
    assert core.look(0, STRANGERS, 5) == (Launch(ids("new-0")),)
    assert core.step(1, (*STRANGERS, unit("new-0")), 1) == (Drain(ids("new-0", "s")),)


def test_ignored_strangers_count_and_are_never_drained():
    core = Core(Rules(idle_timeout=0, wait_count=1, strangers="ignore"), maximum=3)
    assert core.look(0, STRANGERS, 5) == (Launch(ids("new-0")),)
    assert core.step(1, (*STRANGERS, unit("new-0")), 0) == (Drain(ids("new-0")),)
    core.finish(1, "drain", ["new-0"])
    assert core.step(2, STRANGERS, 0) == ()


def test_ours_leave_though_the_scheduler_would_rather_give_ignored_strangers_back():
    core = Core(Rules(idle_timeout=0, wait_count=1, strangers="ignore"))
    units = (unit("a", ours=False), unit("b", ours=False), unit("y"), unit("z"))
    assert core.step(0, units, 3) == (Drain(ids("y")),)


def test_unwelcome_strangers_leave_at_once_and_are_replaced():
    core = Core(Rules(idle_timeout=0, wait_count=1, strangers="retire"), minimum=2)
    assert core.look(0, STRANGERS, 0) == (Drain(ids("s", "t")),)
    assert core.look(1, STRANGERS, 0) == (Launch(ids("new-0", "new-1")),)


def test_nobody_is_sent_away_while_shrinking_is_paused():
    core = Core(Rules(strangers="retire"))
    core.feed(SetPause(0, "shrinking", paused=True))
    assert core.look(0, STRANGERS, 0) == ()


def test_a_lower_maximum_needs_no_idle_patience():
    core = Core(evolve(PATIENT, idle_timeout=60))
    units = fleet("a", "b", "c")
    core.step(0, units, 3)
    core.feed(SetLimits(0.5, maximum=1))
    assert [core.step(t, units, 3) for t in (1, 2, 3)] == [(), (), (Drain(ids("a", "b")),)]


def test_a_lower_maximum_costs_no_unit_more_in_a_pause_of_the_work():
    core = Core(evolve(PATIENT, idle_timeout=60))
    units = fleet("a", "b", "c")
    core.feed(SetLimits(0, maximum=2))
    assert [core.step(t, units, 0) for t in (1, 2, 3)] == [(), (), (Drain(ids("a")),)]
    core.finish(3, "drain", ["a"])
    assert [core.step(t, units[1:], 0) for t in range(4, 60)] == [()] * 56


# Shrinking


def test_pending_units_go_first_and_the_newest_of_them():
    core = Core()
    units = (*fleet("a", "b"), *fleet("p", "q", "r", state="requested"))
    assert core.step(0, units, 3) == (Cancel(ids("r", "q")),)


def test_idle_units_go_when_no_more_are_pending():
    core = Core()
    units = (unit("a", executing=1), unit("b"), unit("p", "requested"))
    assert core.step(0, units, 1) == (Cancel(ids("p")), Drain(ids("b")))


def test_a_planned_unit_is_not_yet_there_to_be_taken_back():
    assert Core().step(0, fleet("a", "b", state="planned"), 0) == ()


def test_a_unit_goes_when_it_has_been_named_wait_count_times_in_a_row():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    assert [core.step(t, pending, 0) for t in range(3)] == [(), (), (Cancel(ids("p")),)]


def test_a_tick_that_does_not_name_a_unit_starts_its_count_anew():
    core = Core(PATIENT)
    a_is_idle = (unit("a"), unit("b", executing=1))
    b_is_idle = (unit("a", executing=1), unit("b"))
    for t, units in enumerate([a_is_idle, a_is_idle, b_is_idle, a_is_idle, a_is_idle]):
        assert core.step(t, units, 1) == ()
    assert core.step(5, a_is_idle, 1) == (Drain(ids("a")),)


def test_a_tick_with_work_for_all_forgets_all():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    sizes = [0, 0, 1, 0, 0, 0]
    assert [bool(core.step(t, pending, n)) for t, n in enumerate(sizes)] == [False] * 5 + [True]


def test_wake_ups_do_not_count_as_ticks():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    for i in range(20):
        assert core.step(i / 100, pending, 0, cause="wake-up") == ()
    assert not core.state.nominations
    assert [core.step(t, pending, 0) for t in (1, 2)] == [(), ()]
    assert core.step(2.5, pending, 0, cause="wake-up") == ()
    assert core.step(3, pending, 0) == (Cancel(ids("p")),)


def test_wake_ups_between_ticks_make_no_difference_to_the_count():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    core.step(1, pending, 0)
    for i in range(1, 9):
        assert core.step(1 + i / 10, pending, 0, cause="wake-up") == ()
    assert core.step(2, pending, 0) == ()
    assert core.step(3, pending, 0) == (Cancel(ids("p")),)


def test_only_a_tick_ends_the_patience():
    core = Core(Rules(interval=1, wait_count=1, idle_timeout=2))
    pending = fleet("p", state="requested")
    assert core.step(0, pending, 0) == ()
    assert core.step(1, pending, 0) == ()
    assert core.step(2.5, pending, 0, cause="wake-up") == ()
    assert core.step(3, pending, 0) == (Cancel(ids("p")),)


def test_wake_ups_ask_nothing_while_nobody_is_named():
    core = Core()
    assert core.look(0, fleet("a", "b"), 1, cause="wake-up") == ()
    assert core.state.question is None


def test_wake_ups_forget():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    core.step(0, pending, 0)
    core.step(1, pending, 0)
    core.step(1.5, pending, 1, cause="wake-up")
    assert [core.step(t, pending, 0) for t in (2, 3, 4)] == [(), (), (Cancel(ids("p")),)]


def test_asks_the_scheduler_in_workers():
    core = Core()
    units = [unit(name, size=2) for name in "abc"]
    assert core.look(0, units, 2) == (Suggest(1, target=2),)
    assert core.look(1, units, 2) == ()
    assert core.note == "waiting for the scheduler's suggestion"


def test_the_answer_to_an_older_question_is_ignored():
    core = Core()
    units = fleet("a", "b")
    core.look(0, units, 1)  # question 1
    core.look(1, units, 2)  # which is no longer asked
    core.look(2, units, 1)  # question 2
    assert core.feed(Suggested(2.1, 1, (WorkerName("a"),))) == ()
    assert core.last.error == "answer to an older question"
    assert core.feed(Suggested(2.2, 2, (WorkerName("b"),))) == (Drain(ids("b")),)
    assert core.feed(Suggested(2.3, 2, (WorkerName("a"),))) == ()


def test_no_answer_is_an_error_in_the_record_and_is_asked_again():
    core = Core()
    units = fleet("a", "b")
    core.look(0, units, 1)
    assert core.feed(Suggested(0.5, 1, None, "timed out")) == ()
    assert core.last.error == "timed out"
    assert core.look(1, units, 1) == (Suggest(2, target=1),)


def test_growing_takes_a_question_back():
    core = Core()
    core.look(0, fleet("a", "b"), 1)
    core.look(1, fleet("a", "b"), 3)
    assert core.feed(Suggested(1.5, 1, (WorkerName("a"),))) == ()
    assert core.last.error == "answer to an older question"


@pytest.mark.parametrize(
    "command",
    [
        SetLimits(0.5, minimum=3),
        SetHold(0.5, 3),
        AddRequest(0.5, 3),
        SetPause(0.5, "shrinking", paused=True),
        Stop(0.5, "enough"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_command_between_question_and_answer_is_obeyed(command):
    core = Core()
    units = fleet("a", "b", "c")
    core.look(0, units, 0)
    core.feed(command)
    assert core.feed(Suggested(1, 1, rank(units, 0))) == ()


def test_what_has_happened_between_question_and_answer_is_not_forgotten():
    core = Core(minimum=2)
    units = (*fleet("a", "b", "c"), unit("p", "requested"))
    core.look(0, units, 0)  # p, and one more
    core.look(1, (unit("p"), unit("b"), unit("c")), 0)  # p has registered, a has left of its own accord
    assert core.feed(Suggested(1.5, 1, rank(units, 0))) == (Drain(ids("b")),)


def test_a_unit_that_failed_between_question_and_answer_is_ended_once():
    core = Core()
    core.look(0, (*fleet("a", "b"), unit("p", "requested")), 1)
    broken = (*fleet("a", "b"), unit("p", "failed"))
    assert core.look(1, broken, 1) == (Cancel(ids("p"), ended=True),)
    assert core.feed(Suggested(1.5, 1, rank(broken, 1))) == (Drain(ids("a")),)


# Patience


def test_a_pause_in_the_work_shorter_than_the_idle_timeout_costs_no_worker():
    town = Town(Core(Rules(interval=1, wait_count=3, idle_timeout=10)))
    for _ in range(3):
        for _ in range(5):
            town.tick(4, busy=4)
        for _ in range(10):
            town.tick(0)
    assert [of_kind(actions, Launch) for actions in town.history if actions] == [town.working]
    town.tick(0)
    town.tick(0)
    assert town.working == []


def test_the_automatic_idle_timeout_is_as_long_as_a_unit_takes_to_start():
    core = Core(Rules(interval=1, wait_count=2))
    assert core.state.patience == 2
    town = Town(core, startup=7)
    for _ in range(10):
        town.tick(1)
    assert core.state.startup == core.state.patience == 7
    for _ in range(7):
        town.tick(0)
    assert len(town.working) == 1
    town.tick(0)
    assert not town.working


def test_an_idle_timeout_that_is_set_is_not_lengthened():
    town = Town(Core(Rules(interval=1, wait_count=2, idle_timeout=1)), startup=7)
    for _ in range(10):
        town.tick(1)
    assert town.core.state.patience == 1


def test_a_tick_that_comes_a_hair_early_still_ends_the_patience():
    core = Core(evolve(PATIENT, idle_timeout=2))
    pending = fleet("p", state="requested")
    assert [core.step(t, pending, 0) for t in (0, 1, 1.99)] == [(), (), (Cancel(ids("p")),)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_constant_load_gives_a_constant_size(size):
    town = Town(Core(Rules(interval=1, wait_count=1, idle_timeout=0)), startup=2, size=size)
    town.units = {u.id: u for u in [unit("first", size=size)]}
    for i in range(100):
        town.tick(7, busy=i % 4, cause="wake-up" if i % 3 else "interval")
    assert len(town.working) == math.ceil(7 / size)
    assert [i for i, actions in enumerate(town.history) if actions] == [0]


@pytest.mark.parametrize(
    ("option", "workers", "units"),
    [("minimum", 3, 2), ("minimum", 4, 2), ("maximum", 3, 1), ("maximum", 4, 2), ("maximum", math.inf, 5)],
)
def test_bounds_in_workers_become_whole_units(option, workers, units):
    town = Town(Core(**{option: workers}), size=2)
    town.tick(10 if option == "maximum" else 0)
    assert len(town.working) == 0
    town.tick(10 if option == "maximum" else 0)
    assert len(town.working) == units


def test_what_is_held_and_requested_becomes_whole_units():
    town = Town(Core(), size=2)
    town.core.feed(AddRequest(0, 3))
    town.tick(0)
    town.tick(0)
    assert len(town.working) == 2
    town.core.feed(SetHold(1, 5))
    town.tick(0)
    town.tick(0)
    assert len(town.working) == 3
    assert town.core.reasons[-1] == ("hold", 0, 3)


def test_at_its_minimum_an_idle_cluster_keeps_still():
    # Units of two and a minimum used to end in endless closing and opening (dask/dask-jobqueue#498).
    town = Town(Core(minimum=2), size=2)
    for _ in range(100):
        town.tick(0)
    assert len(town.working) == 1
    assert sum(map(len, town.history)) == 1


# Units of several workers


def test_a_busy_sibling_keeps_its_unit():
    # dask/distributed#1632: the other processes of a job are idle, and are still not to be closed.
    core = Core()
    units = [unit(name, size=2) for name in "ab"]
    core.look(0, units, 2)
    suggested = tuple(map(WorkerName, ["a.0", "b.1", "b.0"]))
    assert core.feed(Suggested(0, 1, suggested)) == (Drain(ids("b")),)


def test_half_a_unit_is_no_candidate():
    core = Core()
    core.look(0, [unit(name, size=2) for name in "ab"], 2)
    assert core.feed(Suggested(0, 1, (WorkerName("a.0"), WorkerName("b.0")))) == ()


def test_no_more_units_leave_than_are_too_many():
    core = Core()
    units = fleet("a", "b", "c")
    core.look(0, units, 2)
    assert core.feed(Suggested(0, 1, rank(units, 0))) == (Drain(ids("a")),)


def test_three_workers_of_units_of_two_are_two_units():
    town = Town(Core(), size=2)
    town.units = {u.id: u for u in [unit("first", size=2)]}
    for _ in range(20):
        town.tick(3)
    assert len(town.working) == 2
    assert sum(map(len, town.history)) == 1


# Failed starts


def test_a_failed_launch_backs_off_longer_and_longer():
    core = Core(Rules(retry_delay=1, retry_delay_max=8))
    launches = []
    for tick in range(500):
        now = tick / 10
        if started := of_kind(core.look(now, (), 2, cause="wake-up"), Launch):
            launches.append(now)
            core.finish(now, "launch", started, "failed", "quota exceeded")
    assert [round(b - a) for a, b in pairwise(launches)][:6] == [1, 2, 4, 8, 8, 8]


def test_the_text_of_a_failure_is_shown_while_waiting():
    core = Core(Rules(retry_delay=4))
    core.look(0, (), 1)
    core.finish(1, "launch", ["new-0"], "failed", "quota exceeded")
    assert core.look(2, (), 1) == ()
    assert core.note == "next launch in 3.0 s, after a failure: quota exceeded"
    assert core.look(5, (), 1) == (Launch(ids("new-1")),)
    assert core.note == ""


def test_a_unit_that_failed_is_cleaned_up_and_backs_off_as_well():
    core = Core(Rules(retry_delay=4))
    core.look(0, (), 1)
    core.finish(0, "launch", ["new-0"])
    assert core.look(1, (unit("new-0", "failed", detail="no module named dask"),), 1) == (
        Cancel(ids("new-0"), ended=True),
    )
    assert core.note == "next launch in 4.0 s, after a failure: no module named dask"
    core.finish(1, "cancel", ["new-0"])
    assert core.look(6, (), 1) == (Launch(ids("new-1")),)


def test_units_that_fail_together_are_one_failure():
    core = Core(Rules(retry_delay=2))
    core.look(0, (), 3)
    for i in range(3):
        core.finish(1 + i / 10, "launch", [f"new-{i}"], "failed", "no")
    assert core.look(3, (), 3) == (Launch(ids("new-3", "new-4", "new-5")),)


def test_a_registration_ends_the_back_off():
    core = Core(Rules(retry_delay=60, retry_delay_max=1000))
    core.look(0, (), 2)
    core.finish(0, "launch", ["new-0"])
    core.finish(1, "launch", ["new-1"], "failed", "no")
    assert core.look(2, fleet("new-0", state="requested"), 2) == ()
    assert core.look(3, fleet("new-0"), 2) == (Launch(ids("new-2")),)
    core.finish(4, "launch", ["new-2"], "failed", "no")
    core.look(5, fleet("new-0"), 2)
    assert core.note == "next launch in 59.0 s, after a failure: no"


def test_lost_units_are_replaced_at_once_and_cleaned_up():
    # dask/distributed#3168: also when all of them are lost together.
    core = Core(PATIENT, maximum=2)
    core.look(0, fleet("a", "b"), 2)
    dead = (unit("a", "lost"), unit("b", "lost"))
    assert core.look(1, dead, 2, cause="wake-up") == (
        Cancel(ids("a", "b"), ended=True),
        Launch(ids("new-0", "new-1")),
    )
    assert core.look(2, (*dead, *fleet("new-0", "new-1", state="requested")), 2) == ()


def test_a_clean_up_that_failed_is_tried_again():
    core = Core()
    dead = (unit("a", "lost"),)
    assert core.look(0, dead, 0) == (Cancel(ids("a"), ended=True),)
    core.finish(1, "cancel", ["a"], "failed", "unreachable")
    assert core.look(2, dead, 0) == (Cancel(ids("a"), ended=True),)


def test_the_end_of_a_launch_is_not_taken_for_the_end_of_the_clean_up():
    # One call starts many units: one of them may have failed, and be cleaned up, before the call returns.
    core = Core(Rules(retry_delay=0.5))
    core.look(0, (), 2)
    units = (unit("new-0", "failed"), unit("new-1", "requested"))
    assert core.look(1, units, 1) == (Cancel(ids("new-0"), ended=True),)
    core.finish(2, "launch", ["new-0", "new-1"])
    assert core.look(3, units, 1) == ()


# Draining, and thinking better of it


@pytest.fixture
def draining():
    """Four units of which c and then d have begun to leave."""
    core = Core()
    units = [unit("a", executing=1), unit("b", executing=1), unit("c"), unit("d")]
    busy_d = [*units[:3], evolve(units[3], executing=1)]
    assert core.step(0, busy_d, 3) == (Drain(ids("c")),)
    assert core.step(1, units, 2) == (Drain(ids("d")),)
    return core, units


def test_a_draining_unit_no_longer_counts(draining):
    core, units = draining
    assert core.look(2, units, 2) == ()
    assert counts(core.state, core.state.sample) == Counts(4, 4, 4, draining=2, busy=2)


def test_a_draining_unit_is_not_drained_again(draining):
    core, units = draining
    core.look(2, units, 1)
    assert core.feed(Suggested(2, 2 + 1, rank(units, 0))) == (Drain(ids("a")),)


def test_a_unit_that_is_being_taken_back_no_longer_counts():
    core = Core()
    pending = fleet("p", "q", state="requested")
    assert core.look(0, pending, 1) == (Cancel(ids("q")),)
    assert core.look(1, pending, 1) == ()
    core.finish(1.5, "cancel", ["q"])
    assert core.look(2, pending, 1, begun=1) == ()
    assert core.look(3, pending, 1) == (Cancel(ids("q")),)  # the cluster has it still


def test_recalls_before_it_launches(draining):
    core, units = draining
    assert core.look(2, units, 3) == (Recall(ids("d")),)
    assert core.look(3, units, 5) == (Recall(ids("c")), Launch(ids("new-0")))
    core.finish(4, "drain", ["d"], "recalled")
    core.finish(4, "drain", ["c"], "recalled")
    assert core.look(5, [*units, unit("new-0")], 5) == ()


def test_a_launch_takes_the_place_of_a_unit_that_could_not_be_recalled(draining):
    core, units = draining
    core.look(2, units, 3)
    core.finish(2.5, "recall", ["d"], "refused", "its data has been moved")
    assert core.look(3, units, 3) == (Recall(ids("c")),)
    core.finish(3.5, "recall", ["c"], "refused", "its data has been moved")
    assert core.look(4, units, 3) == (Launch(ids("new-0")),)
    core.finish(4.5, "drain", ["d"])
    core.finish(4.5, "drain", ["c"])
    assert core.look(5, [*units[:2], unit("new-0")], 3) == ()


def test_a_unit_that_has_died_is_not_recalled(draining):
    core, units = draining
    dead = [*units[:3], unit("d", "lost")]
    assert core.look(2, dead, 4) == (Recall(ids("c")), Launch(ids("new-0")))


def test_no_unit_leaves_in_trust_of_a_recall(draining):
    # Whether c and d come back is not known yet: should they not, a and b are all there is.
    core, units = draining
    assert core.look(2, units, 4) == (Recall(ids("d", "c")),)
    a_and_b_are_idle = fleet("a", "b", "c", "d")
    assert core.step(3, a_and_b_are_idle, 2) == ()
    core.finish(3.5, "drain", ["d"], "recalled")
    assert core.step(4, a_and_b_are_idle, 2) == (Drain(ids("a")),)


def test_no_unit_leaves_in_trust_of_a_launch_that_nobody_has_seen():
    core = Core()
    units = fleet("a", "b")
    core.look(0, units, 3)
    assert core.look(1, units, 2) == ()
    assert core.note == "1 may not come, so none leaves yet"
    assert core.look(2, (*units, unit("new-0", "requested")), 2) == (Cancel(ids("new-0")),)


def test_a_refused_drain_puts_the_unit_back_into_service():
    core = Core()
    units = fleet("a", "b")
    core.step(0, units, 1)
    core.finish(0.5, "drain", ["a"], "refused", "holds the only copy of x")
    assert core.last.outcome.detail == "holds the only copy of x"
    assert core.look(1, units, 2, begun=0.2) == ()


def test_after_a_drain_that_was_given_up_a_new_look_decides():
    # It may have gone too far: until a look has shown the unit in service, nothing builds on it.
    core = Core()
    units = fleet("a", "b", "c")
    core.step(0, units, 2)
    core.finish(2, "drain", ["a"], "timed out", "no answer in 60 s")
    assert core.step(2.5, units, 2, cause="interval") == (Drain(ids("a")),)


@pytest.mark.parametrize("begun", [1.5, 2])
def test_a_drain_that_was_given_up_after_the_look_began_is_not_yet_undone(begun):
    core = Core()
    units = fleet("a", "b", "c")
    core.step(0, units, 2)
    core.finish(2, "drain", ["a"], "timed out", "no answer in 60 s")
    assert core.look(2.5, units, 2, begun=begun) == ()
    assert core.last.decision.active == 2


def test_a_unit_that_is_gone_is_not_missed_twice():
    core = Core()
    units = fleet("a", "b")
    core.step(0, units, 1)
    core.finish(2, "drain", ["a"])
    assert core.look(2.5, units, 1, begun=1.5) == ()  # the look still shows it
    assert core.look(3, fleet("b"), 1) == ()
    assert not core.state.flights


# Commands


def test_a_hold_shows_until_it_expires():
    core = Core(PATIENT)
    core.feed(SetHold(0, 3, until=10))
    assert core.look(1, fleet("a"), 1) == (Launch(ids("new-0", "new-1")),)
    assert core.last.decision.reasons == (Reason("hold", 1, 3, "held at 3 for another 9 s"),)
    core.look(10, fleet("a", "new-0", "new-1"), 1)
    assert core.reasons == []
    assert core.state.hold is None


def test_a_hold_can_be_let_go():
    core = Core()
    core.feed(SetHold(0, 3))
    core.look(1, fleet("a", "b", "c"), 1)
    assert core.last.decision.reasons == (Reason("hold", 1, 3, "held at 3 until released"),)
    core.feed(SetHold(2, None))
    assert core.step(3, fleet("a", "b", "c"), 1) == (Drain(ids("a", "b")),)


def test_the_highest_request_that_has_not_expired_is_a_floor():
    core = Core(PATIENT)
    core.feed(AddRequest(0, 4, until=5))
    core.feed(AddRequest(0, 2, until=20))
    units = fleet("a", "b", "c", "d")
    core.look(1, units, 1)
    assert core.last.decision.reasons == (Reason("request", 1, 4, "requested at least 4 for another 4 s"),)
    core.step(5, units, 1)
    assert core.reasons == [("request", 1, 2)]
    core.step(20, units, 1)
    assert core.reasons == []
    core.step(21, units, 4)
    assert not core.state.floors


def test_a_request_stays_below_the_maximum():
    core = Core(maximum=3)
    core.feed(AddRequest(0, 9))
    assert len(of_kind(core.look(1, (), 0), Launch)) == 3
    assert core.reasons == [("request", 0, 9), ("maximum", 9, 3)]


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [("both", False, False), ("growing", False, True), ("shrinking", True, False)],
)
def test_pause_in_one_direction_or_both(direction, up, down):
    core = Core()
    core.feed(SetPause(0, direction, paused=True))
    assert bool(core.step(1, fleet("a"), 2)) == up
    assert core.reasons == ([] if up else [("pause", 2, 1)])
    core = Core()
    core.feed(SetPause(0, direction, paused=True))
    assert bool(core.step(1, fleet("a", "b"), 1)) == down
    core.feed(SetPause(2, "both", paused=False))
    assert core.step(3, fleet("a", "b", "c"), 1)


def test_new_limits_take_effect_with_the_next_look():
    core = Core(minimum=1, maximum=2)
    units = fleet("a", "b")
    core.look(0, units, 5)
    assert core.reasons == [("maximum", 5, 2)]
    assert core.feed(SetLimits(0.5, maximum=3)) == ()
    assert core.look(1, units, 5) == (Launch(ids("new-0")),)
    core.feed(SetLimits(1.5, minimum=3))
    core.look(2, (*units, unit("new-0")), 0)
    assert core.reasons == [("minimum", 0, 3)]
    assert core.state.maximum == 3


def test_a_request_takes_nothing_away():
    core = Core()
    core.feed(AddRequest(0, 2))
    assert core.look(1, fleet("a", "b", "c"), 3) == ()
    assert core.reasons == []


def test_the_maximum_has_the_last_word():
    core = Core(minimum=5, maximum=3)
    assert len(of_kind(core.look(0, (), 0), Launch)) == 3
    assert core.reasons == [("minimum", 0, 5), ("maximum", 5, 3)]


def test_a_failed_look_holds_and_patience_begins_anew():
    core = Core(PATIENT)
    pending = fleet("p", state="requested")
    core.step(0, pending, 0)
    core.step(1, pending, 0)
    assert core.feed(SampleFailed(1.5, "the scheduler does not answer")) == ()
    assert core.last.error == "the scheduler does not answer"
    assert [core.step(t, pending, 0) for t in (2, 3, 4)] == [(), (), (Cancel(ids("p")),)]


def test_an_answer_after_a_failed_look_is_ignored():
    core = Core()
    units = fleet("a", "b")
    core.look(0, units, 0)
    core.feed(SampleFailed(0.5, "the scheduler does not answer"))
    assert core.feed(Suggested(1, 1, rank(units, 0))) == ()


def test_after_stop_nothing_begins_but_the_dead_are_cleaned_up():
    core = Core()
    core.feed(Stop(0, "the cluster is closed"))
    assert core.look(1, (*fleet("a", "b"), unit("c", "lost")), 0) == (Cancel(ids("c"), ended=True),)
    assert core.note == "the cluster is closed"
    assert core.look(2, (), 5) == ()
