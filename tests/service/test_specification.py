"""A cluster file is read and checked as a whole before anything is started."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import sys
from pathlib import Path

import dask
import pytest
import yaml
from distributed import LocalCluster, SpecCluster

from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.cluster_file import load_plan

GUIDE = Path(__file__).parents[2] / "docs/how-to/cluster-file.md"

CLUSTERS_OF_A_USER = '''
from distributed.deploy.cluster import Cluster


class Kitchen:
    """No Dask; scales."""

    def __init__(self, orders, /, cooks=1, *, stove):
        raise AssertionError("nothing is made while a file is read")

    def scale(self, n): ...

    def target(self): ...


class Larder(Kitchen):
    def __init__(self, *args, shelves=3, **kwargs): ...


class Farm(Larder):
    def __init__(self, n_workers=5, **kwargs): ...


class Village(Farm):
    def __init__(self, houses=1, **kwargs): ...


class Canteen:
    def scale(self, n): ...


class Office:
    pass


class Unscalable(Cluster):
    pass


class Fixed(Cluster):
    _supports_scaling = False

    def scale(self, n): ...


def kitchen(): ...
'''


@pytest.fixture(autouse=True)
def own_world(tmp_path, monkeypatch):
    """Modules of a user in the current folder, and nothing of the machine's own Dask configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "users_clusters.py").write_text(CLUSTERS_OF_A_USER)
    (tmp_path / "broken_clusters.py").write_text("1 / 0")
    with dask.config.set({"distributed.adaptive": {}, "trio-adaptive": {}}):
        yield
    sys.modules.pop("users_clusters", None)


@pytest.fixture
def plan():
    """Writes a cluster file and reads it."""

    def read(text, chosen=None, *, config=None, misplaced=()):
        file = Path("cluster.yaml")
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_plan(file, chosen or {}, config=config, misplaced=misplaced)

    return read


@pytest.fixture
def mistakes(plan):
    """Reads a cluster file that is wrong; its mistakes by their place, without the name of the file."""

    def read(text, chosen=None, **more):
        with pytest.raises(ConfigurationError) as caught:
            plan(text, chosen, **more)
        return {mistake.path.removeprefix("cluster.yaml: "): mistake for mistake in caught.value.mistakes}

    return read


def spec(module="distributed", cls="LocalCluster", more=""):
    return f"version: 1\nmodule: {module}\nclass: {cls}\n{more}\n"


def a_kitchen(more):
    return spec("users_clusters", "Kitchen", more)


# What is right


def test_the_smallest_file_begins_without_workers_up_to_the_processors(plan):
    made = plan(spec())
    assert made.blueprint.cls is LocalCluster
    assert made.blueprint.args == ()
    assert made.blueprint.kwargs == {"n_workers": 0}
    assert made.settings.maximum == os.cpu_count()


def test_dask_ctl_has_its_modules_dashes_and_quoted_versions(plan):
    made = plan(
        'version: "1"\nmodule: dask.distributed\nclass: LocalCluster\nargs: []\nkwargs: {threads-per-worker: 1}\n'
    )
    assert made.blueprint.cls is LocalCluster
    assert made.blueprint.kwargs == {"threads_per_worker": 1, "n_workers": 0}


def test_empty_sections_say_nothing(plan):
    assert plan(spec(more="args:\nkwargs:\nadaptive:")).blueprint.kwargs == {"n_workers": 0}


@pytest.mark.parametrize("more", ["args: [a name, 2]", "kwargs: {n-workers: 2}"])
def test_who_wants_workers_at_the_beginning_gets_them(plan, more):
    blueprint = plan(spec(more=f"{more}\nadaptive: {{maximum: 4}}")).blueprint
    assert (*blueprint.args[1:], *blueprint.kwargs.values()) == (2,)


def test_a_class_without_that_argument_is_not_given_it(plan):
    blueprint = plan(spec(cls="SpecCluster", more="kwargs: {worker: {cls: a.B}}"), {"maximum": 2}).blueprint
    assert blueprint.cls is SpecCluster
    assert blueprint.kwargs == {"worker": {"cls": "a.B"}}


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [("Larder", {}), ("Farm", {"n_workers": 0}), ("Village", {"n_workers": 0, "anything": 1})],
)
def test_arguments_that_are_passed_on_count_as_those_of_the_base(plan, cls, kwargs):
    more = "kwargs: {anything: 1}" if "anything" in kwargs else ""
    assert plan(spec("users_clusters", cls, more), {"maximum": 2}).blueprint.kwargs == kwargs


