"""The text that Prometheus reads: its values are the scaler's, its names and help texts are complete."""

from __future__ import annotations

import math

import anyio
import pytest
import trio
from attrs import evolve
from metrics_kit import lived, values_of
from prometheus_client.parser import text_string_to_metric_families

from trio_adaptive import adaptive
from trio_adaptive.decision.limiters import LIMITERS
from trio_adaptive.service.metrics.collector import METRICS
from trio_adaptive.service.metrics.exposition import exposition, text_of
from trio_adaptive.service.metrics.happened import DURATIONS
from trio_adaptive.service.metrics.snapshot import snapshot
from trio_adaptive.testing import FakeCluster


@pytest.mark.anyio
async def test_sizes_target_and_bounds():
    values = values_of(text_of(await lived()))
    states = ("planned", "starting", "busy", "idle", "draining")
    sizes = {state: values["trio_adaptive_workers", "first", state] for state in states}
    assert sum(sizes.values()) == 3
    assert values["trio_adaptive_wanted_workers", "first"] == 5
    assert values["trio_adaptive_target_workers", "first"] == 3
    assert values["trio_adaptive_minimum_workers", "first"] == 1
    assert values["trio_adaptive_maximum_workers", "second"] == math.inf
    assert values["trio_adaptive_requested_workers", "first"] == 2
    assert ("trio_adaptive_held_workers", "first") not in values


@pytest.mark.anyio
async def test_the_target_is_told_before_and_after_each_limiter():
    values = values_of(text_of(await lived()))
    before = {
        k[2]: v for k, v in values.items() if k[:2] == ("trio_adaptive_limiter_before_workers", "first")
    }
    after = {k[2]: v for k, v in values.items() if k[:2] == ("trio_adaptive_limiter_after_workers", "first")}
    assert (before["minimum"], after["minimum"]) == (5, 5)
    assert (before["maximum"], after["maximum"]) == (5, 3)
    assert (before["pause again"], after["pause again"]) == (3, 3)
    assert list(before)[-1] == "pause again"
    assert len(before) == len(after) == len(LIMITERS)


@pytest.mark.anyio
async def test_what_has_happened():
    values = values_of(text_of(await lived()))
    assert values["trio_adaptive_launches_total", "first", "registered"] == 4
    assert values["trio_adaptive_launches_total", "first", "failed"] == 0
    assert values["trio_adaptive_lost_units_total", "first"] == 1
    assert values["trio_adaptive_commands_total", "first", "AddRequest"] == 1
    assert values["trio_adaptive_startup_seconds_count", "first"] == 4
    assert values["trio_adaptive_startup_seconds_sum", "first"] == pytest.approx(8, abs=0.5)
    assert values["trio_adaptive_startup_seconds_bucket", "first", "0.5"] == 0
    assert values["trio_adaptive_startup_seconds_bucket", "first", "+Inf"] == 4
    assert values["trio_adaptive_decisions_total", "first", "grow", "maximum"] >= 1


@pytest.mark.anyio
async def test_how_it_is_doing():
    values = values_of(text_of(await lived()))
    stages = {k[2]: v for k, v in values.items() if k[:2] == ("trio_adaptive_stage", "first")}
    assert stages == {"created": 0, "running": 1, "stopping": 0, "stopped": 0}
    assert values["trio_adaptive_breaker", "first", "closed"] == 1
    assert values["trio_adaptive_policy", "second", "fixed:2"] == 1
    assert ("trio_adaptive_journal_writing", "first") not in values
    assert ("trio_adaptive_lease_held", "first") not in values
    assert values["process_cpu_seconds_total",] > 0


@pytest.mark.anyio
async def test_a_journal_that_is_not_being_written():
    first, _ = await lived()
    broken = evolve(first, journal_lost=7, statistics=evolve(first.statistics, journal="the disk is full"))
    values = values_of(text_of([broken]))
    assert values["trio_adaptive_journal_writing", "first"] == 0
    assert values["trio_adaptive_journal_lost_records_total", "first"] == 7


def test_a_journal_is_told_of_where_there_is_one(tmp_path):
    values = values_of(trio.run(_with_a_journal, str(tmp_path / "journal")))
    assert values["trio_adaptive_journal_writing", "only"] == 1
    assert values["trio_adaptive_journal_lost_records_total", "only"] == 0


async def _with_a_journal(path):
    """On the real clock, since the journal has a thread."""
    with anyio.fail_after(30):
        async with adaptive(FakeCluster(1), journal=path) as scaler:
            await scaler.wait_for(1)
            return await exposition({"only": scaler})


@pytest.mark.anyio
async def test_a_lease_that_is_held_and_one_that_is_lost():
    first, second = await lived()
    values = values_of(text_of([evolve(first, holds_lease=True), evolve(second, holds_lease=False)]))
    assert values["trio_adaptive_lease_held", "first"] == 1
    assert values["trio_adaptive_lease_held", "second"] == 0


@pytest.mark.anyio
async def test_every_metric_has_its_help_and_the_label_of_its_cluster():
    text = text_of(await lived()).decode()
    ours = [f for f in text_string_to_metric_families(text) if f.name.startswith("trio_adaptive_")]
    assert {f.name for f in ours} == {
        "trio_adaptive_build_info",
        *(f"trio_adaptive_{each.name.removesuffix('_total')}" for each in (*METRICS, *DURATIONS)),
    }
    assert all(family.documentation.endswith((".", "program.")) for family in ours)
    assert all("cluster" in s.labels for f in ours for s in f.samples if f.name != "trio_adaptive_build_info")


@pytest.mark.anyio
async def test_policies_that_only_advise():
    async with adaptive(FakeCluster(1), policy="fixed:2", shadow=["fixed:5"]) as scaler:
        await scaler.wait_for(2)
        values = values_of(text_of([snapshot("only", scaler)]))
    assert values["trio_adaptive_policy", "only", "fixed:2"] == 1
    assert values["trio_adaptive_shadow_target_workers", "only", "fixed:5"] == 5
    assert ("trio_adaptive_shadow_extra_worker_seconds", "only", "fixed:5") in values


@pytest.mark.anyio
async def test_scrapes_leave_adapting_its_turn():
    cluster = FakeCluster(2)
    async with adaptive(cluster, interval=1) as scaler:
        await scaler.wait_for(2)
        first = values_of(await exposition({"only": scaler}))
        await anyio.sleep(5)
        second = values_of(await exposition({"only": scaler}))
    looks = ("trio_adaptive_looks_total", "only", "answered")
    assert second[looks] >= first[looks] + 5


@pytest.mark.anyio
async def test_a_name_with_anything_in_it_is_told_as_it_is():
    name = 'a "cluster"\\\nof two lines'
    async with adaptive(FakeCluster(0)) as scaler:
        values = values_of(await exposition({name: scaler}))
    assert ("trio_adaptive_minimum_workers", name) in values
