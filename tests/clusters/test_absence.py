"""When a unit counts as lost."""

from __future__ import annotations

import pytest

from trio_adaptive.clusters.absence import Absences


class Process:
    """What a cluster has started."""


@pytest.fixture
def absences():
    return Absences(15.0)


@pytest.fixture
def process():
    return Process()


def test_one_that_has_never_come_is_waited_for(absences, process):
    for now in (0.0, 100.0, 1e6):
        assert absences.since("a", process, now, here=False) is None


def test_one_that_does_not_come_back_is_lost(absences, process):
    absences.since("a", process, 0.0, here=True)
    assert absences.since("a", process, 100.0, here=False) is None
    assert absences.since("a", process, 114.9, here=False) is None
    assert absences.since("a", process, 115.0, here=False) == 15.0


def test_one_that_comes_back_in_time_starts_anew(absences, process):
    absences.since("a", process, 0.0, here=True)
    absences.since("a", process, 1.0, here=False)
    absences.since("a", process, 10.0, here=True)
    assert absences.since("a", process, 20.0, here=False) is None
    assert absences.since("a", process, 34.0, here=False) is None
    assert absences.since("a", process, 35.0, here=False) == 15.0


def test_a_new_start_is_waited_for_as_a_new_one(absences, process):
    absences.since("a", process, 0.0, here=True)
    absences.since("a", process, 1.0, here=False)
    again = Process()
    for now in (17.0, 100.0):
        assert absences.since("a", again, now, here=False) is None


def test_one_whose_process_the_cluster_has_dropped_is_lost(absences, process):
    absences.since("a", process, 0.0, here=True)
    absences.since("a", None, 1.0, here=False)
    assert absences.since("a", None, 16.0, here=False) == 15.0


def test_it_keeps_nothing_alive_and_forgets(absences, process):
    absences.since("a", process, 0.0, here=True)
    absences.forget("a")
    assert absences.since("a", process, 100.0, here=False) is None
