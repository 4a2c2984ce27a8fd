"""Options that contradict each other or make no sense."""

from __future__ import annotations

import pytest

from trio_adaptive import ConfigurationError, adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.gallery]


class Untouched:
    """A cluster that nobody may scale."""

    def __init__(self):
        self.calls = []

    def target(self):
        self.calls.append("target")
        return 3

    def scale(self, n):
        self.calls.append(n)


WRONG = {
    "minimum": 5,
    "maximum": 2,
    "interval": "soon",
    "wait_count": 1.5,
    "target_duration": -1,
    "maximum_workers": 3,
}


async def test_all_mistakes_are_told_in_one_error_before_anything_starts():
    cluster = Untouched()
    with pytest.raises(ConfigurationError) as caught:
        async with adaptive(cluster, **WRONG):
            pytest.fail("it started")
    told = {mistake.path for mistake in caught.value.mistakes}
    assert told >= {"interval", "wait_count", "target_duration", "maximum_workers", "minimum"}
    assert "minimum is 5, but maximum is 2" in str(caught.value)
    assert cluster.calls == []


@pytest.mark.parametrize(
    "options", [{"maximum": 1.5}, {"minimum": -1}, {"maximum": -1}, {"wait_count": 0}, {"interval": 0}]
)
async def test_a_single_mistake_names_the_option_and_what_is_allowed(options):
    [name] = options
    with pytest.raises(ConfigurationError, match=f"{name}: is .*; allowed: "):
        async with adaptive(Untouched(), **options):
            pytest.fail("it started")


async def test_limits_that_contradict_each_other_are_refused_while_adapting_and_change_nothing():
    async with adaptive(Untouched(), minimum=1, maximum=4, interval=0.1) as scaler:
        with pytest.raises(ConfigurationError):
            scaler.set_limits(minimum=5)
        assert (scaler.statistics().minimum, scaler.statistics().maximum) == (1, 4)
