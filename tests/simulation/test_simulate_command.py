"""``trio-adaptive simulate``: tables, figures as JSON, plots, and all mistakes at once."""

from __future__ import annotations

import json

import pytest

from trio_adaptive.cli import main

PNG = b"\x89PNG"


def test_policies_side_by_side(capsys):
    assert main(["simulate", "trickle:3", "--startup", "10s", "--compare", "dask,adaptive,fixed:2"]) == 0
    out = capsys.readouterr().out
    assert "trickle-3: " in out
    heading, *rows = [
        line.split() for line in out.splitlines() if line.startswith(("policy", "dask", "ad", "fi"))
    ]
    assert [row[0] for row in rows] == ["dask", "adaptive", "fixed:2"]
    assert heading[1] == "cost"
    assert all(float(row[1]) > 0 for row in rows)


def test_figures_for_programs(capsys):
    assert main(["simulate", "chains", "--runs", "2", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["policy"], second["policy"]) == ("adaptive, run 1", "adaptive, run 2")
    assert second["product"] < first["product"]  # it remembers durations
    assert first["regret"] is None  # a graph


def test_a_sweep(capsys, tmp_path):
    plot = tmp_path / "frontier.png"
    assert main(["simulate", "trickle", "--sweep", "maximum=1,4", "--plot", str(plot), "--json"]) == 0
    few, more = json.loads(capsys.readouterr().out)
    assert (few["at"], more["at"]) == ("1", "4")
    assert few["waiting"] > more["waiting"]
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize("setting", ["startup=2s,1min", "value-of-time=1,6", "target_duration=1,60"])
def test_what_can_be_swept(capsys, setting):
    assert main(["simulate", "trickle", "--sweep", setting, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_plot(capsys, tmp_path):
    plot = tmp_path / "out.png"
    options = ["--compare", "dask,adaptive", "--plot", str(plot)]
    assert main(["simulate", "trickle", *options]) == 0
    assert plot.read_bytes().startswith(PNG)


def test_a_workload_of_ones_own_and_a_policy_of_ones_own(capsys, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from trio_adaptive.decision.policy import Advice\n"
        "class Two:\n"
        "    def advise(self, view):\n"
        "        return self, Advice(2 if view.load.work.queued or view.load.work.processing else 0, 'two')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    tasks = [{"id": i, "submit": 0, "duration": 10} for i in range(4)]
    (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    options = ["--policy", "mine:Two", "--startup", "5", "--json"]
    assert main(["simulate", str(tmp_path / "tasks.jsonl"), *options]) == 0
    (figures,) = json.loads(capsys.readouterr().out)
    assert (figures["starts"], figures["makespan"]) == (2, 25)


def test_all_mistakes_at_once(capsys, tmp_path):
    options = [
        *("--policy", "wrong", "--compare", "no_such_module:Class", "--startup", "soon", "--minimum", "9"),
        *("--maximum", "3", "--runs", "0", "--interval", "never", "--sweep", "colour=red"),
    ]
    assert main(["simulate", str(tmp_path / "none.jsonl"), *options]) == 2
    err = capsys.readouterr().err
    for word in (
        *(
            "none.jsonl",
            "policy: is 'wrong'",
            "no_such_module:Class cannot be made",
            "--startup",
            "--minimum",
        ),
        *("--runs", "interval", "--sweep"),
    ):
        assert word in err
    assert "8 mistakes" in err


@pytest.mark.parametrize("name", ["no/such/folder/out.png", "out.xyz"])
def test_a_plot_that_cannot_be_written(capsys, tmp_path, name):
    assert main(["simulate", "trickle", "--plot", str(tmp_path / name)]) == 2
    assert "--plot: cannot be written" in capsys.readouterr().err
