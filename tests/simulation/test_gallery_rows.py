"""Scenes that users have complained of, on the model of a cluster: the decision alone, whatever the policy.

The same scenes on real clusters are in tests/gallery. What asks for resources (dask/distributed#4471) has no model; its
decision is in tests/decision/test_targets.py.
"""

from __future__ import annotations

import pytest

from trio_adaptive.decision.limits import Limits
from trio_adaptive.decision.model import Cancel, Drain, Launch, Sampled
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.simple import Count, Dask, Demand
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.model import Task, make_workload

POLICIES = [Demand(), Adaptive(), Dask(), Count()]
NAMES = ["demand", "adaptive", "dask", "count"]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=NAMES)


def tasks(number, duration, at=0.0):
    return [Task(f"{at:g}-{i}", at, duration) for i in range(number)]


def course(rows, setup):
    """The looks, each with its decision, and the run."""
    looks = []

    def watch(event, _, record):
        if record.decision is not None:
            looks.append((event, record.decision))

    run = simulate(make_workload("scene", rows), setup, watch)
    assert run.finished
    return looks, run


def of_kind(looks, kind):
    return [action for _, decision in looks for action in decision.actions if isinstance(action, kind)]


@every_policy
def test_no_worker_is_lost_in_a_pause_shorter_than_the_idle_timeout(policy):
    """dask/dask-jobqueue#701, dask/dask-kubernetes#819: 8-0-5-0-5-0 workers."""
    rows = [task for at in (0, 15, 30) for task in tasks(40, 1.0, at)]
    rules = Rules(idle_timeout=30.0)
    looks, run = course(rows, Setup(policy, Hardware(startup=2), maximum=8, rules=rules))
    left = [event.at for event, decision in looks if any(isinstance(a, Drain) for a in decision.actions)]
    assert run.account.ended > 30
    assert min(left) > run.account.ended
    assert run.account.starts <= 8


def test_by_default_the_idle_timeout_is_a_start_at_least():
    rows = [task for at in (0, 20, 40) for task in tasks(40, 1.0, at)]
    looks, run = course(rows, Setup(Demand(), Hardware(startup=12), maximum=8))
    assert run.account.starts == 8
    assert min(e.at for e, d in looks if any(isinstance(a, Drain) for a in d.actions)) > run.account.ended


def test_tasks_of_unknown_length_are_not_overshot():
    """dask/distributed#3516: 2-27-54-107-187 workers over 28 s, where 134 are right."""
    policy = Adaptive(target_duration=60)
    looks, _ = course(tasks(200, 40.0), Setup(policy, Hardware(startup=1), target_duration=60))
    sizes = [(event.at, decision.final) for event, decision in looks]
    assert max(size for _, size in sizes) <= 134 * 1.1
    assert min(at for at, size in sizes if size >= 0.9 * 134) <= 1.5 * 40


@every_policy
@pytest.mark.parametrize("startup", [1.0, 30.0])
def test_at_most_five_workers_for_a_thousand_unknown_tasks(policy, startup):
    """It asked for 100, and three would do; here the policies that go by the number of tasks ask for more."""
    looks, _ = course(tasks(1000, 0.05), Setup(policy, Hardware(startup=startup), maximum=2000))
    before = [d.final for event, d in looks if event.at <= startup]
    assert max(before) <= {"Adaptive": 5, "Demand": 100, "Dask": 100, "Count": 1000}[type(policy).__name__]


@every_policy
def test_a_dip_of_the_demand_costs_no_place_in_the_queue(policy):
    """dask/dask-jobqueue#190: jobs were cancelled that had waited for long."""
    rows = [*tasks(20, 2.0), *tasks(20, 2.0, 55.0)]
    rules = Rules(pending_timeout=120.0)
    looks, run = course(rows, Setup(policy, Hardware(startup=90), minimum=1, maximum=6, rules=rules))
    assert of_kind(looks, Cancel) == []
    assert run.account.starts >= 1


@every_policy
@pytest.mark.parametrize("at_once", [1, 20])
def test_never_more_than_so_many_start_at_once(policy, at_once):
    """dask/dask-kubernetes#733: a thousand were launched in one gather."""
    rules = Rules(limits=Limits(max_launching=at_once))
    looks, run = course(tasks(300, 30.0), Setup(policy, Hardware(startup=5), maximum=1000, rules=rules))
    for event, decision in looks:
        if not isinstance(event, Sampled):
            continue
        launched = sum(len(a.units) for a in decision.actions if isinstance(a, Launch))
        assert event.sample.by_state.get("requested", 0) + launched <= at_once
    assert run.account.starts > at_once
