"""Clients that are known to be refused."""

from __future__ import annotations

from veneer.core.rate import RateLimit, RateVerdict, refusal_for
from veneer.limits.bounded import BoundedMap


class KnownRefusals:
    """Until when a client is refused, of at most `most` clients: to ask again before that moment would be in vain."""

    def __init__(self, most: int) -> None:
        self._until_s: BoundedMap[float] = BoundedMap(most)

    def note(self, key: str, until_s: float) -> None:
        """The client is refused until then (monotonic)."""
        self._until_s[key] = until_s

    def now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that holds, if there is one."""
        until_s = self._until_s.get(key)
        if until_s is None:
            return None
        if now_s < until_s:
            return refusal_for(limit, until_s - now_s)
        self._until_s.discard(key)
        return None
