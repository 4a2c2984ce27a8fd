from __future__ import annotations

import functools
import inspect
import signal

import anyio
import anyio.from_thread
import pytest
from dask_worlds import LIMIT, Counting, a_world, until

from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.dask.link import open_link


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Bound every test: a limit in a fixture does not reach into the test."""
    function = pyfuncitem.obj
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def bounded(*args, **kwargs):
            with anyio.fail_after(LIMIT):
                await function(*args, **kwargs)

        pyfuncitem.obj = bounded


@pytest.fixture(scope="session")
def shared_scheduler():
    """The address of one scheduler for all tests that leave it as they found it."""
    with (
        anyio.from_thread.start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(embedded_scheduler(dashboard_address=None)) as scheduler,
    ):
        yield scheduler.address


@pytest.fixture
async def world(anyio_backend, shared_scheduler):
    """The shared scheduler, with no worker of another test left."""
    with anyio.fail_after(LIMIT):
        async with a_world(shared_scheduler) as world:

            async def is_empty():
                return not await world.link.roster(refresh=True)

            await until(is_empty)
            yield world


@pytest.fixture
async def fragile(anyio_backend):
    """A link to a scheduler of the test's own, to be stopped and killed, and its process."""
    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            open_link(scheduler.address) as link,
        ):
            try:
                yield link, scheduler.process
            finally:
                scheduler.process.send_signal(signal.SIGKILL)


@pytest.fixture
def counting(tmp_path):
    """Tasks that leave a line in a file of their own for each time they are executed."""
    return Counting(tmp_path)
