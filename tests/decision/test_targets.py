"""What `load_of` asks for, one reason at a time, and that its answers come to rest."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.model import TaskClass, Work
from trio_adaptive.decision.targets import load_of

GIB = 2**30


def class_of(needs="GPU=1", *, capable=0, waiting=0, processing=0, busy=0, seconds=0.0, placed=False):
    resources = {} if placed else {needs.partition("=")[0]: float(needs.partition("=")[2])}
    return TaskClass(needs, resources, placed, capable, waiting, processing, busy, seconds)


def asked(work, offers=None, target_duration=5):
    return load_of(work, target_duration, offers).target


# Dask's rule


@pytest.mark.parametrize(
    ("work", "target"),
    [
        (Work(), 0),
        (Work(queued=100, seconds=50), 10),
        (Work(queued=1, seconds=0.0), 1),  # no worker, but work: at least one
        (Work(waiting=3, seconds=1000), 3),  # never more than tasks
        (Work(workers=2, threads=8, queued=100, seconds=100), 5),  # 20 threads, four in a worker
        (Work(workers=30, threads=30, queued=31, seconds=1000), 31),  # in floating point it would be 32
        (Work(workers=4, busy=3, threads=4, processing=3, seconds=0.1), 3),  # who works stays
        (Work(workers=10, busy=3, threads=10, processing=30, seconds=40), 8),  # dask/distributed#4471
    ],
)
def test_the_work_divided_by_the_target_duration(work, target):
    assert asked(work) == target


# Classes: dask/distributed#2118, dask/distributed#1851


def test_what_no_worker_could_run_buys_nothing_and_is_named():
    gpu = class_of(waiting=200, seconds=1000)
    work = Work(waiting=200, seconds=1000, classes=(gpu,))
    load = load_of(work, 5, {})
    assert load.target == 0
    assert load.blocked == ("200 tasks need GPU=1, which no worker has and no new one would have",)


def test_what_no_worker_could_run_takes_nothing_from_the_rest():
    gpu = class_of(waiting=200, seconds=1000)
    assert asked(Work(queued=100, waiting=200, seconds=1050, classes=(gpu,)), {}) == 10


def test_what_a_new_worker_could_run_counts():
    gpu = class_of(waiting=200, seconds=1000)
    load = load_of(Work(waiting=200, seconds=1000, classes=(gpu,)), 5, {"GPU": 1})
    assert (load.target, load.blocked) == (200, ())
    assert asked(Work(waiting=200, seconds=1000, classes=(class_of("GPU=2", waiting=200),)), {"GPU": 1}) == 0


@pytest.mark.parametrize(("gpus", "target"), [(1, 20), (2, 10), (100, 3)])
def test_a_worker_runs_only_as_many_at_once_as_it_has_of_the_resource(gpus, target):
    gpu = class_of(capable=2, waiting=18, processing=2, busy=2, seconds=100)
    work = Work(workers=2, busy=2, threads=16, processing=2, waiting=18, seconds=100.0, classes=(gpu,))
    load = load_of(work, 5, {"GPU": gpus})
    assert load.target == target
    assert (f"of which a worker can do {gpus} at once" in load.why) == (gpus < 8)
    assert asked(work) == 3  # where nobody knows, as Dask does


def test_tenths_of_a_resource_fit_ten_times():
    tenth = class_of("GPU=0.1", waiting=100, seconds=1000)
    assert asked(Work(workers=1, threads=100, waiting=100, seconds=1000, classes=(tenth,)), {"GPU": 1}) == 10


def test_where_nobody_knows_what_a_new_worker_has_the_present_ones_are_taken_for_it():
    gpu = class_of(capable=1, processing=20, busy=1, seconds=100)
    assert asked(Work(workers=2, busy=1, threads=2, processing=20, seconds=100, classes=(gpu,))) == 20


def test_where_nobody_knows_one_worker_shows_it_and_stays():
    gpu = class_of(waiting=200, seconds=1000)
    first = load_of(Work(waiting=200, seconds=1000, classes=(gpu,)), 5, None)
    assert (first.target, first.blocked) == (1, ())
    assert first.why == "only a worker can show whether it has GPU=1"
    then = load_of(Work(workers=1, threads=1, waiting=200, seconds=1000, classes=(gpu,)), 5, None)
    assert (then.target, then.blocked) == (1, ("200 tasks need GPU=1, which no worker has",))


def test_what_only_present_workers_can_run_keeps_them_and_buys_none():
    # dask/distributed#4471: 20 tasks for the first worker, which alone has what they need.
    gpu = class_of(capable=1, processing=20, busy=1, seconds=100)
    work = Work(workers=1, busy=1, threads=1, processing=20, seconds=100, classes=(gpu,))
    assert asked(work, {}) == 1
    more = load_of(evolve(work, queued=40, seconds=120.0), 5, {})
    assert more.target == 5
    assert "1 worker beside, busy with what no new one could run" in more.why


def test_the_rest_asks_for_no_more_than_its_own_tasks():
    gpu = class_of(capable=1, processing=20, busy=1, seconds=100)
    work = Work(workers=1, busy=1, threads=1, processing=20, queued=1, seconds=1100, classes=(gpu,))
    assert asked(work, {}) == 2


def test_what_is_about_to_run_on_present_workers_keeps_one():
    assert asked(Work(workers=3, threads=3, waiting=5, classes=(class_of(capable=1, waiting=5),)), {}) == 1


def test_a_worker_with_several_classes_is_kept_once():
    classes = tuple(class_of(f"R{i}=1", capable=1, processing=1, busy=1) for i in range(5))
    assert asked(Work(workers=2, busy=1, threads=16, processing=5, classes=classes), {}) == 2


@pytest.mark.parametrize("offers", [None, {}, {"GPU": 1}])
def test_work_that_is_bound_to_a_place_buys_no_worker(offers):
    bound = class_of("host 10.0.0.7", waiting=1, seconds=1000, placed=True)
    load = load_of(Work(workers=1, threads=1, waiting=1, seconds=1000, classes=(bound,)), 5, offers)
    assert load.target == 0
    assert load.blocked == (
        "1 task needs host 10.0.0.7, which no worker has, and none is started for a certain place",
    )
    there = evolve(bound, capable=1, waiting=0, processing=1, busy=1)
    work = Work(workers=1, busy=1, threads=1, processing=1, seconds=1000, classes=(there,))
    assert (asked(work, offers), load_of(work, 5, offers).blocked) == (1, ())


# Memory: dask/distributed#6826, dask/distributed#4397


@pytest.mark.parametrize(
    ("workers", "stored", "limit", "target"),
    [
        (10, 70, 100, 12),  # not 20
        (12, 70, 120, 12),
        (10, 60, 100, 10),
        (20, 70, 200, 14),  # shrinks as far as leaves twice the memory, as Dask does
        (14, 70, 140, 14),
        (4, 1, 0, 1),  # no limit: Dask keeps all four
        (4, 1, 400 * GIB, 1),
        (0, 1, 0, 1),
    ],
)
def test_stored_data_keeps_the_workers_that_it_needs(workers, stored, limit, target):
    assert asked(Work(workers=workers, threads=workers, stored=stored, memory_limit=limit)) == target


def test_the_larger_of_work_and_data_counts_and_is_the_reason():
    work = Work(workers=10, threads=10, stored=70 * GIB, memory_limit=100 * GIB, queued=100, seconds=50.0)
    load = load_of(work, 5, None)
    assert (load.target, load.why) == (12, "70.0 GiB of results are stored")
    load = load_of(evolve(work, seconds=100.0), 5, None)
    assert (load.target, load.why) == (20, "100 tasks, 100.0 s of work, to be done in 5 s")


# Scattering: dask/distributed#6686


def test_data_that_waits_for_a_worker_gets_one():
    load = load_of(Work(scatters=3), 5, None)
    assert (load.target, load.why) == (1, "data waits for a worker to be put on")
    assert asked(Work(scatters=3, queued=100, seconds=50)) == 10


# Coming to rest


@st.composite
def works(draw):
    """A fleet of equal workers with some work, classes of it, and data."""
    threads, limit = draw(st.integers(1, 8)), draw(st.sampled_from([0, 7, 1000, 4 * GIB]))
    workers = draw(st.integers(0, 40))
    classes = tuple(
        class_of(f"R{i}=1", capable=draw(st.integers(0, workers)), waiting=n, seconds=n * 0.7, placed=placed)
        for i, (n, placed) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=3))
        )
    )
    waiting = sum(each.waiting for each in classes)
    queued, stored = draw(st.integers(0, 200)), draw(st.floats(0, 3))
    return Work(
        workers=workers,
        threads=workers * threads,
        queued=queued,
        waiting=waiting,
        seconds=queued * draw(st.floats(0, 10)) + waiting * 0.7,
        stored=int(stored * limit * workers) if limit else draw(st.integers(0, 9)) * bool(workers),
        memory_limit=workers * limit,
        classes=classes,
    ), (threads, limit)


@given(works(), st.none() | st.just({"R0": 2.0}), st.sampled_from([0.1, 5, 60]))
def test_constant_work_comes_to_a_constant_size(made, offers, target_duration):
    # Workers come and go as asked for and are like those that there are; the work waits meanwhile.
    work, (threads, limit) = made
    sizes = [work.workers]
    for _ in range(6):
        sizes.append(asked(work, offers, target_duration))
        work = evolve(
            work,
            workers=sizes[-1],
            threads=sizes[-1] * threads,
            memory_limit=sizes[-1] * limit,
            classes=tuple(evolve(each, capable=min(each.capable, sizes[-1])) for each in work.classes),
        )
    assert len(set(sizes[-2:])) == 1


@given(works(), st.none() | st.just({"R0": 2.0}))
def test_there_are_never_more_than_tasks_and_data_need(made, offers):
    work, _ = made
    least = load_of(evolve(work, queued=0, waiting=0, seconds=0.0, classes=()), 5, None).target
    assert asked(work, offers) <= max(work.queued + work.waiting, least)
