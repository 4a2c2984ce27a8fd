"""What every policy keeps to: bounded, at rest under a load that stays, more for more work, the same in any order."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.model import Load, TaskClass, TaskGroup, Work
from trio_adaptive.decision.policy import View
from trio_adaptive.decision.targets import load_of
from trio_adaptive.decision.targets.adaptive import FIRST, Adaptive
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.decision.targets.named import is_policy, named_policy

NAMES = ("demand", "dask", "adaptive", "count", "fixed:7")


def work_of(groups, *, workers=0, threads=1, busy=None, submissions=2):
    """Work made of groups: what runs is spread over as many workers as there are, one after the other."""
    running, ready = sum(g.running for g in groups), sum(g.ready for g in groups)
    return Work(
        workers=workers,
        busy=min(workers, running) if busy is None else busy,
        threads=workers * threads,
        processing=running,
        queued=ready,
        seconds=sum((g.ready + g.running) * max(g.mean, 0.5) for g in groups),
        groups=tuple(groups),
        submissions=submissions,
        submitted=ready + running + sum(g.coming for g in groups),
        finished=sum(g.measured for g in groups),
        finished_seconds=sum(g.measured * g.mean for g in groups),
    )


def view_of(work, at=0.0, **more):
    load = load_of(work, 5, {})
    return View(at, load, registered=more.pop("registered", work.workers), **more)


def group(name="g", **more):
    measured = more.pop("measured", 10)
    return TaskGroup(name, measured=measured, mean=more.pop("mean", 1.0 if measured else 0.0), **more)


groups = st.lists(
    st.builds(
        group,
        ready=st.integers(0, 300),
        running=st.integers(0, 10),
        coming=st.integers(0, 50),
        measured=st.integers(0, 5),
        mean=st.sampled_from([0.01, 1.0, 40.0]),
    ),
    max_size=4,
).map(lambda many: [evolve(each, name=f"g{i}") for i, each in enumerate(many)])
views = st.builds(
    lambda many, workers, threads, starting, startup, submissions: view_of(
        work_of(many, workers=workers, threads=threads, submissions=submissions),
        100.0,
        starting=tuple(100.0 - i for i in range(starting)),
        startups=(startup,),
    ),
    groups,
    st.integers(0, 20),
    st.integers(1, 4),
    st.integers(0, 5),
    st.sampled_from([0.5, 5.0, 60.0]),
    st.integers(1, 5),
)


@given(name=st.sampled_from(NAMES), view=views)
def test_never_more_workers_than_tasks_and_never_fewer_than_none(name, view):
    work = view.load.work
    _, advice = named_policy(name).advise(view)
    here = view.registered + len(view.starting)
    most = max(work.queued + work.processing, here, 7)
    assert 0 <= advice.target <= most + (name == "dask")  # whose floating point may round up what is whole
    assert advice.why


@given(name=st.sampled_from(NAMES), view=views)
def test_a_load_that_stays_gives_a_size_that_stays(name, view):
    # Whatever is asked for comes, and the work does not change: after a while nothing does. For a queue that does not
    # get shorter, whoever comes, `adaptive` goes on buying, a few each time; it never goes back and forth.
    policy = named_policy(name)
    sizes = []
    for step in range(60):
        policy, advice = policy.advise(evolve(view, at=100.0 + 400.0 * step, starting=()))
        sizes.append(advice.target)
        work = evolve(
            view.load.work,
            workers=advice.target,
            threads=advice.target,
            busy=min(advice.target, view.load.work.processing),
        )
        view = evolve(view, load=load_of(work, 5, {}), registered=advice.target)
    settled = sizes[-20:]
    assert settled in (sorted(settled), sorted(settled, reverse=True))
    if name != "adaptive":
        assert len(set(settled)) == 1


@given(view=views, name=st.sampled_from(["demand", "dask", "adaptive", "count"]), more=st.integers(1, 200))
def test_more_tasks_never_ask_for_fewer_workers(view, name, more):
    work = view.load.work
    for at, each in enumerate(work.groups):
        grown = (*work.groups[:at], evolve(each, ready=each.ready + more), *work.groups[at + 1 :])
        seconds = work.seconds + more * max(each.mean, 0.5)
        bigger = evolve(work, groups=grown, queued=work.queued + more, seconds=seconds)
        policy = named_policy(name)
        _, less = policy.advise(view)
        _, advice = policy.advise(evolve(view, load=load_of(bigger, 5, {})))
        if name != "adaptive" or len(work.groups) == 1:  # a mean over kinds may fall with more of a short one
            assert advice.target >= less.target


@given(view=views, name=st.sampled_from(NAMES))
def test_the_order_of_groups_decides_nothing(view, name):
    _, advice = named_policy(name).advise(view)
    turned = evolve(view.load.work, groups=view.load.work.groups[::-1])
    _, again = named_policy(name).advise(evolve(view, load=evolve(view.load, work=turned)))
    assert again.target == advice.target


@pytest.mark.parametrize("name", ["demand", "dask", "adaptive", "count"])
def test_without_the_work_the_target_of_the_load_is_taken(name):
    _, advice = named_policy(name).advise(View(0.0, Load(9, "somebody says so")))
    assert (advice.target, advice.why) == (9, "somebody says so")


# Ours


def test_at_most_five_before_anything_is_known():
    # A thousand tasks of unknown duration on an empty cluster (really 50 ms: three would do).
    policy = named_policy("adaptive")
    work = work_of([group(measured=0, ready=1000)], submissions=1)
    for second in range(10):
        policy, advice = policy.advise(view_of(work, float(second), starting=(0.0,) * 5 if second else ()))
        assert advice.target == FIRST == 5
    running = group(measured=20, mean=0.05, ready=975, running=5)
    _, advice = policy.advise(view_of(work_of([running], workers=5, submissions=1), 10.0, startups=(1.0,)))
    assert 5 <= advice.target <= 10


def test_tasks_of_unknown_long_duration_are_never_overshot():
    # 200 tasks of 40 s, to be done in 60 s: the right size is 134.
    policy = Adaptive(target_duration=60)
    workers, reached = 5, None
    began = [2.0] * 5
    policy, _ = policy.advise(view_of(work_of([group(measured=0, ready=200)], submissions=1)))
    for second in range(3, 62):
        elapsed = tuple(second - at for at in began if second - at < 40)
        done = sum(second - at >= 40 for at in began)
        left = 200 - done - len(elapsed)
        here = group(
            measured=done, mean=40.0 if done else 0.0, ready=left, running=len(elapsed), elapsed=elapsed
        )
        work = work_of([here], workers=workers, submissions=1)
        policy, advice = policy.advise(view_of(work, float(second), startups=(1.0,)))
        assert advice.target <= 134 * 1.1
        began += [float(second)] * max(0, advice.target - workers)
        workers = max(workers, advice.target)
        if advice.target >= 0.9 * 134 and reached is None:
            reached = second
    assert reached is not None
    assert reached <= 60


def test_what_will_be_gone_by_then_buys_nothing():
    # Ten workers will have done the queue in 10 s; a start takes 60 s.
    busy = group(ready=100, running=10, elapsed=(0.5,) * 10)
    view = view_of(work_of([busy], workers=10), 50.0, startups=(60.0,))
    assert Adaptive().advise(view)[1].target == 10
    _, quick = Adaptive().advise(evolve(view, startups=(1.0,)))
    assert quick.target > 10


def test_durations_that_are_remembered_are_used_at_once():
    work = work_of([group(measured=0, ready=400)], submissions=1)
    known = Adaptive(startup=10.0, remembered={"g": Remembered(30.0, 50)})
    assert known.advise(view_of(work))[1].target > 100


def test_a_level_that_is_needed_again_soon_is_kept():
    # Work for four comes for 5 s of every 20 s, and a start takes 30 s: nobody is given back in between.
    policy = Adaptive()
    for minute in range(30):
        at = 20.0 * minute
        busy = work_of([group(running=4, elapsed=(1.0,) * 4)], workers=4, submissions=minute + 2)
        policy, _ = policy.advise(view_of(busy, at, startups=(30.0,)))
        for later in (5.0, 12.0, 19.0):
            idle = view_of(work_of([], workers=4, submissions=minute + 2), at + later, startups=(30.0,))
            policy, advice = policy.advise(idle)
            assert advice.target == 4


def test_a_level_that_is_not_needed_is_given_back_after_a_while():
    policy = Adaptive()
    busy = work_of([group(running=4, elapsed=(1.0,) * 4)], workers=4, submissions=3)
    policy, _ = policy.advise(view_of(busy, 0.0, startups=(30.0,)))
    sizes = []
    for at in range(1, 400):
        policy, advice = policy.advise(
            view_of(work_of([], workers=4, submissions=3), float(at), startups=(30.0,))
        )
        sizes.append(advice.target)
    assert sizes[0] == 4
    assert sizes[-1] == 0
    assert all(a >= b for a, b in itertools.pairwise(sizes))


def test_when_the_only_graph_is_done_everybody_goes():
    policy, _ = Adaptive().advise(
        view_of(work_of([group(running=4)], workers=4, submissions=1), 0.0, startups=(30.0,))
    )
    _, advice = policy.advise(view_of(work_of([], workers=4, submissions=1), 1.0, startups=(30.0,)))
    assert advice.target == 0
    assert advice.cancels


def test_what_a_graph_needs_soon_is_kept():
    after = group("late", coming=50, mean=20.0, after=("first",))
    first = group("first", running=1, elapsed=(9.0,), mean=10.0)
    view = view_of(work_of([first, after], workers=20, submissions=1), 0.0, startups=(30.0,))
    assert Adaptive().advise(view)[1].target == 20
    far = evolve(first, mean=500.0)
    view = view_of(work_of([far, after], workers=20, submissions=1), 0.0, startups=(30.0,))
    assert Adaptive().advise(view)[1].target == 1


def test_other_needs_ask_as_before():
    gpu = TaskClass("GPU=1", {"GPU": 1.0}, False, 0, 8, 0, 0, 40.0)
    work = evolve(work_of([group(ready=8, mean=5.0)], submissions=2), classes=(gpu,))
    load = load_of(work, 5, {"GPU": 1.0})
    assert Adaptive().advise(View(0.0, load, startups=(1.0,)))[1].target == 8
    stored = Work(workers=4, threads=4, stored=100, memory_limit=100, submissions=1)
    assert Adaptive().advise(view_of(stored))[1].target == load_of(stored, 5, {}).target > 4


@pytest.mark.parametrize("name", [*NAMES, "mine:Policy", "a.b:C"])
def test_names_of_policies(name):
    assert is_policy(name)


@pytest.mark.parametrize("name", ["", "best", "fixed", "fixed:x y", ":C", "a:", 3, None])
def test_names_that_are_none(name):
    assert not is_policy(name)


def test_tasks_that_only_present_workers_can_run_buy_none_and_keep_those():
    first = TaskClass("FIRST=1", {"FIRST": 1.0}, False, 1, 0, 20, 1, 2.0)
    work = evolve(work_of([group(running=20)], workers=1, threads=1, submissions=1), classes=(first,))
    assert Adaptive().advise(View(0.0, load_of(work, 5, {}), registered=1))[1].target == 1
    bound = TaskClass("worker 1", {}, True, 1, 0, 1, 1, 0.5)
    work = evolve(work_of([group(running=1)], workers=3, submissions=1), classes=(bound,))
    assert Adaptive().advise(View(0.0, load_of(work, 5, {}), registered=3))[1].target == 1


def test_tasks_in_line_on_workers_are_a_queue():
    # Dask gives tasks to workers beyond their threads; those a new worker could take.
    work = work_of([group(running=400, elapsed=(0.1,) * 4, mean=10.0)], workers=4, submissions=3)
    assert Adaptive().advise(view_of(work, 50.0, startups=(5.0,)))[1].target > 50
