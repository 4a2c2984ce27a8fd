"""Scheduler, service and workers on hosts of their own, and what the network between them does, one after the other.

``python tests/networks/network_scenes.py`` plays all scenes and writes the table into docs/explanation/reliability.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, evolve, frozen

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # also where it is run as a script

from figures import write_figures
from real_dask import Counting
from switched_hosts import Network, a_network

from trio_adaptive.decision.model import Cancel, Drain, Launch
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import read_journal, replay

SCHEDULER, SERVICE, LEFT, RIGHT = HOSTS = ("scheduler", "service", "left", "right")
SECONDS = 0.1
SIZE = 2
LIMIT = 120.0
TTL = "5s"
"""After such a time without a word the scheduler gives a worker up, where that is to happen; Dask's default is 5 min."""

CALL = 2.5
"""So long the service waits for an answer."""

OPTIONS = f"""[adaptive]
interval = 0.2
wait_count = 2
idle_timeout = 1.0
call_timeout = {CALL}
startup_timeout = 60
target_duration = 1.0
"""

WORKER = """
address=$1 name=$2
shift 2
options=$*
set -- $(cat HOSTS)
eval host=\\${$((${name##*-} % $# + 1))}
exec IP netns exec TOKEN-$host PYTHON -m distributed.cli.dask_worker $address --name $name $options
"""
"""A shell script that starts a worker on one of the hosts that a file names, in turn."""

WORKER_OPTIONS = "--nthreads 1 --no-nanny --no-dashboard --memory-limit 0"

CLIENT = """
import sys
sys.path.append(sys.argv[1])
from pathlib import Path
from distributed import Client
from real_dask import Counting

class Again(Counting):
    def __init__(self, folder):
        self._folder, self._gate = folder / "executions", folder / "gate"

address, folder, tasks, seconds = sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
with Client(address, timeout=30, set_as_default=False) as client:
    keys = [f"key-{n}" for n in range(tasks)]
    futures = client.map(Again(folder).task(), keys, [seconds] * tasks, pure=False)
    print(len(set(client.gather(futures, errors="skip"))))
"""


@define
class World:
    """What runs, and what is known of it.

    Attributes:
        network: the hosts.
        folder: where the journal, the logs and the marks of the tasks are.
        counting: tells which tasks were executed, and how often.
        service: the autoscaler's process.
        work: the client's process.
    """

    network: Network
    folder: Path
    counting: Counting
    stack: ExitStack
    service: subprocess.Popen | None = None
    work: subprocess.Popen | None = None

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def start(self, name: str, host: str, *command: str, **env: str) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self.network.command(host), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
            )
        self.stack.callback(_end, process)
        return process

    def start_on(self, *hosts: str) -> None:
        """Where workers start from now on."""
        (self.folder / "hosts").write_text(" ".join(hosts))

    def entries(self) -> list[Entry]:
        lines = read_journal(self.journal) if self.journal.exists() else ()
        return [line for line in lines if isinstance(line, Entry)]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {LIMIT:g} s\n{self.logs()}")
            time.sleep(0.05)

    def until_served_by(self, size: int) -> None:
        self.until(lambda: self.observed() == size, f"{size} workers")

    def observed(self) -> int | None:
        """As the last look has seen it, where that has come about."""
        entries = [e for e in self.entries() if e.record.kind in {"sample", "sample failed"}]
        return entries[-1].record.counts.observed if entries and entries[-1].record.kind == "sample" else None

    def failed_looks(self) -> int:
        return sum(entry.record.kind == "sample failed" for entry in self.entries())

    def deeds(self, kind: type, since: float = 0.0) -> list[str]:
        """The units that something was done to."""
        decisions = [e.record.decision for e in self.entries() if e.record.decision and e.time >= since]
        return [unit for d in decisions for a in d.actions if isinstance(a, kind) for unit in a.units]

    def logs(self) -> str:
        return "\n".join(f"{p.name}: {p.read_text()[-2000:]}" for p in sorted(self.folder.glob("*.log")))


@frozen
class Scene:
    """One row.

    Attributes:
        name: what happens, in words.
        happens: makes it happen, and returns when it is over; workers have begun by then.
        silent: whether looks at the cluster have to fail meanwhile (True), or must not (False); None: either.
        lost: how many workers are lost and replaced.
        before: what is so from the beginning.
        tasks: how many there are, of 0.1 s each.
    """

    name: str
    happens: Callable[[World], None] = lambda _: None
    silent: bool | None = None
    lost: int = 0
    before: Callable[[Network], None] = lambda _: None
    tasks: int = 100


