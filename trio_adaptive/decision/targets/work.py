"""How many workers the work asks for: Dask's rule, for what it is right about, and the rest better.

The rule is that of `distributed.Scheduler.adaptive_target`: as many threads as finish the work within the target
duration, never more than there are tasks, divided by the threads of an average worker. Like there, workers with tasks
stay. What differs:

- What new workers could not run buys none, see `trio_adaptive.decision.targets.classes`.
- Tasks that need a resource are divided by how many of them a worker can run at once, which may be fewer than it has
  threads.
- Stored data asks for the workers that it needs. Dask doubles, and doubles again before the data has moved
  (dask/distributed#6826), and without a memory limit lets nobody go while anything is stored (dask/distributed#4397).
- Below the present size, Dask answers with the workers that are busy at this moment, even if the work asks for more;
  these leave and are bought again (dask/distributed#4471). Here the larger number counts.
- Whole numbers are divided as such: in floating point, 31 tasks on 30 workers of one thread ask for 32.
- Data that waits to be scattered asks for a worker (dask/distributed#6686).
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import Final, TypeAlias

from trio_adaptive.decision.amounts import bytes_in_words, counted
from trio_adaptive.decision.model import Load, Work
from trio_adaptive.decision.targets.classes import Offers, Scarce, Share, share_of
from trio_adaptive.decision.targets.stock import MEMORY_SHARE

HEADROOM: Final = 2
"""Shrinking leaves this many times the memory that the stored data takes: ``memory_ratio`` of
`distributed.Scheduler.workers_to_close`. More than is needed for not growing, so that the size comes to rest."""

Demand: TypeAlias = tuple[int, str]
"""So many workers, and why."""


def load_of(work: Work, target_duration: float, offers: Offers | None) -> Load:
    """How many workers this work asks for, and why.

    Args:
        work: all that is ready to run, and the workers for it.
        target_duration: in how many seconds the work is to be done.
        offers: what a new worker has of each resource; None where nobody knows. Then a class of tasks buys workers
            where a present one can run it. While there is none at all, one is bought to find out.
    """
    share = share_of(work, offers)
    demands = (
        _by_work(work, share, target_duration),
        *(_by_resource(each, share, target_duration) for each in share.scarce),
        _by_memory(work),
        *_by_presence(work, share),
    )
    target, why = max(demands, key=itemgetter(0))  # the first of equals
    why = why if target else "there is nothing to do"
    return Load(target, why, work.processing, blocked=share.blocked, work=work, offers=offers)


def beside(work: Work, share: Share, target_duration: float) -> Demand:
    """How many workers are needed for other reasons than the amount of work that any of them could do."""
    demands = (
        (0, ""),
        *(_by_resource(each, share, target_duration) for each in share.scarce),
        _by_memory(work),
        *_by_presence(work, share),
    )
    return max(demands, key=itemgetter(0))


def _by_work(work: Work, share: Share, target_duration: float) -> Demand:
    threads = min(share.tasks, math.ceil(share.seconds / target_duration))
    workers = _divided(threads * work.workers, work.threads) if work.threads else threads
    if share.pending:  # with workers as well, where Dask has it without: or the only one would come and go
        workers = max(1, workers)
    return workers + share.kept, _aim(share.tasks, "", share, share.seconds, target_duration)


def _by_resource(scarce: Scarce, share: Share, target_duration: float) -> Demand:
    workers = _divided(min(scarce.tasks, math.ceil(scarce.seconds / target_duration)), scarce.at_once)
    what = f" with {scarce.needs}, of which a worker can do {scarce.at_once} at once"
    return workers + share.kept, _aim(scarce.tasks, what, share, scarce.seconds, target_duration)


def _aim(tasks: int, what: str, share: Share, seconds: float, target_duration: float) -> str:
    words = f"{counted(tasks, 'task')}{what}, {seconds:.1f} s of work, to be done in {target_duration:g} s"
    if share.kept:
        words += f"; {counted(share.kept, 'worker')} beside, busy with what no new one could run"
    return words


def _by_memory(work: Work) -> Demand:
    if not work.stored:
        return 0, ""
    why = f"{bytes_in_words(work.stored)} of results are stored"
    if not work.memory_limit:
        return 1, why
    if work.stored > MEMORY_SHARE * work.memory_limit:
        return math.ceil(work.stored * work.workers / (MEMORY_SHARE * work.memory_limit)), why
    enough = _divided(HEADROOM * work.stored * work.workers, work.memory_limit)
    return max(1, min(work.workers, enough)), why


def _by_presence(work: Work, share: Share) -> list[Demand]:
    demands = [(work.busy, f"so many have work: {counted(work.processing, 'task')}")]
    if work.scatters:
        demands.append((1, "data waits for a worker to be put on"))
    if share.unknown:
        # Also while one is there that has not been looked at, or it would go at once.
        demands.append((1, f"only a worker can show whether it has {', '.join(share.unknown)}"))
    return demands


def _divided(n: int, by: int) -> int:
    """``ceil(n / by)``, in whole numbers."""
    return -(-n // by)
