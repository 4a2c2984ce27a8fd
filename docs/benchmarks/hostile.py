"""Hostile requests to the HTTP API: does it end, answer with a 5xx, keep anything, or disturb a decision?

    python docs/benchmarks/hostile.py [--quick] [--write]

Ten thousand and more: what a fuzzer makes of the OpenAPI document, then too much, nonsense, slow peers, and abuse of TLS.
The service has TLS and tokens. Needs ``trio-adaptive[dask,test]`` and psutil.
"""

from __future__ import annotations

import argparse
import random
import re
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import trio
import trustme
from attrs import define, field
from common import HERE, check, contestant, percentile, progress, table

PAGE = HERE.parent / "explanation" / "reliability.md"
TOKEN = "a token of this measurement only"  # noqa: S105 - as it says
CLUSTER = "/api/v1/clusters/default"
AT_ONCE = 40
SETTLE = 12.0
"""Longer than a peer may be silent, in seconds: then everything has been let go."""


@define
class Target:
    """The service, and what it has answered so far."""

    host: str
    port: int
    trust: ssl.SSLContext
    answers: Counter[str] = field(factory=Counter)

    async def say(self, said: bytes, *, hears: bool = True, tls: bool = True) -> None:
        """Open a connection, say something, and count what comes of it."""
        try:
            with trio.fail_after(30):
                stream = await self._open(tls=tls)
                try:
                    await stream.send_all(said)
                    heard = bytes(await stream.receive_some(65536)) if hears else b""
                finally:
                    await trio.aclose_forcefully(stream)
        except (OSError, trio.BrokenResourceError):
            heard = b""
        except trio.TooSlowError:
            self.answers["no answer in 30 s"] += 1
            return
        code = re.match(rb"HTTP/1\.1 (\d)\d\d", heard)
        self.answers[f"{code[1].decode()}xx" if code else "closed"] += 1

    async def _open(self, *, tls: bool) -> trio.abc.Stream:
        stream = await trio.open_tcp_stream(self.host, self.port)
        if not tls:
            return stream
        wrapped = trio.SSLStream(stream, self.trust, server_hostname="localhost", https_compatible=True)
        await wrapped.do_handshake()
        return wrapped

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """One, with a token that counts."""
        fields = {
            "host": f"localhost:{self.port}",
            "authorization": f"Bearer {TOKEN}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


Attack = Callable[[Target, random.Random], Awaitable[None]]


async def oversized(target: Target, chance: random.Random) -> None:
    big = b"x" * chance.choice((70_000, 300_000, 2_000_000))
    said = chance.choice(
        (
            target.request("PUT", f"{CLUSTER}/hold", big),
            target.request("PUT", f"{CLUSTER}/hold", big, content_length="1000000000"),
            target.request("GET", f"{CLUSTER}?{'a' * 40_000}"),
            target.request("GET", CLUSTER, x_large="y" * 40_000),
            target.request("GET", CLUSTER, **{f"x_{n}": "y" for n in range(3000)}),
            target.request("PUT", f"{CLUSTER}/hold", b"[" * 60_000),
            target.request("PUT", f"{CLUSTER}/hold", b'{"n": ' + b"9" * 60_000 + b"}"),
        )
    )
    await target.say(said)


async def malformed(target: Target, chance: random.Random) -> None:
    good = bytearray(target.request("PUT", f"{CLUSTER}/hold", b'{"n": 1}'))
    match chance.randrange(4):
        case 0:
            said = chance.randbytes(chance.randint(1, 4000)) + b"\r\n\r\n"
        case 1:
            for _ in range(chance.randint(1, 5)):
                good[chance.randrange(len(good))] = chance.randrange(256)
            said = bytes(good) + b"\r\n\r\n"
        case 2:
            said = good.replace(b"content-length: 8", chance.choice(LENGTHS)) + b"0\r\n\r\n"
        case _:
            said = good.replace(b"HTTP/1.1", chance.choice(VERSIONS)) + b"\r\n\r\n"
    await target.say(bytes(said))


LENGTHS = (
    b"content-length: -1",
    b"content-length: 8\r\ncontent-length: 9",
    b"content-length: 8\r\ntransfer-encoding: chunked",
    b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
    b"content-length: \xd9\xa3",
)
VERSIONS = (b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.0", b"SPDY/3", b"http/1.1")


async def slow(target: Target, chance: random.Random) -> None:
    """The head, or the body, comes in single bytes and never ends; or the answer is not read."""
    try:
        with trio.move_on_after(15):
            stream = await target._open(tls=True)  # noqa: SLF001 - of this file
            try:
                said = target.request("PUT", f"{CLUSTER}/hold", b'{"n": 1}', content_length="5000")
                if chance.random() < 0.3:
                    said = target.request("GET", f"{CLUSTER}/events?all=true")
                    await stream.send_all(said)
                    await trio.sleep_forever()
                for byte in said[:-4] if chance.random() < 0.5 else said:
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.02)
                await stream.receive_some(65536)
            finally:
                await trio.aclose_forcefully(stream)
    except (OSError, trio.BrokenResourceError):
        pass
    target.answers["slow, and ended"] += 1


async def tls_abuse(target: Target, chance: random.Random) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    said = chance.choice(
        (
            chance.randbytes(chance.randint(1, 3000)),
            hello + chance.randbytes(chance.randint(0, 600)),
            hello[: chance.randint(1, len(hello))],
            b"\x15\x03\x01\x00\x02\x01\x00",
            target.request("GET", CLUSTER),
            b"\x80\x2e\x01\x00\x02" + bytes(50),
        )
    )
    await target.say(said, tls=False, hears=chance.random() < 0.5)


ATTACKS: dict[str, tuple[Attack, int]] = {
    "too much: bodies, heads, paths, depth": (oversized, 2000),
    "malformed: noise, broken requests, contradicting lengths": (malformed, 4000),
    "slow: a byte at a time, answers that are not read": (slow, 200),
    "TLS: noise, broken handshakes, plain HTTP": (tls_abuse, 2500),
}


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        trust = make_files(Path(folder))
        with contestant(sys.executable, str(HERE / "served.py"), folder) as service:
            host, _, port = service.hear().partition("://")[2].partition(":")
            process = psutil.Process(service.process.pid)
            ask(service)
            trio.run(trio.sleep, 5.0 if quick else 20.0)
            late = {"nobody": ask(service)}
            before = holdings(process)
            rows = [fuzzed(f"https://localhost:{port}", Path(folder), quick=quick)]
            late["a fuzzer"] = ask(service)
            for name, (attack, number) in ATTACKS.items():
                progress(f"hostile: {name}")
                target = Target(host, int(port), trust)
                count = number // 20 if quick else number
                trio.run(attacked, target, attack, count)
                rows.append((name, f"{count:,}", _answers(target.answers)))
                late[name.partition(":")[0]] = ask(service)
            trio.run(trio.sleep, SETTLE)
            after = holdings(process)
            ask(service)
            check(service.process.poll() is None, "the service has ended")
            errors = service.errors()
        check("Traceback" not in errors, errors)
    return "\n\n".join((requests_table(rows), lateness(late), kept(before, after)))


def make_files(folder: Path) -> ssl.SSLContext:
    ca = trustme.CA()
    issued = ca.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "tokens.toml").write_text(f'[[tokens]]\nname = "x"\ntoken = "{TOKEN}"\nrole = "operate"\n')
    trust = ssl.create_default_context()
    ca.configure_trust(trust)
    return trust


