"""What a program tells the scaler while it runs."""

from __future__ import annotations

import anyio
import pytest
from scenes import AT_ONCE, at, kinds, running, until

from trio_adaptive import Adaptive, ConfigurationError, ScalerStoppedError
from trio_adaptive.decision.model import Stop
from trio_adaptive.decision.policy import Advice
from trio_adaptive.decision.state import Hold
from trio_adaptive.journal.words import command_in_words, in_words
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio

COMMANDS = [
    lambda scaler: scaler.hold(1),
    lambda scaler: scaler.hold(None),
    lambda scaler: scaler.request(1),
    lambda scaler: scaler.pause(),
    lambda scaler: scaler.resume(),
    lambda scaler: scaler.set_limits(1, 2),
    lambda scaler: scaler.use_policy("count"),
]


@pytest.mark.parametrize("command", COMMANDS)
async def test_commands_before_and_after_running_are_refused(command):
    scaler = Adaptive(FakeCluster())
    with pytest.raises(ScalerStoppedError, match="not running"):
        command(scaler)
    scaler.stop()  # stops nothing
    async with running(FakeCluster()) as scaler:
        command(scaler)
    with pytest.raises(ScalerStoppedError, match="not running"):
        command(scaler)
    scaler.stop()


async def test_a_request_is_a_floor_that_expires():
    cluster = FakeCluster(1)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        now = anyio.current_time()
        scaler.request(4, for_="10s")
        scaler.request(2, for_=20)
        await scaler.wait_for(4)
        assert anyio.current_time() - now < 0.2
        assert scaler.statistics().floor.n == 4
        assert scaler.statistics().reasons == ("request: requested at least 4 for another 10 s",)
        await at(now + 9.9)
        assert len(cluster.ids()) == 4
        await until(lambda: len(cluster.ids()) == 2)
        assert anyio.current_time() - now == pytest.approx(11, abs=1)
        assert scaler.statistics().floor.n == 2
        await until(lambda: len(cluster.ids()) == 1)
        assert anyio.current_time() - now == pytest.approx(21, abs=1)
        assert scaler.statistics().floor is None
        assert kinds(scaler).count("command") == 2


async def test_a_size_can_be_held():
    cluster = FakeCluster(3)
    async with running(cluster, maximum=5, **AT_ONCE) as scaler:
        scaler.hold(1, for_=60)
        await scaler.wait_for(1)
        hold = scaler.statistics().hold
        assert hold == Hold(1, until=hold.until)
        cluster.want(0)
        await anyio.sleep(30)
        assert len(cluster.ids()) == 1
        assert (scaler.statistics().wanted, scaler.statistics().target) == (0, 1)
        scaler.hold(100)
        await scaler.wait_for(5)
        assert "maximum: maximum 5" in scaler.statistics().reasons
        scaler.hold(None)
        await until(lambda: not cluster.ids())
        assert scaler.statistics().hold is None


async def test_a_hold_expires():
    cluster = FakeCluster(3)
    async with running(cluster) as scaler:
        scaler.hold(1, for_=60)
        begun = anyio.current_time()
        await scaler.wait_for(3)
        assert anyio.current_time() - begun == pytest.approx(60, abs=1)
        assert scaler.statistics().hold is None


async def test_one_direction_can_be_paused():
    cluster = FakeCluster(2)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        scaler.pause("growing")
        cluster.want(5)
        await anyio.sleep(5)
        assert len(cluster.ids()) == 2
        assert scaler.statistics().paused == ("growing",)
        assert scaler.statistics().reasons == ("pause: growing is paused",)
        scaler.pause("shrinking")
        cluster.want(0)
        await anyio.sleep(5)
        assert len(cluster.ids()) == 2
        assert scaler.statistics().paused == ("growing", "shrinking")
        scaler.resume("shrinking")
        await until(lambda: not cluster.ids())
        cluster.want(3)
        scaler.resume()
        await scaler.wait_for(3)
        assert scaler.statistics().paused == ()
        scaler.pause()
        await at(anyio.current_time())
        assert scaler.statistics().paused == ("growing", "shrinking")


