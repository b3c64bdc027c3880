"""The counters by route for who shows how they change: GET /counters."""

from __future__ import annotations

from veneer.admin.views import Counters, RouteCounters
from veneer.core.durations import BOUNDS_MS
from veneer.observe.counters import RouteCounts, Snapshot


def counters_of(snapshot: Snapshot, at_s: float) -> Counters:
    """The counters of one process, or of all workers."""
    counts = snapshot.counts
    routes = {name: _of_route(route) for name, route in counts.routes.items()}
    return Counters(at_s, counts.active, BOUNDS_MS, routes)


def _of_route(route: RouteCounts) -> RouteCounters:
    by_digit = [sum(classes[digit] for classes in route.requests.values()) for digit in range(6)]
    classes = {f"{digit}xx" if digit else "other": count for digit, count in enumerate(by_digit) if count}
    return RouteCounters(sum(by_digit), classes, dict(route.cache), tuple(route.duration().counts), route.bytes_out)
