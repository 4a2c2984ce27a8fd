"""The bounds hold for every schedule: compared with brute force, and with what the simulator gets."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.decision.targets.simple import Fixed
from trio_adaptive.simulation.bounds import (
    cheapest_without_waiting,
    least_cost,
    least_cost_with_waiting,
    least_makespan,
    least_mean_response,
)
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.model import Task, make_workload

VALUES = st.sampled_from([1.0, 1.5, 2.0, 5.0])
STARTUPS = st.sampled_from([0.5, 2.0, 7.0])
INDEPENDENT = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), min_size=1, max_size=4)


def workload_of(pairs):
    return make_workload("small", [Task(f"t{i}", at, took) for i, (at, took) in enumerate(pairs)])


def matching_by_hand(workload, startup, value):
    """All ways to let starts follow ends, the dearest way to write the same thing."""
    tasks = workload.tasks
    ends = [task.submit + task.duration for task in tasks]
    best = math.inf
    for chosen in itertools.product([None, *range(len(tasks))], repeat=len(tasks)):
        taken = [end for end in chosen if end is not None]
        if len(set(taken)) < len(taken):
            continue
        cost = 0.0
        for task, end in zip(tasks, chosen, strict=True):
            if end is None:
                cost += startup
            else:
                gap = task.submit - ends[end]
                cost += gap if gap > 0 else (value - 1) * -gap
        best = min(best, cost)
    return workload.work + max(startup, best)


def best_schedule(workload, startup, value):
    """The least cost with waiting over all assignments of tasks to workers, orders, and moments of starting.

    Workers are requested so that they stand ready when their first task begins, tasks begin as soon as they can or are put off
    until the worker's next one would have to wait: those are the corners of a linear programme.
    """
    tasks = workload.tasks
    best = math.inf
    for order in itertools.permutations(range(len(tasks))):
        for cuts in itertools.product([False, True], repeat=len(tasks) - 1):
            cost, chain = 0.0, [order[0]]
            for cut, number in zip(cuts, order[1:], strict=True):
                if cut:
                    cost += _best_chain([tasks[i] for i in chain], startup, value)
                    chain = []
                chain.append(number)
            best = min(best, cost + _best_chain([tasks[i] for i in chain], startup, value))
    return best


def _best_chain(chain, startup, value):
    """One worker does these in this order: the first one is put off by each amount that could be worth it."""
    starts = [0.0]
    for task in chain:
        starts.append(starts[-1] + task.duration)
    delays = {
        max(0.0, task.submit - chain[0].submit - start) for task, start in zip(chain, starts, strict=False)
    }
    best = math.inf
    for delay in {0.0, *delays}:
        now, waited = chain[0].submit + delay, 0.0
        began = now
        for task in chain:
            now = max(now, task.submit)
            waited += now - task.submit
            now += task.duration
        best = min(best, startup + now - began + value * waited)
    return best


@settings(max_examples=150)
@given(pairs=INDEPENDENT, startup=STARTUPS, value=VALUES)
def test_the_flow_is_the_cheapest_matching(pairs, startup, value):
    workload = workload_of(pairs)
    found = least_cost_with_waiting(workload, startup, value)
    assert found == pytest.approx(matching_by_hand(workload, startup, value))


@settings(max_examples=100)
@given(pairs=INDEPENDENT, startup=STARTUPS, value=VALUES)
def test_no_schedule_costs_less(pairs, startup, value):
    workload = workload_of(pairs)
    best = best_schedule(workload, startup, value)
    assert least_cost_with_waiting(workload, startup, value) <= best + 1e-9
    assert least_cost(workload, startup) <= best + 1e-9


def test_the_bound_is_reached_where_it_can_be():
    # Two tasks far apart are two starts, two close ones share a worker.
    assert least_cost_with_waiting(workload_of([(0, 9), (100, 9)]), 5, 2) == 18 + 10
    assert least_cost_with_waiting(workload_of([(0, 9), (12, 9)]), 5, 2) == 18 + 5 + 3
    assert (
        least_cost_with_waiting(workload_of([(0, 9), (8, 9)]), 5, 2) == 18 + 5 + 1
    )  # the second waits for 1 s


GRAPHS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9), st.lists(st.integers(0, 5), max_size=2)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=100)
@given(rows=GRAPHS, size=st.integers(1, 4), startup=STARTUPS)
def test_no_run_is_shorter_or_cheaper(rows, size, startup):
    tasks = [
        Task(f"t{i}", at, took, tuple(f"t{d}" for d in deps if d < i))
        for i, (at, took, deps) in enumerate(rows)
    ]
    workload = make_workload("graph", tasks)
    run = simulate(workload, Setup(Fixed(size), Hardware(startup=startup), maximum=size, minimum=size))
    assert run.account.ended >= least_makespan(workload, startup, size) - 1e-9
    assert run.account.cost >= least_cost(workload, startup) - 1e-9


def test_the_makespan_of_a_chain_and_of_a_crowd():
    chain = make_workload("chain", [Task("a", 0, 3), Task("b", 0, 4, ("a",)), Task("c", 9, 1, ("b",))])
    assert least_makespan(chain, 2, 10) == 10  # c comes at 9
    assert least_makespan(chain, 5, 10) == 13
    crowd = workload_of([(0, 1)] * 4)
    assert least_makespan(crowd, 2, 2) == 4


@settings(max_examples=60)
@given(pairs=INDEPENDENT, size=st.integers(1, 3))
def test_no_run_responds_faster(pairs, size):
    workload = workload_of(pairs)
    run = simulate(workload, Setup(Fixed(size), Hardware(startup=0.5), maximum=size, minimum=size))
    mean = (workload.work + run.waited) / len(workload.tasks)
    assert mean >= least_mean_response(workload, size) - 1e-9


@given(pairs=INDEPENDENT, startup=STARTUPS)
def test_without_waiting_each_level_pays_for_itself(pairs, startup):
    workload = workload_of(pairs)
    found = cheapest_without_waiting(workload, startup)
    # Waiting that is worth a fortune leaves nothing else.
    assert found >= least_cost_with_waiting(workload, startup, 1e6) - 1e-6
    assert found <= workload.work + startup * len(workload.tasks) + 1e-9
