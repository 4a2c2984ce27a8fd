"""Workers that fail to start, or never register."""

from __future__ import annotations

import logging
import os
from functools import partial

import anyio
import anyio.to_thread
import distributed
import pytest
from gallery_scenes import REFUSAL, a_scene, decided, observed, until_so
from real_dask import LIMIT

from trio_adaptive import adaptive
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import Launch
from trio_adaptive.errors import ClusterError, LaunchesFailed

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

FAILS_ONCE = 'if mkdir "$0" 2>/dev/null; then echo "$1" >&2; exit 3; fi; shift; exec "$@"'
FAILS_UNTIL = 'if test ! -e "$0"; then echo "$1" >&2; exit 3; fi; shift; exec "$@"'
HANGS_THREE_TIMES = 'for i in 1 2 3; do mkdir "$0.$i" 2>/dev/null && exec sleep 600; done; exec "$@"'


def notes(scaler):
    return [record.decision.note for record in scaler.history if record.decision is not None]


async def test_a_failed_first_start_is_retried_and_its_words_are_told(tmp_path):
    """dask/distributed#5919."""
    command = ("sh", "-c", FAILS_ONCE, str(tmp_path / "flag"), REFUSAL, *worker_command())
    options = {"minimum": 1, "maximum": 1, "interval": 0.1, "retry_delay": 0.3}
    async with a_scene(WorkerTemplate(command)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: scaler.statistics().failures == 1)
        assert REFUSAL in scaler.statistics().last_error
        assert "exit code 3" in scaler.statistics().last_error
        await scaler.wait_for(1)
        await until_so(scaler, lambda: scaler.statistics().failures == 0)
        assert any(note.startswith("next launch in") and REFUSAL in note for note in notes(scaler))
        assert len(scene.cluster.pids) == 1


async def test_a_failed_first_start_of_a_dask_cluster_is_retried_and_its_words_are_told(flaky_worker):
    """dask/distributed#5919."""
    with anyio.fail_after(LIMIT):
        opening = partial(
            distributed.LocalCluster,
            n_workers=0,
            processes=False,
            worker_class=flaky_worker,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
        cluster = await anyio.to_thread.run_sync(opening)
        try:
            async with adaptive(cluster, minimum=1, maximum=1, interval=0.1, retry_delay=0.3) as scaler:
                await until_so(scaler, lambda: scaler.statistics().failures == 1)
                assert REFUSAL in scaler.statistics().last_error
                await scaler.wait_for(1)
                assert flaky_worker.attempts == 2
                await until_so(scaler, lambda: scaler.statistics().failures == 0)
                assert any(note.startswith("next launch in") and REFUSAL in note for note in notes(scaler))
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(cluster.close)


async def test_launches_that_go_on_failing_open_the_breaker_and_are_probed_one_by_one(tmp_path):
    """dask/dask-jobqueue#620: with the cluster's own words in the status, and without anybody's doing when it is mended."""
    mended = tmp_path / "mended"
    command = ("sh", "-c", FAILS_UNTIL, str(mended), REFUSAL, *worker_command())
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "retry_delay": 0.05, "breaker_failures": 3}
    async with a_scene(WorkerTemplate(command)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: scaler.statistics().breaker != "closed")
        assert scaler.statistics().failures == 3
        assert REFUSAL in scaler.statistics().last_error
        await until_so(scaler, lambda: scaler.statistics().failures == 5)
        mended.touch()
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert scaler.statistics().breaker == "closed"
        sizes = [len(units) for _, units in decided(scaler, Launch)]
        opened = sizes.index(1)
        assert 1 <= opened <= 3  # those of one round that fail far apart are more than one failure
        assert sizes[:opened] == [3] * opened
        assert set(sizes[opened:-1]) == {1}
        assert sizes[-1] == 2


async def test_requests_that_go_on_being_refused_are_made_three_times_for_all_and_then_for_one(monkeypatch):
    """dask/dask-jobqueue#620: a round that fails as one, so that each number is known."""
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "retry_delay": 0.05, "breaker_failures": 3}
    refused = True

    async def launch(units):
        if refused:
            raise ClusterError(REFUSAL)
        await real(units)

    async with a_scene() as scene:
        real = scene.cluster.launch
        monkeypatch.setattr(scene.cluster, "launch", launch)
        async with adaptive(scene.cluster, **options) as scaler:
            await until_so(scaler, lambda: scaler.statistics().failures == 5)
            refused = False  # the next one is tried after a pause of more than a second
            await until_so(scaler, lambda: observed(scaler) == 3)
            assert [len(units) for _, units in decided(scaler, Launch)] == [3, 3, 3, 1, 1, 1, 2]
            assert scaler.statistics().breaker == "closed"


async def test_launches_that_go_on_failing_end_it_where_that_is_wanted():
    command = ("sh", "-c", 'echo "$0" >&2; exit 3', REFUSAL)
    options = {"minimum": 1, "interval": 0.1, "retry_delay": 0.05, "breaker_failures": 2, "on_breaker": "end"}
    async with a_scene(WorkerTemplate(command)) as scene:
        with pytest.RaisesGroup(pytest.RaisesExc(LaunchesFailed, match=f"exit code 3.*\n.*{REFUSAL}")):
            async with adaptive(scene.cluster, **options):
                await anyio.sleep_forever()


async def test_the_scaler_gives_up_what_does_not_register_on_any_cluster(tmp_path):
    """dask/dask-jobqueue#620: by the option, where the cluster itself has more patience."""
    command = ("sh", "-c", HANGS_THREE_TIMES, str(tmp_path / "flag"), *worker_command())
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "retry_delay": 0.1, "startup_timeout": 5}
    async with a_scene(WorkerTemplate(command)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: "did not register within 5 s" in scaler.statistics().last_error)
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert len(scene.cluster.pids) == 3


async def test_launches_that_never_register_are_ended_and_replaced(tmp_path):
    """dask/dask-jobqueue#620."""
    command = ("sh", "-c", HANGS_THREE_TIMES, str(tmp_path / "flag"), *worker_command())
    template = WorkerTemplate(command, startup_timeout=5)
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "retry_delay": 0.1}
    async with a_scene(template) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: len(scene.cluster.pids) == 3)
        hanging = scene.cluster.pids.values()
        await until_so(scaler, lambda: "did not register within 5 s" in scaler.statistics().last_error)
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert len(scene.cluster.pids) == 3
        for pid in hanging:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
