"""A real run as a workload: each task that is done, once, with what it waited for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from trio_adaptive.cli import main
from trio_adaptive.dask.recording import Recorder
from trio_adaptive.decision.targets.simple import Count
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.files import read_workload

JOB = """
import time
from dask.distributed import Client, wait

def load(i):
    time.sleep(0.05)
    return i

def total(parts):
    time.sleep(0.1)
    return sum(parts)

with Client() as client:
    parts = client.map(load, range(8))
    assert client.submit(total, parts).result() == 28
    failing = client.submit(lambda: 1 / 0, key="failing")
    wait(failing)
    data = client.scatter([1, 2])
    time.sleep(0.5)
    assert client.submit(total, data, key="late").result() == 3
"""


@pytest.mark.integration
def test_a_run_is_recorded_and_can_be_simulated(tmp_path):
    path = tmp_path / "tasks.jsonl"
    (tmp_path / "job.py").write_text(JOB)
    cli = [sys.executable, "-m", "trio_adaptive"]
    run = ["run", "--maximum", "2", "--record", str(path), "--no-dashboard", "--"]
    script = [sys.executable, str(tmp_path / "job.py")]
    done = subprocess.run([*cli, *run, *script], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    workload = read_workload(path)
    by_group = {}
    for task in workload.tasks:
        by_group.setdefault(task.group, []).append(task)
    assert {group: len(tasks) for group, tasks in by_group.items()} == {"load": 8, "total": 1, "late": 1}
    assert set(by_group["total"][0].deps) == {task.id for task in by_group["load"]}
    assert by_group["late"][0].deps == ()  # what was scattered never ran
    assert by_group["late"][0].submit > by_group["total"][0].submit + 0.5
    assert all(0.05 <= task.duration < 10 for task in by_group["load"])
    assert simulate(workload, Setup(Count(), Hardware(startup=1.0), maximum=2)).finished


class OfOneTask:
    """As much of a scheduler as the recorder looks at."""

    def __init__(self, key):
        prefix = type("Prefix", (), {"name": "load"})()
        self.tasks = {key: type("Task", (), {"key": key, "dependencies": (), "prefix": prefix})()}


@pytest.mark.anyio
async def test_what_is_computed_again_counts_once_unless_it_was_submitted_again(tmp_path):
    path = tmp_path / "tasks.jsonl"
    recorder = Recorder(path)
    await recorder.start(OfOneTask("x"))
    times = {"startstops": ({"action": "compute", "start": 1.0, "stop": 1.5},)}
    recorder.update_graph(tasks=["x"])
    recorder.transition("x", "processing", "memory", **times)
    recorder.transition("x", "processing", "memory", **times)
    recorder.update_graph(tasks=["x"])
    recorder.transition("x", "processing", "memory", **times)
    await recorder.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["id"], line["duration"]) for line in lines] == [("x", 0.5), ("x #2", 0.5)]


def test_mistakes_are_told(tmp_path, capsys):
    assert main(["up", "--scheduler", "tcp://127.0.0.1:1", "--record", "x.jsonl"]) == 2
    assert "--preload trio_adaptive.dask.recording" in capsys.readouterr().err
    (tmp_path / "journal.jsonl").write_text('{"journal":1}\n{"at":1}\n')
    assert main(["simulate", str(tmp_path / "journal.jsonl")]) == 2
    told = capsys.readouterr().err
    assert "record them with --record" in told
    assert len(told.splitlines()) == 2
