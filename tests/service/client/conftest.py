"""Commands against a service in the same program, in front of fake clusters."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define

from trio_adaptive import adaptive
from trio_adaptive.cli import main
from trio_adaptive.service.fleet import Fleet, Hosted, Reloaded
from trio_adaptive.service.http.web import web
from trio_adaptive.service.listen import Address, Listen
from trio_adaptive.testing import FakeCluster


@define
class Service:
    """A service that runs, and what commands have been answered.

    Attributes:
        url: where.
        scalers: by cluster.
        stops: the reasons for which it was to end.
        read: takes what has been printed.
    """

    url: str
    scalers: dict
    stops: list
    read: object

    async def run(self, *arguments, code=0):
        """Run a command in a thread; what it printed, both streams."""
        found = await trio.to_thread.run_sync(main, list(arguments))
        out, err = self.read()
        assert found == code, (found, out, err)
        return out + err

    async def ask(self, *arguments, code=0):
        """The same with the URL."""
        return await self.run(*arguments, "--url", self.url, code=code)


@pytest.fixture
def open_service(capsys, tmp_path, monkeypatch):
    """Opens a service with clusters of these names; no other service of this machine is seen."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("TRIO_ADAPTIVE_URL", "TRIO_ADAPTIVE_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    async def reload():
        return Reloaded(("cluster.adaptive.maximum",), ("service.listen",))

    @asynccontextmanager
    async def open_service(*names):
        stops = []
        fleet = Fleet(stops.append, reload, expected=names)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                scalers = {}
                for name in names:
                    scalers[name] = await nursery.start(_adapt, fleet, name)
                url = await nursery.start(web(Listen(Address("127.0.0.1", 0), may_move=False)), fleet)
                yield Service(url, scalers, stops, capsys.readouterr)
                nursery.cancel_scope.cancel()

    return open_service


async def _adapt(fleet, name, *, task_status):
    async with adaptive(FakeCluster(1), interval=0.05, min_interval=0.01, maximum=10) as scaler:
        fleet.add(Hosted(name, scaler))
        await scaler.wait_for(1)
        task_status.started(scaler)
        await trio.sleep_forever()
