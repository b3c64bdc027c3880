"""What of the access log somebody follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from veneer.pipeline.exchange import CacheResult, ExchangeRecord
from veneer.policy.units import parse_statuses


class BadFilterError(ValueError):
    """What was asked for cannot be filtered by; the text says why."""


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which exchanges are shown: all given conditions must hold. `slow_ms` are those that took at least so long."""

    route: str | None = None
    statuses: frozenset[int] | None = None
    cache: frozenset[str] | None = None
    slow_ms: float = 0.0

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> TailFilter:
        """From the parameters `route`, `status` (404, 5xx or 500-503), `cache` (hit, miss...) and `slow` (in ms).

        Lists are separated by commas. Raises BadFilterError.
        """
        known = {result.value for result in CacheResult}
        cache = frozenset(filter(None, query.get("cache", "").split(",")))
        if not cache <= known:
            msg = f"cache: {', '.join(sorted(cache - known))[:80]} is none of {', '.join(sorted(known))}"
            raise BadFilterError(msg)
        try:
            slow_ms = float(query.get("slow", "0"))
            statuses = frozenset(
                status for part in filter(None, query.get("status", "").split(",")) for status in parse_statuses(part)
            )
        except ValueError as error:
            raise BadFilterError(str(error)) from error
        return cls(query.get("route") or None, statuses or None, cache or None, slow_ms)

    def takes(self, record: ExchangeRecord) -> bool:
        """Whether an exchange is shown."""
        return (
            (self.route is None or record.route == self.route)
            and (self.statuses is None or record.status in self.statuses)
            and (self.cache is None or record.cache.value in self.cache)
            and record.duration_ms >= self.slow_ms
        )
