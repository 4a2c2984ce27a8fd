"""Cluster objects that hang, fail or close by themselves while they are served."""

from __future__ import annotations

import logging
import signal
import threading

import pytest
import trio

from trio_adaptive.config import Settings
from trio_adaptive.errors import CallTimedOut, ClusterClosed, ClusterError
from trio_adaptive.service import foreign_cluster as module
from trio_adaptive.service.foreign_cluster import Blueprint, ForeignPlan, foreign_cluster

SETTINGS = Settings(interval=0.05, min_interval=0.01, maximum=2)


class Kitchen:
    """Can be told to hang."""

    def __init__(self, *, hangs_in: str = "", fails_in: str = "") -> None:
        self.hangs_in, self.fails_in = hangs_in, fails_in
        self.closed = 0
        self.workers: list[str] = []
        self._at("init")

    def _at(self, place):
        if place == self.hangs_in:
            hanging.set()
            release.wait(30)
        if place == self.fails_in:
            raise OSError(f"no {place} today")

    def target(self):
        return 1

    def scale(self, n):
        self.workers = [f"cook-{i}" for i in range(n)]
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def close(self):
        self.closed += 1
        made.append(self)
        self._at("close")


hanging, release = threading.Event(), threading.Event()
made: list[Kitchen] = []


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Nobody waits long; what hangs is let go at the end."""
    monkeypatch.setattr(module, "MAKING", 0.2)
    monkeypatch.setattr(module, "CLOSING", 0.2)
    hanging.clear()
    release.clear()
    made.clear()
    yield
    release.set()


def serve(body, cls=Kitchen, **kwargs):
    async def main():
        with trio.fail_after(20):
            async with foreign_cluster(ForeignPlan(SETTINGS, Blueprint(cls, (), kwargs))) as up:
                await body(up)

    trio.run(main)


async def nothing(up):
    """A block that ends at once."""


def test_a_cluster_that_does_not_close_in_time_is_an_error():
    with pytest.raises(CallTimedOut, match=r"Kitchen has not closed within 0\.2 s: see what it has left"):
        serve(nothing, hangs_in="close")
    assert made[0].shutdown_on_close is False


def test_a_close_that_fails_is_an_error_with_its_words():
    with pytest.raises(ClusterError, match=r"close\(\) of Kitchen raised OSError: no close today"):
        serve(nothing, fails_in="close")


def test_a_failure_is_not_hidden_by_a_close_that_fails_as_well(caplog):
    async def failing(up):
        raise LookupError("the first failure")

    with caplog.at_level(logging.WARNING, "trio_adaptive"), pytest.raises(ExceptionGroup) as caught:
        serve(failing, fails_in="close")
    assert caught.group_contains(LookupError, match="the first failure")
    assert "no close today" in caplog.text


def test_a_constructor_that_fails_is_an_error_with_its_words():
    with pytest.raises(ClusterError, match="Kitchen raised OSError: no init today"):
        serve(nothing, fails_in="init")
    assert made == []


def cancelled_while_it_is_made(between):
    async def main():
        with trio.fail_after(20), trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel, scope)
                plan = ForeignPlan(SETTINGS, Blueprint(Kitchen, (), {"hangs_in": "init"}))
                async with foreign_cluster(plan):
                    raise AssertionError("it cannot have been made")
        return scope.cancelled_caught

    async def cancel(scope):
        await trio.to_thread.run_sync(hanging.wait)
        scope.cancel()
        between()

    return trio.run(main)


def test_a_constructor_that_never_ends_is_left_behind(caplog):
    assert cancelled_while_it_is_made(lambda: None)
    assert "The Kitchen has not been made to its end: see what it has left" in caplog.text
    assert made == []


def test_a_constructor_that_ends_late_has_its_object_closed(monkeypatch):
    monkeypatch.setattr(module, "MAKING", 20)
    assert cancelled_while_it_is_made(release.set)
    assert [kitchen.closed for kitchen in made] == [1]


def test_an_object_without_a_close_is_left_as_it_is():
    serve(nothing, cls=type("Endless", (Kitchen,), {"close": None}))
    assert made == []


def test_a_cluster_that_is_closed_by_somebody_else_ends_the_block():
    async def stopping(up):
        up.scaler.stop("as when its cluster has gone")
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        serve(stopping)
    assert caught.group_contains(ClusterClosed, match="the Kitchen has been closed by somebody else")
    assert made[0].closed == 1


def test_ctrl_c_is_blocked_where_it_is_made_and_nowhere_else():
    class Masked(Kitchen):
        def __init__(self):
            super().__init__()
            self.mask_of_constructor = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    async def looking(up):
        await up.scaler.wait_for(1)

    serve(looking, cls=Masked)
    assert signal.SIGINT in made[0].mask_of_constructor
    assert signal.SIGINT not in made[0].mask
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