def test_later_sources_win(plan, tmp_path):
    config = tmp_path / "options.toml"
    config.write_text("[adaptive]\nminimum = 1\nmaximum = 7\nwait-count = 9\n")
    table = "adaptive: {maximum: 8, wait-count: 4, interval: 2s}"
    with dask.config.set({"distributed.adaptive.interval": "3s"}):
        settings = plan(spec(more=table), {"wait_count": 5}, config=config).settings
    assert (settings.minimum, settings.maximum, settings.wait_count, settings.interval) == (1, 8, 5, 2.0)


def test_a_wrong_option_that_the_command_line_overrides_does_no_harm(plan):
    assert plan(spec(more="adaptive: {idle-timeout: soon}"), {"idle_timeout": 3}).settings.idle_timeout == 3.0


SAMPLES = re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_the_samples_of_the_guide_are_right(plan, mistakes, sample):
    module = yaml.safe_load(sample)["module"]
    if importlib.util.find_spec(module.partition(".")[0]):
        assert plan(sample, {"maximum": 2}).settings.maximum == 2
    else:  # no resource manager is at hand here; all but the module can be judged
        assert list(mistakes(sample, {"maximum": 2})) == ["module"]


def test_there_are_samples_in_the_guide():
    assert len(SAMPLES) >= 4


# The maximum


def test_a_foreign_cluster_needs_a_maximum(mistakes):
    (mistake,) = mistakes(a_kitchen("args: [1]\nkwargs: {stove: 1}")).values()
    assert mistake.path == "cluster.yaml: adaptive.maximum"
    assert mistake.allowed == "how many workers this Kitchen may have at most, here or as --maximum"


@pytest.mark.parametrize("source", ["command line", "table", "TOML", "Dask"])
def test_a_maximum_may_come_from_anywhere(plan, source, tmp_path):
    config = tmp_path / "options.toml"
    config.write_text("[adaptive]\nmaximum = 3\n" if source == "TOML" else "")
    more = "kwargs: {worker: {}}\n" + ("adaptive: {maximum: 3}" if source == "table" else "")
    of_dask = {"distributed.adaptive.maximum": 3 if source == "Dask" else math.inf}
    chosen = {"maximum": 3} if source == "command line" else {}
    with dask.config.set(of_dask):
        assert plan(spec(cls="SpecCluster", more=more), chosen, config=config).settings.maximum == 3


@pytest.mark.parametrize("bound", ["maximum-cores: 8", "maximum_memory: 8 GiB"])
def test_a_maximum_may_be_one_of_cores_or_memory(plan, bound):
    settings = plan(spec(cls="SpecCluster", more=f"adaptive: {{{bound}}}")).settings
    assert settings.maximum == math.inf
    assert settings.maximum_cores == 8 or settings.maximum_memory == 8 * 2**30


def test_a_missing_maximum_is_told_beside_other_wrong_options(mistakes):
    assert set(mistakes(a_kitchen("args: [1]\nkwargs: {stove: 1}\nadaptive: {interval: -1}"))) == {
        "adaptive.interval",
        "adaptive.maximum",
    }


def test_a_wrong_maximum_is_not_told_as_a_missing_one(mistakes):
    found = mistakes(a_kitchen("args: [1]\nkwargs: {stove: 1}\nadaptive: {maximum: many}"))
    assert found["adaptive.maximum"].problem == "is 'many'"