def fuzzed(url: str, folder: Path, *, quick: bool) -> tuple[str, str, str]:
    """What schemathesis makes of the document. That a request is refused is no fault here; a 5xx, or no answer, is."""
    progress("hostile: schemathesis")
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json"),
        *("-H", f"Authorization: Bearer {TOKEN}", "--tls-verify", str(folder / "ca.pem")),
        *("--exclude-path-regex", "(events|stop)$", "--max-examples", "10" if quick else "60"),
        *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"),
        *("--seed", "7", "--generation-database", "none", "--suppress-health-check", "all"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    check(done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:])
    found = re.search(r"([\d,]+) generated", done.stdout)
    check(found, done.stdout[-4000:])
    assert found is not None  # noqa: S101 - for the type checker
    return ("schemathesis on the OpenAPI document", f"{int(found[1].replace(',', '')):,}", "no 5xx")


async def attacked(target: Target, attack: Attack, count: int) -> None:
    limit = trio.CapacityLimiter(AT_ONCE)

    async def one(number: int) -> None:
        async with limit:
            await attack(target, random.Random(number))

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    check(not target.answers["5xx"], f"a 5xx: {target.answers}")


def ask(service: object) -> list[float]:
    service.say("tell")  # type: ignore[attr-defined]
    told = service.result()  # type: ignore[attr-defined]
    check(told["stage"] == "running", f"adapting has ended: {told}")
    return told["late"]


def holdings(process: psutil.Process) -> tuple[int, int, int]:
    return process.memory_info().rss, process.num_fds(), process.num_threads()


def _answers(answers: Counter[str]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in sorted(answers.items()))


def requests_table(rows: list[tuple[str, str, str]]) -> str:
    total = sum(int(number.replace(",", "")) for _, number, _ in rows)
    return table(("hostile requests", "number", "answers"), [*rows, ("all", f"{total:,}", "")])


def lateness(late: dict[str, list[float]]) -> str:
    rows = [
        (
            name,
            f"{len(each):,}",
            *(f"{1000 * x:.1f}" for x in (percentile(each, 0.5), percentile(each, 0.99))),
        )
        for name, each in late.items()
    ]
    return table(("how late a decision begins, beside", "decisions", "median, ms", "p99, ms"), rows)


def kept(before: tuple[int, int, int], after: tuple[int, int, int]) -> str:
    rows = [
        ("before", f"{before[0] / 2**20:.1f}", str(before[1]), str(before[2])),
        (f"{SETTLE:g} s after the last", f"{after[0] / 2**20:.1f}", str(after[1]), str(after[2])),
    ]
    return table(("what the service holds", "memory, MiB", "open files", "threads"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Hostile requests to the HTTP API.")
    parser.add_argument("--quick", action="store_true", help="a twentieth of it: whether it works")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name} as well")
    options = parser.parse_args()
    figures = measure(quick=options.quick)
    print(figures)
    if options.write:
        from all import filled

        PAGE.write_text(filled(PAGE.read_text(), {"hostile": figures}))
