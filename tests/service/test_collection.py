"""Full garbage collections with many clusters."""

from __future__ import annotations

import gc

import pytest

from trio_adaptive.service.collection import seldom_collected


@pytest.mark.parametrize(("clusters", "factor"), [(0, 1), (1, 1), (20, 20)])
def test_as_many_times_more_seldom_as_there_are_clusters(clusters, factor):
    before = gc.get_threshold()
    with seldom_collected(clusters):
        assert gc.get_threshold() == (*before[:2], before[2] * factor)
    assert gc.get_threshold() == before


def test_as_before_after_an_error():
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), seldom_collected(20):
        raise RuntimeError
    assert gc.get_threshold() == before
