"""Settings that are changed while a scaler runs."""

from __future__ import annotations

import anyio
import attrs
import pytest

from trio_adaptive import adaptive
from trio_adaptive.config import Settings, load_settings
from trio_adaptive.decision.rules import Rules
from trio_adaptive.errors import ConfigurationError, ScalerStoppedError
from trio_adaptive.runtime.changes import LIVE, RULES
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


def value(**options):
    settings = load_settings(options)
    return {name: getattr(settings, name) for name in options}


async def test_what_the_decision_goes_by_counts_at_once():
    cluster = FakeCluster(5)
    async with adaptive(cluster, interval=1, idle_timeout="1 h") as scaler:
        await scaler.wait_for(5)
        cluster.want(1)
        await anyio.sleep(60)
        assert len(cluster.ids()) == 5
        assert scaler.change_settings(value(idle_timeout="2s"), by="me") == ("idle_timeout",)
        await anyio.sleep(20)
        assert len(cluster.ids()) == 1
        (record,) = [record for record in scaler.history if record.kind == "command"]
        assert (record.command.words, record.command.by) == ("idle_timeout is now 2", "me")


async def test_limiters_and_bounds():
    cluster = FakeCluster(20)
    async with adaptive(cluster, interval=1, maximum=4) as scaler:
        await scaler.wait_for(4)
        changed = {**value(maximum=10), **value(rate_up="2 in 10s")}
        assert scaler.change_settings(changed) == ("maximum", "rate_up")
        await anyio.sleep(2)
        assert len(cluster.ids()) == 6
        await anyio.sleep(60)
        assert len(cluster.ids()) == 10


async def test_the_interval():
    cluster = FakeCluster(1)
    async with adaptive(cluster, interval="1 min") as scaler:
        await scaler.wait_for(1)
        scaler.change_settings(value(interval=2.0, min_interval=0.05))
        await anyio.sleep(120)
        before = len(cluster.times("look"))
        await anyio.sleep(20)
        assert len(cluster.times("look")) - before in {9, 10, 11}


async def test_the_policy():
    cluster = FakeCluster(7)
    async with adaptive(cluster, interval=1) as scaler:
        await scaler.wait_for(7)
        scaler.change_settings(value(policy="fixed:3"))
        assert scaler.settings.policy == "fixed:3"
        await anyio.sleep(1)
        assert scaler.statistics().policy == "fixed:3"


async def test_what_is_read_only_at_the_beginning_is_left_out():
    async with adaptive(FakeCluster(), minimum=1) as scaler:
        changed = {**value(minimum=2), **value(name="blue"), **value(journal="x.jsonl")}
        assert scaler.change_settings(changed) == ("minimum",)
        assert scaler.settings.name == ""


async def test_nothing_is_changed_where_something_is_wrong():
    async with adaptive(FakeCluster(), maximum=4) as scaler:
        with pytest.raises(ConfigurationError):
            scaler.change_settings({"minimum": 5, "idle_timeout": 3.0})
        assert scaler.settings.idle_timeout is None
        with pytest.raises(ConfigurationError):
            scaler.change_settings({"policy": "no_such:Policy", "idle_timeout": 3.0})
        assert scaler.settings.idle_timeout is None
    with pytest.raises(ScalerStoppedError):
        scaler.change_settings({"idle_timeout": 3.0})


def test_every_option_is_either_live_or_read_once():
    names = {field.name for field in attrs.fields(Settings)}
    assert names >= LIVE
    assert {field.name for field in attrs.fields(Rules)} - {"limits", "retry_jitter"} <= RULES
    assert {"name", "journal", "driver", "on_exit", "worker_key"} <= names - LIVE
