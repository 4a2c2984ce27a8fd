"""The HTTP API under load: how long answers take at 200 requests a second while the scaler adapts, and whether that delays it.

    python docs/benchmarks/api_load.py [--quick]

Requests are sent at fixed times, whether or not those before have been answered, so that a pause of the service counts in full.
"""

from __future__ import annotations

import argparse
import sys
from itertools import cycle

import trio
from common import HERE, Contestant, check, contestant, percentile, progress, table

RATE = 200.0
CONNECTIONS = 16
STREAMS = 10
CLUSTER = "/api/v1/clusters/default"
PATHS = {
    "status": CLUSTER,
    "workers": f"{CLUSTER}/workers",
    "20 records": f"{CLUSTER}/records?limit=20",
    "why": f"{CLUSTER}/why",
    "all clusters": "/api/v1/clusters",
}


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    seconds = 5.0 if quick else 30.0
    with contestant(sys.executable, str(HERE / "served.py")) as service:
        host, _, port = service.hear().partition("://")[2].partition(":")
        late: dict[str, list[float]] = {}
        progress(f"api_load, {seconds:g} s without a request")
        trio.run(trio.sleep, 1.0)  # it begins
        told(service)
        trio.run(trio.sleep, seconds)
        late["no request"] = told(service)
        progress(f"api_load, {seconds:g} s at {RATE:g} requests a second")
        took: dict[str, list[float]] = trio.run(load, host, int(port), seconds)
        late[f"{RATE:g} requests a second"] = told(service)
        progress(f"api_load, {seconds:g} s with {STREAMS} readers of the events")
        trio.run(follow, host, int(port), seconds)
        late[f"{STREAMS} readers of the events"] = told(service)
    return f"{latency(took)}\n\n{lateness(late)}"


def told(service: Contestant) -> list[float]:
    service.say("tell")
    return service.result()["late"]


def latency(took: dict[str, list[float]]) -> str:
    rows = [(name, f"{len(each):,}", *cells(each)) for name, each in took.items()]
    every = [one for each in took.values() for one in each]
    rows.append(("all", f"{len(every):,}", *cells(every)))
    head = (f"answers at {RATE:g} requests a second", "requests", "median, ms", "p99, ms", "longest, ms")
    return table(head, rows)


def lateness(late: dict[str, list[float]]) -> str:
    rows = [(name, f"{len(each):,}", *cells(each)) for name, each in late.items()]
    return table(("how late a decision begins", "decisions", "median, ms", "p99, ms", "latest, ms"), rows)


def cells(values: list[float]) -> tuple[str, str, str]:
    return tuple(
        f"{1000 * each:.2f}" for each in (percentile(values, 0.5), percentile(values, 0.99), max(values))
    )  # type: ignore[return-value]


class Line:
    """A connection that is kept, with one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self.host = f"{host}:{port}"
        self.stream: trio.SocketStream | None = None

    async def get(self, path: str) -> None:
        if self.stream is None:
            self.stream = await trio.open_tcp_stream(*self._where)
        await self.stream.send_all(f"GET {path} HTTP/1.1\r\nhost: {self.host}\r\n\r\n".encode())
        head, _, body = (await self._until(b"\r\n\r\n")).partition(b"\r\n\r\n")
        check(head.startswith(b"HTTP/1.1 200"), head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += await self._some()

    async def _until(self, end: bytes) -> bytes:
        got = b""
        while end not in got:
            got += await self._some()
        return got

    async def _some(self) -> bytes:
        check(self.stream is not None, "there is no connection")
        assert self.stream is not None  # noqa: S101 - for the type checker
        got = await self.stream.receive_some()
        check(got, "the service has closed a connection")
        return bytes(got)


async def load(host: str, port: int, seconds: float) -> dict[str, list[float]]:
    """Ask at a steady rate; seconds from the time at which each request was due to the end of its answer."""
    took: dict[str, list[float]] = {name: [] for name in PATHS}
    lines = [Line(host, port) for _ in range(CONNECTIONS)]
    free_in, free = trio.open_memory_channel[Line](CONNECTIONS)
    for line in lines:
        free_in.send_nowait(line)

    async def ask(name: str, due: float) -> None:
        line = await free.receive()
        await line.get(PATHS[name])
        took[name].append(trio.current_time() - due)
        free_in.send_nowait(line)

    async with trio.open_nursery() as nursery:
        begin = trio.current_time()
        for number, name in zip(range(int(RATE * seconds)), cycle(PATHS), strict=False):
            due = begin + number / RATE
            await trio.sleep_until(due)
            nursery.start_soon(ask, name, due)
    for line in lines:
        if line.stream is not None:
            await line.stream.aclose()
    return took


async def follow(host: str, port: int, seconds: float) -> None:
    """Read the events on several connections at once."""
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(STREAMS):
                nursery.start_soon(_read, host, port)


async def _read(host: str, port: int) -> None:
    request = f"GET {CLUSTER}/events HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n"
    async with await trio.open_tcp_stream(host, port) as stream:
        await stream.send_all(request.encode())
        async for _ in stream:
            pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The HTTP API under load.")
    parser.add_argument("--quick", action="store_true", help="five seconds each instead of thirty")
    print(measure(quick=parser.parse_args().quick))
