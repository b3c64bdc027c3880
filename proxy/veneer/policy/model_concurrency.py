"""How many requests an upstream gets at once, and who waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConcurrencyRules:
    """Places at one upstream, per process.

    `adaptive` finds out how many there are (core.concurrency), from `least` to the upstream's `max_connections`; else
    there are as many as these. At most `max_waiting` requests wait for one. Where there are requests for others a
    route has at most `route_share` of the places; `critical_share` is kept for what is critical, where there is such.
    """

    adaptive: bool = True
    least: int = 2
    max_waiting: int = 1024
    route_share: float = 0.75
    critical_share: float = 0.2
