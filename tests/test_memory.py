"""What is remembered from run to run: the file, and what becomes of a broken one."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from trio_adaptive import adaptive, load_settings
from trio_adaptive.decision.model import Load, Sample, TaskGroup, Work
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.journal.memory import KINDS_KEPT, Measured, Memory, read_memory, write_memory
from trio_adaptive.runtime.policies import policy_of
from trio_adaptive.testing import FakeCluster


def test_what_is_written_is_read(tmp_path):
    memory = Memory((1.5, 2.0), {"load-é": Remembered(0.25, 7)})
    file = tmp_path / "new folder" / "memory.json"
    assert write_memory(file, memory) == ""
    assert read_memory(file) == (memory, "")
    assert [each.name for each in file.parent.iterdir()] == ["memory.json"]


def test_no_file_is_no_memory_and_no_mistake(tmp_path):
    assert read_memory(tmp_path / "none") == (Memory(), "")


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "null", '{"version": 1}', '{"version": 2, "startups": [], "kinds": {}}'),
        '{"version": 1, "startups": [-1], "kinds": {}}',
        '{"version": 1, "startups": [NaN], "kinds": {}}',
        '{"version": 1, "startups": [], "kinds": {"a": 3}}',
        '{"version": 1, "startups": [], "kinds": {"a": ["x", 1]}}',
        "[" * 100_000,
    ],
)
def test_a_broken_file_is_left_aside(tmp_path, text):
    file = tmp_path / "memory.json"
    file.write_text(text)
    memory, problem = read_memory(file)
    assert memory == Memory()
    assert str(file) in problem


def test_a_place_that_cannot_be_written_to_is_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in write_memory(tmp_path / "file" / "memory.json", Memory())


def test_a_new_run_counts_for_more_and_the_oldest_kinds_go():
    old = Memory((), {f"k{i}": Remembered(1.0, 10) for i in range(KINDS_KEPT)})
    new = old.with_run((3.0,), {"k0": Remembered(4.0, 10), "fresh": Remembered(2.0, 1)})
    assert new.startup == 3.0
    assert new.remembered["k0"] == Remembered(3.0, 20)
    assert "k1" not in new.remembered
    assert list(new.remembered)[-2:] == ["k0", "fresh"]


def test_what_was_measured_last_of_each_kind_counts():
    def sample(*groups):
        return Sample(0, 0, "interval", (), Load(0, work=Work(groups=groups)))

    seen = Measured().see(sample(TaskGroup("a", measured=2, mean=1.0), TaskGroup("b")))
    seen = seen.see(sample(TaskGroup("a", measured=5, mean=3.0))).see(Sample(0, 0, "interval", (), Load(0)))
    assert seen.kinds == {"a": Remembered(3.0, 5)}


def test_a_policy_starts_with_what_is_remembered():
    memory = Memory((20.0,), {"a": Remembered(3.0, 5)})
    policy = policy_of(load_settings({"policy": "adaptive", "value_of_time": "fast"}), memory)
    assert policy == Adaptive(value_of_time=6.0, startup=20.0, remembered=memory.remembered)
    given = policy_of(load_settings({"policy": "adaptive", "startup": "7s"}), memory)
    assert given.startup == 7.0


def _live(file):
    async def main():
        cluster = FakeCluster(startup=4.0)
        async with adaptive(cluster, memory_file=str(file), policy="adaptive") as scaler:
            cluster.want(2)
            await scaler.wait_for(2)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_run_remembers_how_long_starts_took(tmp_path):
    file = tmp_path / "memory.json"
    _live(file)
    told = json.loads(file.read_text())
    assert told["startups"] == pytest.approx([4.0, 4.0], abs=0.1)
    _live(file)
    assert len(json.loads(file.read_text())["startups"]) == 4


def test_a_run_with_a_broken_file_warns_and_goes_on(tmp_path, caplog):
    file = tmp_path / "memory.json"
    file.write_text("nonsense")
    _live(file)
    assert "left aside" in caplog.text
    assert read_memory(file)[1] == ""
