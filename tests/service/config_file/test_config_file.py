"""The configuration file: what is read of it, how the command line wins, and that all mistakes are told at once."""

from __future__ import annotations

import math
from pathlib import Path

import dask.config
import pytest

from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.config_file.given import Given
from trio_adaptive.service.config_file.reading import read_configuration
from trio_adaptive.service.elastic import Plan
from trio_adaptive.service.foreign_cluster import ForeignPlan
from trio_adaptive.service.listen import Listen


@pytest.fixture(autouse=True)
def no_dask_options():
    """What the machine's own Dask configuration says is not part of these tests."""
    with dask.config.set({"distributed.adaptive": {}, "trio-adaptive": {}}):
        yield


@pytest.fixture
def read(tmp_path):
    def read(text, given=None):
        file = tmp_path / "service.toml"
        file.write_text(text)
        return read_configuration(file, given or Given())

    return read


@pytest.fixture
def wrong(read, tmp_path):
    """The mistakes in a text, by their places."""

    def wrong(text, given=None):
        with pytest.raises(ConfigurationError) as caught:
            read(text, given)
        start = f"{tmp_path}/service.toml: "
        return {mistake.path.removeprefix(start): mistake.problem for mistake in caught.value.mistakes}

    return wrong


def only(configuration):
    (hosting,) = configuration.clusters.values()
    return hosting


def test_nothing_said_is_one_cluster_of_forked_workers():
    hosting = only(read_configuration(None))
    assert hosting.name == "default"
    assert isinstance(hosting.plan, Plan)
    assert hosting.plan.worker.warm
    assert hosting.settings.interval == 0.1
    assert math.isfinite(hosting.settings.maximum)


def test_an_empty_file_says_nothing(read):
    configuration = read("")
    assert configuration.service.listen == Listen()
    assert list(configuration.clusters) == ["default"]


def test_everything_of_one_cluster(read, tmp_path):
    configuration = read(
        """
[service]
listen = false
log-format = "json"
tokens = "tokens.toml"
[adaptive]
maximum = 7
interval = "1s"
journal = "records.jsonl"
[cluster]
port = 8786
nthreads = 3
cold = true
dashboard_address = false
worker-logs = "logs"
"""
    )
    plan = only(configuration).plan
    assert configuration.service.listen is None
    assert configuration.service.log_format == "json"
    assert configuration.service.tokens == tmp_path / "tokens.toml"
    assert (plan.port, plan.dashboard_address, plan.settings.maximum, plan.settings.interval) == (
        8786,
        None,
        7,
        1,
    )
    assert plan.settings.journal == str(tmp_path / "records.jsonl")
    assert plan.worker.log_dir == tmp_path / "logs"
    assert "3" in plan.worker.command
    assert not (tmp_path / "logs").exists()  # reading makes nothing


def test_an_interval_that_is_written_down_counts_even_where_it_is_the_usual_default(read):
    assert only(read("[adaptive]\ninterval = 1\n")).settings.interval == 1
    assert only(read("[adaptive]\nmaximum = 1\n")).settings.interval == 0.1


def test_the_command_line_wins(read):
    given = Given({"maximum": 3}, {"nthreads": 2, "dashboard_address": None})
    text = "[adaptive]\nmaximum = 7\n[cluster]\nnthreads = 4\nport = 8786\n"
    plan = only(read(text, given)).plan
    assert (plan.settings.maximum, plan.port, plan.dashboard_address) == (3, 8786, None)
    assert plan.worker.command[plan.worker.command.index("--nthreads") + 1] == "2"


def test_several_clusters_each_with_options_of_its_own_over_those_of_all(read, tmp_path):
    (tmp_path / "slurm.yaml").write_text("version: 1\nmodule: distributed\nclass: LocalCluster\n")
    configuration = read(
        """
[service]
maximum = 40
[adaptive]
maximum = 10
idle_timeout = "1 min"
[clusters.blue]
weight = 2
adaptive.maximum = 20
[clusters.green]
file = "slurm.yaml"
[clusters.red]
module = "distributed"
class = "LocalCluster"
kwargs = {threads_per_worker = 1}
adaptive = {minimum = 1}
"""
    )
    blue, green, red = configuration.clusters.values()
    assert [each.weight for each in (blue, green, red)] == [2, 1, 1]
    assert [each.settings.maximum for each in (blue, green, red)] == [20, 10, 10]
    assert {each.settings.idle_timeout for each in (blue, green, red)} == {60}
    assert isinstance(green.plan, ForeignPlan)
    assert red.plan.blueprint.kwargs == {"threads_per_worker": 1, "n_workers": 0}
    assert red.settings.minimum == 1


