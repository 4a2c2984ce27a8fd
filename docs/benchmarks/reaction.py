"""How long from ``client.submit`` on an empty, idle cluster until a worker is asked for."""

from __future__ import annotations

from statistics import median

from common import alternating, contestant, percentile, progress, role, table, times

CONTESTANTS = {
    "trio_adaptive on a LocalCluster": ("reaction-local-cluster",),
    "LocalCluster.adapt(Adaptive=trio_adaptive.dask.Adaptive)": ("reaction-drop-in",),
    "trio_adaptive on worker processes (request only)": ("reaction-processes",),
    "LocalCluster.adapt(), defaults": ("reaction-upstream", "defaults"),
    'LocalCluster.adapt(interval="20ms")': ("reaction-upstream", "20ms"),
    'LocalCluster.adapt(interval="20ms", wait_count=150)': ("reaction-upstream", "20ms-150"),
}
FIRST = next(iter(CONTESTANTS))


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    rounds, submits = (1, 5) if quick else (3, 10)
    found: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for round_ in range(rounds):
        for name in alternating(list(CONTESTANTS), round_):
            progress(f"reaction, round {round_ + 1} of {rounds}: {name}")
            with contestant(*role(*CONTESTANTS[name], submits, round_)) as one:
                found[name] += [1000 * seconds for seconds in one.result()]
    ours = median(found[FIRST])
    rows = [
        (
            name,
            f"{median(ms):.1f}",
            f"{percentile(ms, 0.9):.1f}",
            f"{percentile(ms, 0.99):.1f}",
            str(len(ms)),
            times(median(ms), ours),
        )
        for name, ms in found.items()
    ]
    return table(("submit to request, ms", "median", "p90", "p99", "submits", "times ours"), rows)
