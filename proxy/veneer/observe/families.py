"""Families of metrics, made of values by their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from veneer.core.durations import BOUNDS_MS
from veneer.observe.histogram import Histogram

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values, each with those of the labels."""

_LE = (*(str(bound / 1_000) for bound in BOUNDS_MS), "+Inf")


def counter(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    """Counts; the name gets "_total" behind it."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    """Values as they are now."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def by_all(values: Mapping[str, float]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Values by several labels, between which there are tabs."""
    return ((tuple(key.split("\t")), value) for key, value in sorted(values.items()))


def by(counts: Mapping[str, float]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Values by one label."""
    return (((name,), count) for name, count in sorted(counts.items()))


def histogram(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], Histogram]]
) -> Metric:
    """Durations in seconds, in buckets that include all below them."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, one in samples:
        family.add_metric(values, cumulative(one), one.sum_ms / 1_000)
    return family


def cumulative(one: Histogram) -> list[tuple[str, float]]:
    """Each bucket with the number of durations up to its upper bound."""
    total = 0
    buckets = []
    for le, count in zip(_LE, one.counts, strict=True):
        total += count
        buckets.append((le, float(total)))
    return buckets
