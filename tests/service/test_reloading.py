"""Reading the configuration again: what is applied, what is named, and that a mistake changes nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from trio_adaptive import adaptive
from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.config_file.given import Given
from trio_adaptive.service.config_file.reading import read_configuration
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.reloading import Reloading
from trio_adaptive.service.sharing import Sharing
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.trio

TEXT = """
[service]
maximum = 20
[adaptive]
maximum = 5
interval = "50ms"
[clusters.blue]
[clusters.green]
nthreads = 1
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "service.toml"
    file.write_text(TEXT)
    return file


@asynccontextmanager
async def serving(file, given=None):
    with trio.fail_after(30):
        given = given or Given()
        configuration = read_configuration(file, given)
        reloading = Reloading(configuration, given, Sharing(configuration.service.maximum))
        reloading.fleet = Fleet(lambda _: None, reloading, expected=tuple(configuration.clusters))
        async with trio.open_nursery() as nursery:
            for hosting in configuration.clusters.values():
                await nursery.start(_adapt, reloading, hosting)
            yield reloading
            nursery.cancel_scope.cancel()


async def _adapt(reloading, hosting, *, task_status):
    prepare = reloading.sharing.joining(hosting.name, hosting.weight)
    async with adaptive(FakeCluster(), settings=hosting.settings, prepare=prepare) as scaler:
        reloading.fleet.add(Hosted(hosting.name, scaler))
        task_status.started()
        await trio.sleep_forever()


async def test_nothing_new(file):
    async with serving(file) as reloading:
        done = await reloading.fleet.reload()
        assert (done.applied, done.needs_restart) == ((), ())


async def test_what_can_be_applied_is_and_the_rest_is_named_each_time(file):
    async with serving(file) as reloading:
        file.write_text(
            TEXT.replace("maximum = 5", 'maximum = 7\nidle_timeout = "1 min"\nname = "x"')
            .replace("maximum = 20", "maximum = 30\nlog_format = 'json'")
            .replace("nthreads = 1", "nthreads = 2\nweight = 3\nadaptive.minimum = 1\n[clusters.red]")
        )
        done = await reloading.fleet.reload()
        assert set(done.applied) == {
            *(
                f"clusters.{name}.adaptive.{key}"
                for name in ("blue", "green")
                for key in ("maximum", "idle_timeout")
            ),
            *("clusters.green.adaptive.minimum", "clusters.green.weight", "service.maximum"),
        }
        left = {
            *("clusters.blue.adaptive.name", "clusters.green.adaptive.name", "clusters.green.nthreads"),
            *("clusters.red: a new cluster", "service.log_format"),
        }
        assert set(done.needs_restart) == left
        scaler = reloading.fleet["green"].scaler
        await scaler.next_record()
        await scaler.next_record()
        assert scaler.statistics().maximum == 7
        assert scaler.statistics().minimum == 1
        assert scaler.settings.idle_timeout == 60
        assert reloading.sharing.total == 30
        again = await reloading.fleet.reload()
        assert again.applied == ()
        assert set(again.needs_restart) == left


async def test_a_mistake_changes_nothing(file):
    async with serving(file) as reloading:
        before = reloading.current
        file.write_text(TEXT.replace("maximum = 5", "maximum = 7").replace("nthreads = 1", "nthreads = 0"))
        with pytest.raises(ConfigurationError, match=r"clusters\.green\.nthreads"):
            await reloading.fleet.reload()
        assert reloading.current == before
        assert reloading.fleet["blue"].scaler.statistics().maximum == 5
        await reloading.on_signal()  # tells it in the log, and goes on


async def test_what_the_command_line_said_still_wins(file):
    file.write_text("[adaptive]\nmaximum = 5\n")
    async with serving(file, Given({"maximum": 3})) as reloading:
        file.write_text("[adaptive]\nmaximum = 7\nidle_timeout = 9\n")
        done = await reloading.fleet.reload()
        assert done.applied == ("cluster.adaptive.idle_timeout",)
        assert reloading.fleet["default"].scaler.settings.maximum == 3
