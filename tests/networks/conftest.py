from __future__ import annotations

import pytest
from debian_packages import install, may_install, missing_packages
from switched_hosts import why_not


@pytest.fixture(scope="session")
def may_have_networks():
    """Skips where there can be none; the ip command is installed where that was asked for."""
    missing = missing_packages(["ip"])
    if missing and may_install():
        install(missing)
    if reason := why_not():
        pytest.skip(reason)