@frozen
class Result:
    """What has come of it.

    Attributes:
        recovered: seconds from its end until two workers are in service and known to be.
        failed: looks without an answer.
        launched: all units ever asked for.
        meanwhile: what was done to units while there was no answer.
        again: executions beyond one for each task.
        lost: tasks without a result.
        most: the most units at a time.
        left: how many workers the scheduler knows when there is no work any more.
        replayed: how many decisions come out differently when they are made again from the journal.
    """

    recovered: float
    failed: int
    launched: list[str]
    meanwhile: list[str]
    again: int
    lost: int
    most: int
    left: int | None
    replayed: int


@contextmanager
def a_world(network: Network, folder: Path, scene: Scene) -> Iterator[World]:
    """A scheduler, and a service at it that has no worker yet; the client has the scheduler's host."""
    with ExitStack() as stack:
        world = World(network, folder, Counting(folder), stack)
        world.start_on(LEFT, RIGHT)
        address = f"tcp://{network.addresses[SCHEDULER]}:8786"
        python, listen = sys.executable, ("--host", network.addresses[SCHEDULER], "--port", "8786")
        ttl = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": TTL} if scene.lost else {}
        scheduler = (python, "-m", "distributed.cli.dask_scheduler", *listen, "--no-dashboard")
        world.start("scheduler", SCHEDULER, *scheduler, **ttl)
        (folder / "options.toml").write_text(OPTIONS)
        words = {"HOSTS": str(folder / "hosts"), "IP": network.command("")[0], "TOKEN": network.token}
        words["PYTHON"] = python
        script = re.sub("|".join(words), lambda found: words[found[0]], WORKER)
        (folder / "worker.sh").write_text(script)
        world.service = world.start(
            *(
                "service",
                SERVICE,
                python,
                "-m",
                "trio_adaptive",
                "up",
            ),
            *("--scheduler", address, "--config", str(folder / "options.toml"), "--plain", "--no-dashboard"),
            *("--maximum", str(SIZE), "--journal", str(world.journal)),
            *("--worker-command", f"sh {folder}/worker.sh {{address}} {{name}} {WORKER_OPTIONS}"),
        )
        world.until(lambda: world.observed() == 0, "the first look")
        client = (str(Path(__file__).parents[1]), address, str(folder), str(scene.tasks), str(SECONDS))
        world.work = world.start("client", SCHEDULER, python, "-c", CLIENT, *client)
        yield world


def play(scene: Scene, folder: Path) -> Result:
    """Let it happen in the middle of work, and see to the end of that."""
    with a_network(*HOSTS) as network:
        scene.before(network)
        with a_world(network, folder, scene) as world:
            world.until(lambda: len(world.counting.executions) > SIZE * 2, "the first tasks")
            world.until_served_by(SIZE)
            begun = time.time()
            scene.happens(world)
            over = time.time()
            world.until(lambda: world.observed() is not None and _news(world, over), "an answer")
            meanwhile = _while_silent(world.entries(), begun)
            if scene.lost:
                world.until(lambda: len(world.deeds(Launch)) >= SIZE + scene.lost, "new workers")
            world.until(lambda: world.observed() == SIZE or world.work.poll() is not None, "all workers")
            recovered = time.time() - over
            world.until(lambda: world.work.poll() is not None, "the results")
            world.until_served_by(0)
            return _result(world, evolve(BLANK, recovered=recovered, meanwhile=meanwhile), scene.tasks)


BLANK = Result(0.0, 0, [], [], 0, 0, 0, None, 0)


def _result(world: World, result: Result, tasks: int) -> Result:
    said = (world.folder / "client.log").read_text().split()
    executions = world.counting.executions
    return evolve(
        result,
        failed=world.failed_looks(),
        launched=world.deeds(Launch),
        again=sum(executions.values()) - len(executions),
        lost=tasks - (int(said[-1]) if said and said[-1].isdigit() else 0),
        most=max(entry.record.counts.plan for entry in world.entries()),
        left=world.observed(),
        replayed=len(list(replay(read_journal(world.journal)))),
    )


def _news(world: World, since: float) -> bool:
    return any(entry.time > since and entry.record.kind == "sample" for entry in world.entries())


