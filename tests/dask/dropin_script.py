# ruff: noqa: T201 - it prints, as scripts do
"""An ordinary script with one argument changed, and the ways in which such scripts end: see `main`.

Run as ``dropin_script.py [processes] [forget | raise | at-once | thrice]``.
"""

from __future__ import annotations

import sys
import time

from distributed import Client, LocalCluster

import trio_adaptive.dask

WAYS = frozenset(sys.argv[1:])


def inc(x):
    return x + 1


def adapt(cluster, **options):
    return cluster.adapt(Adaptive=trio_adaptive.dask.Adaptive, minimum=0, interval="50ms", **options)


def work(client):
    print(sum(client.gather(client.map(inc, range(20)))))
    tasks = client.cluster.scheduler.tasks
    while tasks:  # that a scheduler tells of results that are lost at the end is not what is watched here
        time.sleep(0.01)


def main():
    cluster = LocalCluster(
        n_workers=0, processes="processes" in WAYS, threads_per_worker=1, dashboard_address=":0"
    )
    adaptive = adapt(cluster, maximum=2, **({"minimum_cores": 1} if "at-once" in WAYS else {}))
    if "at-once" in WAYS:
        cluster.close()
        print(adaptive.state)
        return
    if "thrice" in WAYS:
        objects = [adaptive, adapt(cluster, maximum=1), adapt(cluster, maximum=2)]
        print(*(adaptive.state in {"starting", "running"} for adaptive in objects))
    client = Client(cluster)
    work(client)
    if "raise" in WAYS:
        raise ValueError("in the middle")
    if "forget" in WAYS:
        return
    client.close()
    cluster.close()
    print(adaptive.state)


if __name__ == "__main__":
    main()
