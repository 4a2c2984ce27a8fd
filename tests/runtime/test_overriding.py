"""`target` and `workers_to_close` of a subclass, plain or async, right or wrong."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint
from scenes import AT_ONCE, kinds, running, started, until

from trio_adaptive import Adaptive, ConfigurationError, load_settings
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


class Plain(Adaptive):
    size = 3
    questions: tuple[int, ...] = ()

    def target(self):
        return self.size

    def workers_to_close(self, target):
        self.questions += (target,)
        return sorted(self.cluster.ids("registered"))[: len(self.cluster.ids()) - target]  # the oldest


class Async(Plain):
    async def target(self):
        await checkpoint()
        return float(super().target())

    async def workers_to_close(self, target):
        await checkpoint()
        return tuple(super().workers_to_close(target))


@pytest.mark.parametrize("kind", [Plain, Async])
async def test_both_are_asked(kind):
    cluster = FakeCluster(100)
    async with started(kind(cluster, maximum=10, **AT_ONCE)) as scaler:
        await scaler.wait_for(3)
        assert scaler.sample.load.why == "target() of a class of your own"
        oldest, *others = cluster.ids()
        scaler.size = 2
        await until(lambda: len(cluster.ids()) == 2)
        assert cluster.ids() == others
        assert scaler.questions == (2,)
        assert oldest not in others
    assert cluster.times("target") == cluster.times("suggest") == []


async def test_both_can_ask_what_the_cluster_says():
    class Double(Adaptive):
        async def target(self):
            return 2 * await super().target()

        async def workers_to_close(self, target):
            return list(reversed(await super().workers_to_close(target)))

    cluster = FakeCluster(2)
    async with started(Double(cluster, **AT_ONCE)) as scaler:
        await scaler.wait_for(4)
        cluster.want(1)
        await until(lambda: len(cluster.ids()) == 2)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by zero"), TimeoutError("too slow"), KeyError("worker")]
)
async def test_a_target_that_raises_is_survived_and_told(error):
    class Moody(Plain):
        def target(self):
            if anyio.current_time() < begun + 3:
                raise error
            return 1

    begun = anyio.current_time()
    async with started(Moody(FakeCluster())) as scaler:
        await scaler.wait_for(1)
        assert kinds(scaler)[:4] == ["sample failed"] * 3 + ["sample"]
        assert scaler.history[0].error.startswith("target() ")
        assert str(error) in scaler.history[0].error


@pytest.mark.parametrize("answer", [None, "many", object()])
async def test_a_target_that_is_no_number_is_told(answer):
    class Odd(Plain):
        size = answer

    async with started(Odd(FakeCluster())) as scaler:
        await until(lambda: scaler.statistics().samples_failed == 2)
        assert "target() raised" in scaler.statistics().last_error


@pytest.mark.parametrize("answer", [LookupError("no idea"), None, 5])
async def test_a_choice_that_fails_is_survived_and_told(answer):
    class Moody(Async):
        async def workers_to_close(self, target):
            if self.size == 1:
                if isinstance(answer, Exception):
                    raise answer
                return answer
            return await super().workers_to_close(target)

    cluster = FakeCluster()
    async with started(Moody(cluster, **AT_ONCE)) as scaler:
        await scaler.wait_for(3)
        scaler.size = 1
        await until(lambda: [r.error for r in scaler.history if r.error][2:])
        assert "workers_to_close() raised" in scaler.history[-1].error or scaler.history[-1].error == ""
        assert len(cluster.ids()) == 3
        scaler.size = 2
        await until(lambda: len(cluster.ids()) == 2)
        scaler.size = 4
        await scaler.wait_for(4)


async def test_a_choice_of_workers_that_are_not_there_closes_none():
    class Dreaming(Plain):
        def workers_to_close(self, target):
            return ["nobody", 7]

    cluster = FakeCluster()
    async with started(Dreaming(cluster, **AT_ONCE)) as scaler:
        await scaler.wait_for(3)
        scaler.size = 0
        await anyio.sleep(10)
        assert len(cluster.ids()) == 3


async def test_options_reach_the_cluster():
    class Curious(FakeCluster):
        async def target(self, target_duration):
            self.asked = target_duration
            return await super().target(target_duration)

        async def suggest(self, target, options):
            self.options = options
            return await super().suggest(target, options)

    cluster = Curious(1)
    async with running(cluster, target_duration="30s", worker_key=len, memory_ratio=3, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: not cluster.ids())
    assert cluster.asked == 30
    assert cluster.options == {"memory_ratio": 3, "key": len}


def test_mistakes_raise_when_it_is_made():
    with pytest.raises(ConfigurationError) as caught:
        Adaptive(FakeCluster(), minimum=5, maximum=3, interval="often", wait_counts=2)
    assert {mistake.path for mistake in caught.value.mistakes} == {"minimum", "interval", "wait_counts"}
    with pytest.raises(ConfigurationError, match=r"cluster: a object has no scale\(n\)"):
        Adaptive(object())


def test_an_object_without_target_needs_one_from_the_class():
    class Scalable:
        def scale(self, n):
            pass

    with pytest.raises(ConfigurationError, match=r"cluster: a Scalable has no target\(\)"):
        Adaptive(Scalable())
    Plain(Scalable())


async def test_mistakes_start_nothing():
    cluster = FakeCluster()
    with pytest.raises(ConfigurationError):
        async with running(cluster, minimum=-1):
            pytest.fail("must not be entered")
    assert cluster.calls == []


def test_mistakes_in_the_cluster_and_in_the_options_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Adaptive(object(), minimum=-1, wait=3)
    assert [mistake.path for mistake in caught.value.mistakes] == ["cluster", "wait", "minimum"]


def test_settings_and_single_options_exclude_each_other():
    with pytest.raises(ConfigurationError, match="either settings or single options"):
        Adaptive(FakeCluster(), settings=load_settings({}), maximum=3)