def _while_silent(entries: list[Entry], since: float) -> list[str]:
    """What was decided between a look without an answer and the next one with one."""
    found, silent = [], False
    for entry in entries:
        if entry.time < since:
            continue
        silent = entry.record.kind == "sample failed" or (silent and entry.record.kind != "sample")
        if silent and entry.record.decision is not None:
            deeds = [a for a in entry.record.decision.actions if isinstance(a, Launch | Drain | Cancel)]
            found += [f"{type(deed).__name__} {', '.join(deed.units)}" for deed in deeds]
    return found


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cut(host: str, seconds: float, **directions: bool) -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.network.cables[host].cut(**directions)
        time.sleep(seconds)
        world.network.cables[host].heal()

    return happens


def cut_until_it_is_noticed(world: World) -> None:
    """And longer: workers start on the other host meanwhile."""
    world.start_on(RIGHT)
    world.network.cables[LEFT].cut()
    world.until(lambda: len(world.deeds(Launch)) > SIZE, "somebody in its place")
    world.until_served_by(SIZE)
    world.network.cables[LEFT].heal()


def all_cables(**qualities: float) -> Callable[[Network], None]:
    def before(network: Network) -> None:
        for cable in network.cables.values():
            for name, value in qualities.items():
                setattr(cable, name, value)

    return before


BAD_LINES = (
    Scene("each way takes 200 ms", before=all_cables(delay=0.1), silent=None),
    Scene("5 % of all packets are lost", before=all_cables(loss=0.025)),
    Scene("20 % of all packets are lost", before=all_cables(loss=0.106)),
)

CUTS = (
    Scene("the service is cut off for 0.5 s", cut(SERVICE, 0.5), silent=False),
    Scene("the service is cut off for 6 s", cut(SERVICE, 6), silent=True),
    Scene("the service is not heard for 6 s", cut(SERVICE, 6, receives=True), silent=True),
    Scene("the service hears nothing for 6 s", cut(SERVICE, 6, sends=True), silent=True),
    Scene("a worker is cut off for 2 s", cut(LEFT, 2), silent=False),
    Scene("a worker is cut off until the scheduler gives it up", cut_until_it_is_noticed, lost=1, tasks=300),
    Scene("the scheduler is cut off for 2 s", cut(SCHEDULER, 2)),
    Scene("the scheduler is cut off for 15 s", cut(SCHEDULER, 15), silent=True, lost=2, tasks=200),
)

SCENES = (*BAD_LINES, *CUTS)


def as_expected(scene: Scene, result: Result) -> list[str]:
    """What is not as it should be."""
    wrong = []
    if result.lost:
        wrong.append(f"{result.lost} results are missing")
    if result.again and not scene.lost:
        wrong.append(f"{result.again} executions too many")
    if len(result.launched) != SIZE + scene.lost or len(set(result.launched)) != len(result.launched):
        wrong.append(f"launched {result.launched}")
    if result.meanwhile:
        wrong.append(f"without an answer: {result.meanwhile}")
    if scene.silent is not None and scene.silent != bool(result.failed):
        wrong.append(f"{result.failed} looks without an answer")
    if result.most > SIZE:
        wrong.append(f"there were {result.most} units")
    if result.left or result.replayed:
        wrong.append(f"{result.left} workers left, {result.replayed} decisions differ")
    return wrong


def table(results: list[tuple[Scene, Result]]) -> str:
    head = "| what the network does | looks without an answer | two workers known again after | started | executed again | results lost |"
    lines = [head, "|---|---|---|---|---|---|"]
    for scene, result in results:
        recovered = f"{result.recovered:.1f} s" if scene.silent or scene.lost else "-"
        cost = f"{len(result.launched)} | {result.again or '-'} | {result.lost or '-'}"
        lines.append(f"| {scene.name} | {result.failed or '-'} | {recovered} | {cost} |")
    return "\n".join(lines)


def main() -> None:
    results = []
    for scene in SCENES:
        if sys.argv[1:] and sys.argv[1] not in scene.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            result = play(scene, Path(folder))
        results.append((scene, result))
        sys.stdout.write(f"{'; '.join([scene.name, *as_expected(scene, result)])}\n{result}\n")
        sys.stdout.flush()
    if not sys.argv[1:]:
        write_figures("networks", table(results))


if __name__ == "__main__":
    main()