async def test_limits_can_be_changed():
    cluster = FakeCluster(3)
    async with running(cluster, maximum=10, **AT_ONCE) as scaler:
        await scaler.wait_for(3)
        now = anyio.current_time()
        scaler.set_limits(minimum=5)
        await scaler.wait_for(5)
        assert anyio.current_time() - now < 0.2
        assert (scaler.statistics().minimum, scaler.statistics().maximum) == (5, 10)
        scaler.set_limits(1, 2)
        await until(lambda: len(cluster.ids()) == 2)
        scaler.set_limits(maximum=float("inf"))
        await scaler.wait_for(3)
        assert scaler.settings.maximum == 10  # what it was made with


async def test_the_record_tells_who_has_commanded():
    by = "ann from 10.0.0.7"
    async with running(FakeCluster(), maximum=5) as scaler:
        scaler.pause(by=by)
        scaler.resume(by=by)
        scaler.hold(2, by=by)
        scaler.request(1, by=by)
        scaler.set_limits(1, 3, by=by)
        scaler.use_policy("count", by=by)
        scaler.hold(None)
        assert scaler.stopped_by == ""
        await until(lambda: sum(record.kind == "command" for record in scaler.history) == 7)
        scaler.stop("done", by=by)
        await scaler.wait_stopped()
        commands = [record.command for record in scaler.history if record.command is not None]
        assert scaler.stopped_by == by
    assert [command.by for command in commands] == [by, by, by, by, by, by, "", by]
    assert command_in_words(commands[0]) == "growing and shrinking paused, by ann from 10.0.0.7"
    assert command_in_words(commands[6]) == "no longer held"


async def test_who_has_ended_it_is_known_although_a_cancellation_was_faster():
    scaler = Adaptive(FakeCluster())
    async with anyio.create_task_group() as tasks:
        await tasks.start(scaler.run)
        scaler.stop("enough", by="ann")
        tasks.cancel_scope.cancel()
    assert scaler.history[-1].command == Stop(scaler.history[-1].at, "enough", "ann")


async def test_a_listener_hears_every_event_with_its_record():
    heard = []
    async with running(FakeCluster(1)) as scaler:
        scaler.listen(lambda event, record: heard.append((event.at, record)))
        await scaler.wait_for(1)
        assert all(at == record.at for at, record in heard)
        assert [record for _, record in heard] == scaler.history[-len(heard) :]
        assert {record.kind for _, record in heard} >= {"sample", "outcome"}


async def test_another_policy_can_decide():
    cluster = FakeCluster(3)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(3)
        assert scaler.statistics().policy == "demand"
        scaler.use_policy("fixed:5")
        await scaler.wait_for(5)
        assert scaler.statistics().policy == "fixed:5"
        (record,) = [record for record in scaler.history if record.kind == "command"]
        assert in_words(record) == "the policy is now fixed:5"
        assert scaler.history[-1].decision.load.why == "a fixed size of 5"
        scaler.use_policy(f"{__name__}:Seven")
        await scaler.wait_for(7)
        assert scaler.settings.policy == "demand"  # what it was made with


class Seven:
    """A policy of a user's own."""

    def advise(self, view):
        return self, Advice(7, "seven are enough")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (lambda scaler: scaler.use_policy("dusk"), "policy: is 'dusk'.*\"demand\""),
        (lambda scaler: scaler.use_policy(None), "policy: is None"),
        (lambda scaler: scaler.use_policy("no.such:Policy"), "policy: no.such:Policy cannot be made"),
        (lambda scaler: scaler.hold(-1), "n: is -1"),
        (lambda scaler: scaler.hold(1.5), r"n: is 1\.5"),
        (lambda scaler: scaler.hold(True), "n: is True"),
        (lambda scaler: scaler.hold(1, for_="soon"), "for_: is 'soon'"),
        (lambda scaler: scaler.request(1, for_=0), "for_: is 0"),
        (lambda scaler: scaler.request(None), "n: is None"),
        (lambda scaler: scaler.pause("sideways"), "direction: is 'sideways'"),
        (lambda scaler: scaler.set_limits(9, 8), "minimum is 9, but maximum is 8"),
        (lambda scaler: scaler.set_limits(minimum=6), "minimum is 6, but maximum is 5"),
        (lambda scaler: scaler.set_limits(maximum=-1), "maximum: is -1"),
    ],
)
async def test_mistakes_are_refused_and_change_nothing(command, path):
    async with running(FakeCluster(), maximum=5) as scaler:
        with pytest.raises(ConfigurationError, match=path):
            command(scaler)
        await anyio.sleep(2)
        assert "command" not in kinds(scaler)
        assert (scaler.statistics().minimum, scaler.statistics().maximum) == (0, 5)
