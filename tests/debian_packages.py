"""Which programs a test needs, where Debian has them, and what to say when they are not there."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "chromium": "chromium",
    "ip": "iproute2",
    "faketime": "faketime",
}
"""The Debian package of each program."""

SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""Servers stand where a user's path does not lead."""


def program(name):
    """The full path of a program that is there."""
    path = shutil.which(name, path=SEARCHED)
    assert path is not None, name
    return path


def missing_packages(programs):
    return sorted({PACKAGES[name] for name in programs if shutil.which(name, path=SEARCHED) is None})


def may_install():
    """Only where somebody has asked for it: the continuous integration, or the nox session."""
    asked = os.environ.get("CI") == "true" or os.environ.get("TRIO_ADAPTIVE_INSTALL") == "1"
    return asked and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages):
    """Install Debian packages; the lists are fetched once more where they are too old to have them."""
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "--yes"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    getting = [*apt, "install", "--no-install-recommends", *packages]
    if subprocess.run(getting, env=environment, capture_output=True, check=False).returncode:
        subprocess.run([*apt, "update"], env=environment, capture_output=True, check=True)
        subprocess.run(getting, env=environment, capture_output=True, check=True)


def require(programs):
    """Skip where programs are missing, or install them where that was asked for."""
    missing = missing_packages(programs)
    if missing and may_install():
        install(missing)
        missing = missing_packages(programs)
    if missing:
        pytest.skip(f"these Debian packages are missing: {' '.join(missing)}")
