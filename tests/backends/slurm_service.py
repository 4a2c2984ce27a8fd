"""A whole Slurm on this machine's loopback: munge, the controller and some nodes of two processors each."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
from contextlib import ExitStack, contextmanager

from attrs import frozen
from daemons import a_daemon, free_ports, wait_for
from debian_packages import program

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")

NODES = 3
CPUS = 2  # for each node, whatever the machine really has

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
SlurmdParameters=config_overrides
KillWait=2
CompleteWait=0
InactiveLimit=0
MinJobAge=3600
ReturnToService=2
{nodes}
PartitionName=wide Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=narrow Nodes=n1 MaxTime=INFINITE State=UP
"""


@frozen
class Slurm:
    """A Slurm that runs. Its commands find it by ``SLURM_CONF``, which is set while it runs.

    Attributes:
        wide: a partition of all nodes.
        narrow: a partition with room for one job of two processors.
    """

    wide: str = "wide"
    narrow: str = "narrow"

    def jobs(self):
        """State by job number of all that is queued or running."""
        lines = _run("squeue", "--noheader", "--format", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def history(self):
        """State by job number of all that have ever been submitted, those that have ended included."""
        jobs = [dict(_fields(line)) for line in _run("scontrol", "--oneliner", "show", "jobs").splitlines()]
        return {job["JobId"]: job["JobState"] for job in jobs if "JobId" in job}

    def cancel(self, job):
        _run("scancel", job)


def _fields(line):
    return (word.split("=", 1) for word in line.split() if "=" in word)


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


@contextmanager
def a_slurm(folder):
    """Start one with its state in ``folder``; its jobs and servers end with the block."""
    configuration = _configure(folder)
    with ExitStack() as running:
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(configuration)
        running.callback(_restore, before)
        daemons = [running.enter_context(_munge(folder))]
        wait_for((folder / "munge.socket").exists, daemons=daemons, log=folder / "munged.log")
        commands = [("slurmctld", "-D", "-i"), *(("slurmd", "-D", "-N", f"n{i + 1}") for i in range(NODES))]
        log = folder / "slurm.log"
        daemons += [running.enter_context(a_daemon([program(name), *rest], log)) for name, *rest in commands]
        wait_for(_is_idle, daemons=daemons, log=log)
        running.callback(_end_jobs, daemons, log)
        yield Slurm()


def _configure(folder):
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o600)
    host = socket.gethostname().split(".")[0]
    port, *ports = free_ports(1 + NODES)
    nodes = []
    for number, node_port in enumerate(ports, 1):
        (folder / f"spool-n{number}").mkdir()
        where = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port}"
        nodes.append(f"NodeName=n{number} {where} CPUs={CPUS} RealMemory=2000 State=UNKNOWN")
    configuration = folder / "slurm.conf"
    text = CONFIGURATION.format(
        host=host, port=port, user=getpass.getuser(), folder=folder, nodes="\n".join(nodes)
    )
    configuration.write_text(text)
    return configuration


def _munge(folder):
    options = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munged.pid",
        "log-file": "munged.log",
        "seed-file": "munged.seed",
    }
    # By force: the folder's parents may be writable for a group, which munge does not like.
    named = [f"--{option}={folder / file}" for option, file in options.items()]
    return a_daemon([program("munged"), "--foreground", "--force", *named], folder / "munged.log")


def _is_idle():
    done = subprocess.run(
        ["sinfo", "-h", "-t", "idle", "-o", "%D", "-p", "wide"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() == str(NODES)


def _end_jobs(daemons, log):
    # A job's own process is no child of ours, and would go on without the servers.
    for job in Slurm().jobs():
        _run("scancel", job)
    wait_for(lambda: not Slurm().jobs(), daemons=daemons, log=log)


def _restore(before):
    if before is None:
        del os.environ["SLURM_CONF"]
    else:
        os.environ["SLURM_CONF"] = before
