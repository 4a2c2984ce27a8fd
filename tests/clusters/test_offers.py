"""What the next worker will have of each resource, told before it is there."""

from __future__ import annotations

import sys

import pytest
from dask import config
from distributed import LocalCluster, Nanny, Worker

from trio_adaptive.clusters.offers import offers_of_command, offers_of_spec
from trio_adaptive.clusters.template import worker_command


@pytest.mark.parametrize(
    ("more", "offers"),
    [
        ((), {}),
        (("--resources", "GPU=1"), {"GPU": 1.0}),
        (("--resources", "GPU=1 MEMORY=2e9"), {"GPU": 1.0, "MEMORY": 2e9}),
        (("--resources=GPU=2,FPGA=1",), {"GPU": 2.0, "FPGA": 1.0}),
        (("--resources", "GPU=many"), None),
        (("--resources",), {}),
    ],
)
def test_a_command_line_tells(more, offers):
    assert offers_of_command(worker_command(more=more), None) == offers


def test_dask_worker_without_resources_has_those_of_the_configuration():
    with config.set({"distributed.worker.resources": {"GPU": 3}}):
        assert offers_of_command(worker_command(), None) == {"GPU": 3.0}
        assert offers_of_command(("/usr/bin/dask-worker", "{address}"), None) == {"GPU": 3.0}
        assert offers_of_spec({"cls": Worker, "options": {}}) == {"GPU": 3.0}


def test_nobody_knows_what_another_program_or_another_environment_brings():
    assert offers_of_command((sys.executable, "start.py", "{address}", "{name}"), None) is None
    assert offers_of_command(worker_command(), {"DASK_DISTRIBUTED__WORKER__RESOURCES__GPU": "1"}) is None
    assert offers_of_command((), None) is None


class Special(Nanny):
    pass


@pytest.mark.parametrize(
    ("spec", "offers"),
    [
        ({"cls": Worker, "options": {"resources": {"GPU": 1}}}, {"GPU": 1.0}),
        ({"cls": Special, "options": {"resources": {}}}, {}),
        ({"cls": "distributed.Nanny", "options": {"resources": {"GPU": 2}}}, {"GPU": 2.0}),
        ({"cls": "distributed.NoSuchThing"}, None),
        ({"cls": "no_such_package.Thing"}, None),
        ({"cls": LocalCluster, "options": {"resources": {"GPU": 2}}}, None),
        ({"cls": lambda address: address}, None),
        ({}, None),
    ],
)
def test_a_specification_tells_where_the_worker_is_dasks_own(spec, offers):
    assert offers_of_spec(spec) == offers