# What is wrong


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("- 1", "is [1]"),
        ("version: [", "cannot be read: while parsing"),
        ("a: !!python/object:os.system {}", "cannot be read: could not determine a constructor"),
        (b"\xff\xfe\xff", "cannot be read: "),
        ("a: " + "[" * 5000, "cannot be read: "),
        ("a: 2000-13-45", "cannot be read: month must be in 1..12"),
    ],
)
def test_what_is_no_table_in_yaml(mistakes, text, problem):
    found = mistakes(text)
    assert list(found) == ["cluster.yaml"]
    assert problem in found["cluster.yaml"].problem
    assert "\n" not in found["cluster.yaml"].problem


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_file_that_cannot_be_opened_is_told_beside_other_mistakes(name):
    with pytest.raises(ConfigurationError) as caught:
        load_plan(Path(name), {"interval": -1}, config=None, misplaced=["--port"])
    assert [mistake.path for mistake in caught.value.mistakes] == [name, "interval", "--port"]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (spec(more="kwagrs: {}"), "kwagrs", "unknown key, did you mean kwargs"),
        (spec(more="name: x"), "name", "unknown key"),
        (spec(more="3: x"), "3", "unknown key"),
        ("module: distributed\nclass: LocalCluster", "version", "is missing"),
        (spec().replace("1", "2"), "version", "is 2"),
        (spec().replace("1", "true"), "version", "is True"),
        ("version: 1\nclass: LocalCluster", "module", "is missing"),
        (spec(module="[1]"), "module", "is [1]"),
        ("version: 1\nmodule: distributed", "class", "is missing"),
        (spec(cls="''"), "class", "is ''"),
        (spec(more="args: 3"), "args", "is 3"),
        (spec(more="args: {}"), "args", "is {}"),
        (spec(more="kwargs: [1]"), "kwargs", "is [1]"),
        (spec(more="kwargs: {1: 2}"), "kwargs.1", "is no name"),
        (spec(more="kwargs: {a-b: 2, a_b: 3}"), "kwargs.a_b", "given twice"),
        (spec(more="kwargs: {asynchronous: true}"), "kwargs.asynchronous", "is for the service to say"),
        (spec(more="adaptive: 3"), "adaptive", "is 3"),
        (spec(more="adaptive: {maximun: 3}"), "adaptive.maximun", "unknown option, did you mean maximum"),
        (spec(more="adaptive: {1: 3}"), "adaptive.1", "is no name"),
        (
            spec(more="adaptive: {minimum: 3, maximum: 2}"),
            "adaptive.minimum",
            "minimum is 3, but maximum is 2",
        ),
        (spec(module="distribute"), "module", "No module named 'distribute', did you mean distributed"),
        (spec(module="distributed.nothing"), "module", "No module named 'distributed.nothing'"),
        (spec(module=".distributed"), "module", "cannot be imported: TypeError"),
        (spec(module="broken_clusters"), "module", "ZeroDivisionError: division by zero"),
        (spec(cls="LocalClutser"), "class", "distributed has no LocalClutser, did you mean LocalCluster"),
        (spec(cls="SSHCluster"), "class", "SSHCluster is a function, not a class"),
        (spec(cls="Client"), "class", "Client has no scale(n)"),
        (spec("users_clusters", "Unscalable"), "class", "Unscalable cannot scale"),
        (spec("users_clusters", "Fixed"), "class", "Fixed cannot scale"),
        (spec("users_clusters", "Canteen"), "class", "Canteen has scale(n), but no target()"),
        (a_kitchen("args: [1]"), "kwargs", "without stove"),
        (a_kitchen("args: [1]\nkwargs: {strove: 1, stove: 1}"), "kwargs.strove", "did you mean stove?"),
        (
            a_kitchen("args: [1, 2]\nkwargs: {cooks: 1, stove: 1}"),
            "kwargs.cooks",
            "given twice, also in args",
        ),
        (a_kitchen("args: [1, 2, 3]\nkwargs: {stove: 1}"), "args", "3 are given"),
    ],
)
def test_one_mistake_is_told_with_its_place_and_what_is_allowed(mistakes, text, place, problem):
    chosen = {} if "maximum" in text else {"maximum": 2}
    found = mistakes(text, chosen)
    assert list(found) == [place]
    assert problem in found[place].problem
    assert found[place].allowed


def test_what_a_module_has_to_offer_is_told(mistakes):
    found = mistakes(spec("users_clusters", "Office"), {"maximum": 2})
    assert found["class"].allowed == "one of Farm, Kitchen, Larder, Village"


def test_every_mistake_in_the_file_and_on_the_command_line_at_once(mistakes, tmp_path):
    config = tmp_path / "options.toml"
    config.write_text("[adaptive]\nlog-length = 0\nmaximum = 3\n")
    text = """
version: 3
module: users_clusters
class: Kitchen
args: [1, 2, 3]
kwargs: {loop: 1, strove: 2}
adaptive: {wait-count: 0, interval: soon}
worker: 3
"""
    found = mistakes(text, {"interval": "later"}, config=config, misplaced=["--scheduler", "--port"])
    assert set(found) == {
        "version",
        "args",
        "kwargs",
        "kwargs.loop",
        "kwargs.strove",
        "adaptive.wait-count",
        "worker",
        "interval",
        f"{config}: adaptive.log-length",
        "--scheduler",
        "--port",
    }
