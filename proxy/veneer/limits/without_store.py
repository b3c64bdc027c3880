"""What limits do while the shared store is away."""

from __future__ import annotations

from collections.abc import Callable

from veneer.core.rate import RateLimit, RateOnStoreLoss, RateVerdict, refusal_for
from veneer.limits.bounded import BoundedMap
from veneer.limits.rate_counts import RateCounts
from veneer.limits.rate_memory import MemoryRates

_LIMITS = 1_000


class RatesWithoutStore:
    """Each limit does what its `on_store_loss` says; `nodes` is how many share it, `retry_s` when to come again."""

    def __init__(self, local: MemoryRates, nodes: Callable[[], int], counts: RateCounts, retry_s: float) -> None:
        self._local = local
        self._nodes = nodes
        self._counts = counts
        self._retry_s = retry_s
        self._shares: BoundedMap[RateLimit] = BoundedMap(_LIMITS)

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict:
        """Count one request here."""
        if limit.on_store_loss is RateOnStoreLoss.OPEN:
            self._counts.open += 1
            return RateVerdict(limit, True, limit.interval_us)
        if limit.on_store_loss is RateOnStoreLoss.CLOSED:
            self._counts.closed += 1
            return refusal_for(limit, self._retry_s)
        self._counts.local_share += 1
        share = self._share(limit)
        answer = self._local.admit_now(f"{key}/{share.key}", share, now_s)
        # In the limit's own terms: what remains is the share's, and so is the wait.
        if answer.allowed:
            return RateVerdict(limit, True, limit.tolerance_us - (answer.remaining - 1) * limit.interval_us)
        return refusal_for(limit, answer.retry_after_s)

    def _share(self, limit: RateLimit) -> RateLimit:
        nodes = max(1, self._nodes())
        name = f"{limit.key}/{nodes}"
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = limit.share(nodes)
        return share