def test_every_mistake_is_told_at_once_with_its_place(wrong):
    found = wrong(
        """
[service]
listn = 1
log_format = "xml"
tls_key = 3
[adaptive]
maximum = -1
[clusters.blue]
nthreads = 0
weight = 0
preload = ["no_such_module"]
[clusters.green]
class = "LocalCluster"
nthreads = 2
[clusters.red]
file = 3
[nonsense]
"""
    )
    assert set(found) == {
        *("service.listn", "service.log_format", "service.tls_key", "adaptive.maximum", "nonsense"),
        *("clusters.blue.nthreads", "clusters.blue.weight", "clusters.blue.preload"),
        *("clusters.green.module", "clusters.green.nthreads", "clusters.red.file"),
    }
    assert "did you mean listen?" in found["service.listn"]


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("service = 3", "service", "is 3"),
        ("adaptive = 3", "adaptive", "is 3"),
        ("cluster = [1]", "cluster", "is [1]"),
        ("clusters = 3", "clusters", "is 3"),
        ("[clusters]\nblue = 3", "clusters.blue", "is 3"),
        ('[clusters."a b"]', "clusters", "'a b' is no name"),
        ("[clusters.a]\n[clusters.b]\n[cluster]", "cluster", "stands beside"),
        (
            "[cluster]\nnthreads = 1\nn-threads = 1",
            "cluster.n_threads",
            "unknown key, did you mean nthreads?",
        ),
        ("[cluster]\nworker_logs = 'a'\nworker-logs = 'b'", "cluster.worker-logs", "given twice"),
        ("[cluster]\nworker_command = 'run {adress}'", "cluster.worker_command", "'adress'"),
        ('[cluster]\nworker_command = "run \'"', "cluster.worker_command", "No closing quotation"),
        ("[cluster]\npreload = 'os'\ncold = true", "cluster.preload", "with "),
        ("[cluster]\nport = true", "cluster.port", "is True"),
        ("[service]\nlisten = 'nowhere'", "service.listen", "is 'nowhere'"),
        ("[service]\nlisten = '127.0.0.1:99999'", "service.listen", "is '127.0.0.1:99999'"),
        ("[service]\nmaximum = 3\n[adaptive]\nminimum=2\n[clusters.a]\n[clusters.b]", "service.maximum", "4"),
        (
            "[adaptive]\njournal='x'\n[clusters.a]\n[clusters.b]",
            "clusters",
            "a, b have the same adaptive.journal",
        ),
        ("[clusters.a]\nport=1\n[clusters.b]\nport=1", "clusters", "a, b have the same port, 1"),
        ("[clusters.a]\nscheduler='tcp://x:1'\n[clusters.b]\nscheduler='tcp://x:1'", "clusters", "scheduler"),
    ],
)
def test_a_mistake_is_told_with_its_place(wrong, text, place, part):
    found = wrong(text)
    assert set(found) == {place}
    assert part in found[place]


def test_what_the_command_line_says_has_no_place_beside_several_clusters(wrong):
    found = wrong("[clusters.a]\n[clusters.b]\n", Given({"maximum": 3}, {"nthreads": 2}))
    assert set(found) == {"--maximum", "--nthreads"}


def test_a_mistake_of_the_command_line_has_its_spelling(wrong):
    assert set(wrong("[cluster]\nnthreads = 2\n", Given({}, {"worker_command": "run {x}"}))) == {
        "--worker-command"
    }


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_configuration(tmp_path / "none.toml")


def test_files_are_looked_for_beside_the_configuration(read, wrong, tmp_path):
    found = wrong("[cluster]\nfile = 'none.yaml'\n")
    assert set(found) == {str(tmp_path / "none.yaml")}
    text = "[service]\ntls_cert = '/etc/cert.pem'\ntls_key = 'key.pem'\n"
    service = read(text).service
    assert (service.tls_cert, service.tls_key) == (Path("/etc/cert.pem"), tmp_path / "key.pem")


@pytest.mark.parametrize(("number", "length"), [(1, 1000), (20, 1000), (40, 500), (300, 100)])
def test_many_clusters_keep_fewer_records_each(read, number, length):
    text = "".join(f"[clusters.c{index}]\n" for index in range(number))
    assert {each.settings.log_length for each in read(text).clusters.values()} == {length}
    text += "[adaptive]\nlog_length = 700\n"
    assert {each.settings.log_length for each in read(text).clusters.values()} == {700}
