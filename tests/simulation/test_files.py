"""Workloads from files, and what is said of files with mistakes."""

from __future__ import annotations

import gzip
import json

import pytest

from trio_adaptive.errors import ConfigurationError
from trio_adaptive.simulation.workloads.files import read_workload
from trio_adaptive.simulation.workloads.generated import FAMILIES, generate

SWF_JOB = "{job} {submit} 5 {run} {used} -1 -1 {asked} -1 -1 1 7 1 {program} 1 1 -1 -1"


def test_json_lines_in_any_order_begin_at_nought(tmp_path):
    file = tmp_path / "mine.jsonl.gz"
    lines = [
        {"id": 2, "submit": 12.5, "duration": 1, "deps": [1, 1], "group": "g"},
        {"id": 1, "submit": 10, "duration": 2},
    ]
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    workload = read_workload(file)
    assert workload.name == "mine"
    assert [(t.id, t.submit, t.deps, t.group) for t in workload.tasks] == [
        ("1", 0, (), "task"),
        ("2", 2.5, ("1",), "g"),
    ]
    assert workload.work == 3
    assert not workload.is_graph


def test_all_mistakes_at_once(tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": 1, "submit": 0}\nnonsense\n{"id": 2, "submit": 0, "duration": 1, "deps": "1"}\n')
    with pytest.raises(ConfigurationError) as caught:
        read_workload(file)
    assert [str(mistake.path).rsplit(": ", 1)[1] for mistake in caught.value.mistakes] == [
        "line 1",
        "line 2",
        "line 3",
    ]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([("a", 0, 1, ["b"])], "waits for 'b'"),
        ([("a", 0, 1, ["b"]), ("b", 0, 1, ["a"])], "waits for itself"),
        ([("a", 0, 1, []), ("a", 0, 1, [])], "is there 2 times"),
        ([("a", -1, 1, [])], "submit"),
        ([("a", 0, "inf", [])], "duration"),
        ([], "no tasks"),
    ],
)
def test_tasks_that_make_no_workload(tmp_path, tasks, said):
    file = tmp_path / "bad.jsonl"
    names = ("id", "submit", "duration", "deps")
    file.write_text("\n".join(json.dumps(dict(zip(names, task, strict=True))) for task in tasks))
    with pytest.raises(ConfigurationError, match=said):
        read_workload(file)


def test_a_wfcommons_instance_of_schema_1_5(tmp_path):
    file = tmp_path / "flow.json"
    flow = {
        "workflow": {
            "specification": {
                "tasks": [
                    {"name": "split", "id": "split_1", "parents": []},
                    {"name": "count", "id": "count_1", "parents": ["split_1"]},
                    {"name": "count", "id": "count_2", "parents": ["split_1"]},
                ]
            },
            "execution": {
                "tasks": [
                    {"id": "split_1", "runtimeInSeconds": 3.5},
                    {"id": "count_1", "runtimeInSeconds": 1},
                    {"id": "count_2", "runtimeInSeconds": 2, "command": {"program": "wc"}},
                ]
            },
        }
    }
    file.write_text(json.dumps(flow))
    workload = read_workload(file)
    assert [(t.id, t.duration, t.deps, t.group) for t in workload.tasks] == [
        ("split_1", 3.5, (), "split"),
        ("count_1", 1, ("split_1",), "count"),
        ("count_2", 2, ("split_1",), "wc"),
    ]
    assert workload.is_graph


def test_a_wfcommons_instance_of_schema_1_4_names_parents(tmp_path):
    file = tmp_path / "old.json"
    tasks = [
        {"name": "a", "id": "1", "runtimeInSeconds": 1, "category": "first"},
        {"name": "b", "id": "2", "runtimeInSeconds": 2, "parents": ["a"]},
    ]
    file.write_text(json.dumps({"workflow": {"tasks": tasks}}))
    assert read_workload(file).tasks[1].deps == ("1",)


@pytest.mark.parametrize("text", ["[]", "{}", '{"workflow": {"tasks": [{}]}}', "nonsense"])
def test_what_is_no_instance_is_said_to_be_none(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        read_workload(file)


def test_a_log_has_a_task_for_each_processor(tmp_path):
    file = tmp_path / "log.swf"
    jobs = [
        "; a comment",
        SWF_JOB.format(job=1, submit=100, run=60, used=2, asked=2, program=4),
        SWF_JOB.format(job=2, submit=160, run=-1, used=1, asked=1, program=4),  # never ran
        SWF_JOB.format(job=3, submit=200, run=9, used=-1, asked=1, program=-1),
    ]
    file.write_text("\n".join(jobs))
    assert [(t.id, t.submit, t.duration, t.group) for t in read_workload(file).tasks] == [
        ("1.0", 0, 60, "program 4"),
        ("1.1", 0, 60, "program 4"),
        ("3.0", 100, 9, "user 7"),
    ]


def test_a_log_with_a_short_line(tmp_path):
    file = tmp_path / "log.swf"
    file.write_text("1 2 3\n1 2 x\n")
    with pytest.raises(ConfigurationError, match="has 3 numbers"):
        read_workload(file)


@pytest.mark.parametrize("name", ["missing.jsonl", "what.csv"])
def test_a_file_that_cannot_be_read(tmp_path, name):
    with pytest.raises(ConfigurationError, match=name):
        read_workload(tmp_path / name)


def test_a_broken_archive(tmp_path):
    file = tmp_path / "mine.jsonl.gz"
    file.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_workload(file)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_the_same_each_time(family):
    assert generate(family, 5) == generate(family, 5)
    assert generate(family, 5).tasks != generate(family, 6).tasks


def test_a_family_that_there_is_not():
    with pytest.raises(ConfigurationError, match="unknown family"):
        generate("weather")
