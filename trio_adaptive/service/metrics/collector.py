"""Snapshots as prometheus-client wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from trio_adaptive.journal.tally import Distribution
from trio_adaptive.service.metrics.happened import DURATIONS, HAPPENED
from trio_adaptive.service.metrics.health import HEALTH
from trio_adaptive.service.metrics.limits import LIMITS
from trio_adaptive.service.metrics.metric import Histogram, Metric
from trio_adaptive.service.metrics.shadows import SHADOWS
from trio_adaptive.service.metrics.sizes import SIZES
from trio_adaptive.service.metrics.snapshot import Snapshot

PREFIX: Final = "trio_adaptive_"

METRICS: Final[tuple[Metric, ...]] = (*SIZES, *LIMITS, *HAPPENED, *HEALTH, *SHADOWS)


@frozen(eq=False)
class FleetCollector(Collector):
    """The metrics of several clusters at one moment, told apart by the label ``cluster``."""

    snapshots: Sequence[Snapshot]

    def collect(self) -> Iterator[Family]:
        """Every metric, also one that has no value now."""
        for metric in METRICS:
            yield _numbers(metric, self.snapshots)
        for histogram in DURATIONS:
            yield _spreads(histogram, self.snapshots)


def _numbers(metric: Metric, snapshots: Sequence[Snapshot]) -> Family:
    kind = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
    family = kind(PREFIX + metric.name, metric.help, labels=("cluster", *metric.labels))
    for now in snapshots:
        for labels, value in metric.values(now):
            family.add_metric((now.cluster, *labels), value)
    return family


def _spreads(histogram: Histogram, snapshots: Sequence[Snapshot]) -> Family:
    name = PREFIX + histogram.name
    family = HistogramMetricFamily(name, histogram.help, labels=("cluster", *histogram.labels))
    for now in snapshots:
        for labels, spread in histogram.values(now):
            family.add_metric((now.cluster, *labels), buckets=list(_buckets(spread)), sum_value=spread.total)
    return family


def _buckets(spread: Distribution) -> Iterable[tuple[str, float]]:
    up_to = 0
    for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
        up_to += count
        yield bound, up_to
