"""``trio-adaptive why``, and the journal of a service that has been killed."""

from __future__ import annotations

import os
import signal

import pytest
from journal_kit import a_look, a_run, lines_of

from trio_adaptive.cli import main
from trio_adaptive.journal.lines import End, Entry
from trio_adaptive.journal.reading import Damage, read_journal, replay


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    first, entries, _ = a_run([a_look(at, [], at % 3) for at in range(10)], 100)
    path.write_bytes(b"".join(lines_of(first, entries)))
    return path


def test_it_prints_the_last_ones(journal, capsys):
    assert main(["why", str(journal), "--last", "1"]) == 0
    assert capsys.readouterr().out.count("  wanted") == 1
    assert main(["why", str(journal), "--last", "0"]) == 0
    assert capsys.readouterr().out.count("  wanted") > 3


def test_the_journal_of_the_configuration_is_taken(journal, tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(f'[adaptive]\njournal = "{journal}"\n')
    assert main(["why", "--config", str(config)]) == 0
    assert "launched" in capsys.readouterr().out


def test_a_time_of_the_day_and_a_whole_one(journal, capsys, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    for text in ("14:13:22", "2026-09-21T14:13:22", "2026-09-21T14:13:22.500"):
        assert main(["why", str(journal), "--at", text]) == 0
        assert "14:13:22  wanted 2" in capsys.readouterr().out
    assert main(["why", str(journal), "--at", "14:13"]) == 0
    assert "14:13:29  wanted 0" in capsys.readouterr().out
    assert main(["why", str(journal), "--at", "2026-09-20T14:13"]) == 0
    assert "tells nothing up to 2026-09-20T14:13" in capsys.readouterr().out


def test_a_worker_that_it_does_not_know(journal, capsys):
    assert main(["why", str(journal), "--worker", "nobody"]) == 0
    assert capsys.readouterr().out == f"{journal} tells nothing of nobody\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-file"], "there is no no-such-file"),
        (["."], "there is no ."),
        (["{folder}"], "Is a directory"),
        (["{journal}", "--at", "noon"], "--at: is 'noon'; allowed: a time such as 14:05"),
    ],
)
def test_mistakes_are_told_in_one_line(journal, arguments, said, capsys):
    given = [each.format(journal=journal, folder=journal.parent) for each in arguments]
    assert main(["why", *given]) == 2
    assert said in capsys.readouterr().err


def test_anything_at_all_is_no_traceback(tmp_path, capsys):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(bytes(range(256)) * 10)
    assert main(["why", str(path)]) == 0
    assert "unreadable: journal.jsonl, line 1" in capsys.readouterr().out


@pytest.mark.integration
def test_a_service_that_is_killed_leaves_all_that_it_had_written(service, tmp_path):
    path = tmp_path / "journal.jsonl"
    up = service(
        "up", "--minimum", "1", "--plain", "--no-dashboard", "--journal", str(path), "--interval", "0.1"
    )
    up.address()

    def registered():
        lines = list(read_journal(path)) if path.exists() else []
        return any(isinstance(line, Entry) and line.record.counts.observed for line in lines)

    up.until(registered, "a worker in the journal")
    os.kill(up.process.pid, signal.SIGKILL)
    up.wait()
    before = [line for line in read_journal(path) if isinstance(line, Entry)]
    again = service("up", "--plain", "--no-dashboard", "--journal", str(path))
    again.address()
    again.process.send_signal(signal.SIGTERM)
    assert again.wait() == 0
    lines = list(read_journal(path))
    assert [line for line in lines if isinstance(line, Entry)][: len(before)] == before
    assert len([line for line in lines if isinstance(line, Damage)]) <= 1
    assert list(replay(lines)) == []
    assert sum(isinstance(line, End) for line in lines) == 1


def test_the_help_is_complete(capsys):
    with pytest.raises(SystemExit):
        main(["why", "--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("--last", "--at", "--worker", "FILE", "exit codes"))
