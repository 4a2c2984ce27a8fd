"""Hosts of the test's own, each a network namespace, and a switch between them that can be as bad as one likes.

The switch is a thread that passes frames between the hosts' tap devices. It loses, delays and withholds them, which
not every kernel can do by itself (``tc qdisc add ... netem`` needs a module), and nothing of the machine's own network
is touched: neither its interfaces nor its rules.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, field

SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
DEVICE = Path("/dev/net/tun")

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
SET_NAME = 0x400454CA  # TUNSETIFF of linux/if_tun.h
TAP_WITHOUT_HEADER = 0x0002 | 0x1000  # IFF_TAP | IFF_NO_PI
MOST = 65536  # bytes of a frame


@define
class Cable:
    """One host's way to the switch and back.

    Attributes:
        tap: the descriptor at the switch's end.
        delay: how long a frame takes, in seconds.
        loss: the share of frames that are lost, 0 to 1.
        sends: whether what the host sends arrives.
        receives: whether anything arrives at the host.
    """

    tap: int
    delay: float = 0.0
    loss: float = 0.0
    sends: bool = True
    receives: bool = True

    def cut(self, *, sends: bool = False, receives: bool = False) -> None:
        """Whole, or what is left of it is one direction; neither end is told, as by a broken switch in between."""
        self.sends, self.receives = sends, receives

    def heal(self) -> None:
        self.cut(sends=True, receives=True)


@define
class Switch:
    """Passes each frame on to all other hosts, through two cables."""

    cables: dict[str, Cable]
    chance: random.Random = field(factory=lambda: random.Random(0))
    _waiting: list[tuple[float, int, Cable, bytes]] = field(factory=list)
    _number: int = 0
    _ended: threading.Event = field(factory=threading.Event)

    def run(self) -> None:
        by_tap = {cable.tap: cable for cable in self.cables.values()}
        while not self._ended.is_set():
            due = self._waiting[0][0] - time.monotonic() if self._waiting else 0.1
            for tap in select.select(list(by_tap), [], [], min(0.1, max(0.0, due)))[0]:
                self._take(by_tap[tap], os.read(tap, MOST))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, cable, frame = heapq.heappop(self._waiting)
                if cable.receives:
                    _put(cable, frame)

    def end(self) -> None:
        self._ended.set()

    def _take(self, source: Cable, frame: bytes) -> None:
        if not source.sends:
            return
        for cable in self.cables.values():
            kept = self.chance.random() >= source.loss and self.chance.random() >= cable.loss
            if cable is not source and kept:
                self._number += 1
                at = time.monotonic() + source.delay + cable.delay
                heapq.heappush(self._waiting, (at, self._number, cable, frame))


def _put(cable: Cable, frame: bytes) -> None:
    try:
        os.write(cable.tap, frame)
    except OSError as error:
        if error.errno not in {errno.EIO, errno.EAGAIN, errno.ENOBUFS}:  # not up yet; full: as on any wire
            raise


@define
class Network:
    """Hosts that see each other only through a switch.

    Attributes:
        token: what the names of the namespaces begin with.
        addresses: host -> its address.
        cables: host -> its cable.
    """

    token: str
    addresses: dict[str, str]
    cables: dict[str, Cable]

    def command(self, host: str) -> tuple[str, ...]:
        """What a command is to be put behind, to run on a host."""
        return (_ip(), "netns", "exec", f"{self.token}-{host}")


def why_not() -> str:
    """Why there can be no network here; empty where there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip", path=SEARCHED) is None:
        return "there is no ip command: install iproute2"
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    name = f"ta{os.getpid()}-try"
    made = subprocess.run([_ip(), "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.strip()}"
    try:
        os.close(_tap(name))
    except OSError as error:
        return f"no tap device can be made: {error}"
    finally:
        _run("netns", "del", name)
    return ""


@contextmanager
def a_network(*hosts: str) -> Iterator[Network]:
    """These hosts, until the block is left; what runs there then is killed."""
    token = f"ta{os.getpid()}"
    with ExitStack() as stack:
        cables = {}
        for number, host in enumerate(hosts, start=1):
            name = f"{token}-{host}"
            _run("netns", "add", name)
            stack.callback(_remove, name)
            tap = _tap(name)
            stack.callback(os.close, tap)
            cables[host] = Cable(tap)
            _run("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run("-n", name, "link", "set", device, "up")
        switch = Switch(cables)
        thread = threading.Thread(target=switch.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(switch.end)
        yield Network(token, {host: f"10.77.0.{n}" for n, host in enumerate(hosts, start=1)}, cables)


def _tap(namespace: str) -> int:
    """A new device ``eth0`` in there, which goes when its descriptor is closed."""
    made: list[int | OSError] = []

    def make() -> None:  # in a thread that ends with it, since it cannot come back
        try:
            made.append(_tap_of_thread(namespace))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    (tap,) = made
    if isinstance(tap, OSError):
        raise tap
    return tap


def _tap_of_thread(namespace: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as file:
        if libc.setns(file.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
    tap = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(tap, SET_NAME, struct.pack("16sH22x", b"eth0", TAP_WITHOUT_HEADER))
    except OSError:
        os.close(tap)
        raise
    return tap


def _remove(name: str) -> None:
    inside = subprocess.run([_ip(), "netns", "pids", name], capture_output=True, text=True, check=True)
    if pids := inside.stdout.split():
        subprocess.run(["kill", "-KILL", *pids], capture_output=True, check=False)
    _run("netns", "del", name)


def _run(*arguments: str) -> None:
    subprocess.run([_ip(), *arguments], check=True, capture_output=True)


def _ip() -> str:
    return shutil.which("ip", path=SEARCHED) or "ip"
