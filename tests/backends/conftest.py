"""Real resource managers, started once for all tests of this folder; the reason where they cannot be."""

from __future__ import annotations

import pytest
import slurm_service
import ssh_service
from debian_packages import require
from real_dask import Counting


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    require(slurm_service.PROGRAMS)
    with slurm_service.a_slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(scope="session")
def ssh_hosts(tmp_path_factory):
    require(ssh_service.PROGRAMS)
    with ssh_service.ssh_hosts(tmp_path_factory.mktemp("ssh")) as hosts:
        yield hosts


@pytest.fixture
def counting(tmp_path):
    return Counting(tmp_path)
