"""The drop-in and its lease: one after the other on one cluster object, and refused by another program's driver."""

from __future__ import annotations

import logging

import pytest
from distributed import Client
from distributed.utils_test import captured_logger
from dropin_kit import adapt, in_loop, local_cluster, until

from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link

pytestmark = pytest.mark.integration


def probe_of(cluster):
    return cluster.scheduler.plugins.get("trio-adaptive")


@in_loop
async def test_a_second_call_of_adapt_takes_the_place_of_the_first():
    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        with captured_logger("distributed.deploy.adaptive", level=logging.WARNING) as log:
            first = adapt(cluster, maximum=2, interval="50ms", driver="first")
            await until(lambda: probe_of(cluster) and probe_of(cluster).lines.driver == "first")
            second = adapt(cluster, maximum=2, interval="50ms", driver="second")
            await until(lambda: probe_of(cluster) and probe_of(cluster).lines.driver == "second")
            assert (first.state, second.state) == ("stopped", "running")
            assert await client.submit(sum, [1, 2]) == 3
            second.stop()
            await until(lambda: probe_of(cluster) is None)
        assert not log.getvalue()


@in_loop
async def test_another_programs_driver_is_named_in_the_log():
    async with (
        local_cluster() as cluster,
        open_link(cluster.scheduler_address) as link,
        open_line(link, "the service"),
    ):
        with captured_logger("distributed.deploy.adaptive", level=logging.ERROR) as log:
            adaptive = adapt(cluster, maximum=2, interval="50ms")
            await until(lambda: adaptive.state == "stopped")
        (line,) = log.getvalue().splitlines()
        assert "is driven by the service" in line
        assert probe_of(cluster).lines.driver == "the service"


@in_loop
async def test_being_taken_over_stops_it():
    async with local_cluster() as cluster, open_link(cluster.scheduler_address) as link:
        adaptive = adapt(cluster, maximum=2, interval="50ms")
        await until(lambda: probe_of(cluster) and probe_of(cluster).lines.driver)
        async with open_line(link, "the service", take_over=True):
            await until(lambda: adaptive.state == "stopped")
            assert adaptive.statistics().stop_reason == "taken over by the service"
