"""Real ssh servers on addresses of the loopback network, each a host of its own as far as ssh can tell."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import frozen
from daemons import a_daemon, free_ports, wait_for
from debian_packages import program

PROGRAMS = ("sshd", "ssh")

ADDRESSES = {"node1": "127.0.0.11", "node2": "127.0.0.12", "node3": "127.0.0.13"}

SERVER = """
ListenAddress {address}:{port}
HostKey {folder}/host_key
PidFile {folder}/{name}.pid
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
"""

CLIENT = """
Host {name}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  BatchMode yes
"""


@frozen
class Hosts:
    """Hosts that can be reached over ssh.

    Attributes:
        names: as ssh knows them by the configuration.
        configuration: for ``ssh -F``.
        port: on which all of them listen.
        key: the private key that opens them.
        known: the known_hosts file that names them.
    """

    names: tuple[str, ...]
    configuration: Path
    port: int
    key: Path
    known: Path


@contextmanager
def ssh_hosts(folder):
    """Start the servers with their keys and logs in ``folder``; no other host and no key of the user's is touched."""
    _make_keys(folder)
    [port] = free_ports(1)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # an empty folder that sshd wants when it runs as root
    client, known = [], []
    with ExitStack() as running:
        for name, address in ADDRESSES.items():
            values = {
                "name": name,
                "address": address,
                "port": port,
                "user": getpass.getuser(),
                "folder": folder,
            }
            (folder / f"{name}.conf").write_text(SERVER.format(**values))
            client.append(CLIENT.format(**values))
            known.append(f"[{address}]:{port} {(folder / 'host_key.pub').read_text()}")
            log = folder / f"{name}.log"
            command = [program("sshd"), "-D", "-e", "-f", str(folder / f"{name}.conf")]
            daemon = running.enter_context(a_daemon(command, log))
            wait_for(lambda address=address: _listens(address, port), daemons=[daemon], log=log)
        (folder / "ssh_config").write_text("".join(client))
        (folder / "known_hosts").write_text("".join(known))
        yield Hosts(tuple(ADDRESSES), folder / "ssh_config", port, folder / "key", folder / "known_hosts")


def _make_keys(folder):
    for file in ("host_key", "key"):
        making = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / file)]
        subprocess.run(making, check=True, capture_output=True)
    (folder / "authorized_keys").write_bytes((folder / "key.pub").read_bytes())


def _listens(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def processes_with(word):
    """The numbers of all processes that have a word in their command line, by what they run."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            continue
        if folder.name != str(os.getpid()) and any(word in each for each in words):
            found[int(folder.name)] = words
    return found
