"""The counters by route for who shows how they change: GET /counters."""

from __future__ import annotations

from typing import Final

import msgspec

from veneer.core.durations import BOUNDS_MS
from veneer.observe.counters import RouteCounts, Snapshot

COUNTERS_PATH: Final = "/counters"


class RouteCounters(msgspec.Struct, frozen=True):
    """Of one route since the start: responses by the first digit of their status, results of the cache, durations.

    `durations` are how many fell into each bucket of `Counters.bounds_ms`; the last one is open.
    """

    requests: int
    classes: dict[str, int]
    cache: dict[str, int]
    durations: tuple[int, ...]
    bytes_out: int


class Counters(msgspec.Struct, frozen=True):
    """The answer of GET /counters. `at_s` is a monotonic moment of the process that answers, to divide by."""

    at_s: float
    active: int
    bounds_ms: tuple[float, ...]
    routes: dict[str, RouteCounters]


def counters_of(snapshot: Snapshot, at_s: float) -> Counters:
    """The counters of one process, or of all workers."""
    counts = snapshot.counts
    routes = {name: _of_route(route) for name, route in counts.routes.items()}
    return Counters(at_s, counts.active, BOUNDS_MS, routes)


def _of_route(route: RouteCounts) -> RouteCounters:
    by_digit = [sum(classes[digit] for classes in route.requests.values()) for digit in range(6)]
    classes = {f"{digit}xx" if digit else "other": count for digit, count in enumerate(by_digit) if count}
    return RouteCounters(sum(by_digit), classes, dict(route.cache), tuple(route.duration().counts), route.bytes_out)
