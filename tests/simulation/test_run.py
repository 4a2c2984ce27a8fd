"""The simulator: its accounts by hand, its accidents, and that leaving out ticks changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.decision.policy import Advice
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.decision.targets.simple import Count, Dask, Fixed
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.report import report
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.generated import generate
from trio_adaptive.simulation.workloads.model import Task, make_workload

POLICIES = ("dask", "adaptive", "count", "demand", "fixed:3")


def workload_of(*rows):
    return make_workload("small", [Task(f"t{i}", *row) for i, row in enumerate(rows)])


def test_one_task_by_hand():
    # Asked for at 0, there at 4, done at 7; named at 7, 8 and 9, and gone then.
    run = simulate(workload_of((0, 3)), Setup(Dask(), Hardware(startup=4)))
    assert run.finished
    assert run.account.cost == 9
    assert run.waited == 4
    assert run.account.ended == 7
    figures = report("dask", run)
    assert (figures.starts, figures.useless, figures.stretch) == (1, 0, pytest.approx(7 / 3))
    assert figures.regret == pytest.approx((9 + 2 * 4) / (3 + 4))
    assert figures.product == pytest.approx(9 / 7 * 1)


def test_a_start_that_is_not_needed_any_more_costs_what_it_has_taken():
    # The second task would be done by a second worker; the first one does it before that is there.
    workload = workload_of((0, 1), (5.5, 1), (5.5, 1))
    run = simulate(workload, Setup(Count(), Hardware(startup=4), rules=Rules(idle_timeout=0)))
    figures = report("count", run)
    assert (figures.starts, figures.useless) == (2, 0.5)


def test_threads_share_a_worker():
    run = simulate(workload_of(*[(0, 2)] * 4), Setup(Fixed(1), Hardware(startup=1, threads=4), 1, 1))
    assert run.account.ended == 3


def test_what_a_graph_waits_for_comes_first():
    tasks = [Task("a", 0, 2), Task("b", 0, 2, ("a",)), Task("c", 0, 2, ("b",))]
    run = simulate(make_workload("chain", tasks), Setup(Fixed(2), Hardware(startup=1), 2, 2))
    assert run.account.ended == 7
    assert run.waited == 1


@pytest.mark.parametrize(("order", "ended"), [("fifo", 12), ("graph", 10)])
def test_the_order_of_dispatch(order, ended):
    # When c is ready, d has been waiting for longer. In a graph's order c, with its long tail, is first.
    tasks = [
        Task("a", 0, 2),
        Task("c", 0, 2, ("a",)),
        Task("tail", 0, 5, ("c",)),
        Task("b", 0, 3),
        Task("d", 0, 2),
        Task("e", 0, 2),
    ]
    workload = make_workload("graph", tasks)
    run = simulate(workload, Setup(Fixed(2), Hardware(startup=1, order=order), 2, 2))
    assert run.account.ended == ended


def test_results_of_another_worker_have_to_be_fetched_first():
    tasks = [Task("a", 0, 2), Task("b", 0, 2), Task("c", 0, 3, ("a", "b"))]
    workload = make_workload("join", tasks)
    for workers, fetched in ((1, 0), (2, 1)):
        run = simulate(workload, Setup(Fixed(workers), Hardware(startup=1, transfer=0.5), workers, workers))
        began = 1 + 2 * 2 / workers
        assert run.account.ended == began + 0.5 * fetched + 3
        assert run.measured["task"].mean == pytest.approx(7 / 3)  # the data's way is no part of it


def test_a_lost_worker_costs_its_task_a_new_beginning():
    hardware = Hardware(startup=1, lifetime=20, seed=4)
    run = simulate(workload_of(*[(0, 10)] * 12), Setup(Count(), hardware, maximum=4))
    assert run.finished
    assert run.account.starts > 4
    assert run.account.cost > 120


def test_failing_starts_are_tried_again():
    hardware = Hardware(startup=1, failing=0.5, seed=1)
    run = simulate(workload_of(*[(0, 10)] * 4), Setup(Count(), hardware, maximum=4))
    assert run.finished
    assert run.account.useless > 0


def test_a_run_that_would_never_end_is_ended():
    class Nothing:
        def advise(self, view):
            return self, Advice(0, "never")

    run = simulate(workload_of((0, 1)), Setup(Nothing(), limit=100))
    assert not run.finished


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("family", ["trickle", "chains", "tree"])
def test_leaving_out_ticks_changes_nothing(family, policy):
    workload = generate(family, 1)
    for startup in (2.0, 33.0):
        assert _course(workload, policy, startup, skip=True) == _course(workload, policy, startup, skip=False)


@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(st.floats(0, 300), st.floats(0, 60)), min_size=1, max_size=25),
    policy=st.sampled_from(POLICIES),
    startup=st.sampled_from([0.5, 5.0, 40.0]),
)
def test_leaving_out_ticks_changes_nothing_for_any_tasks(rows, policy, startup):
    workload = workload_of(*rows)
    assert _course(workload, policy, startup, skip=True) == _course(workload, policy, startup, skip=False)


def _course(workload, policy, startup, *, skip):
    deeds = []

    def watch(_, __, record):
        if record.decision is not None and record.decision.actions:
            deeds.append((record.at, record.decision.final, record.decision.actions))

    setup = Setup(named_policy(policy), Hardware(startup=startup), maximum=12, skip=skip)
    run = simulate(workload, setup, watch)
    assert run.finished
    # Questions are numbered, and there may be fewer; what counts is what was done.
    done = [(at, final, [a for a in actions if hasattr(a, "units")]) for at, final, actions in deeds]
    return [each for each in done if each[2]], run.account.cost, run.waited


def test_ticks_are_left_out():
    tasks = [Task(f"t{i}", 600.0 * i, 30.0) for i in range(100)]
    run = simulate(make_workload("day", tasks), Setup(named_policy("adaptive")))
    assert run.decisions < 6_000  # of 60 000 ticks


def test_the_same_seed_gives_the_same_run():
    hardware = Hardware(startup=5, startup_sigma=0.5, failing=0.1, lifetime=500, seed=9)
    runs = [simulate(generate("trickle"), Setup(named_policy("adaptive"), hardware)) for _ in range(2)]
    assert runs[0].account.course == runs[1].account.course
