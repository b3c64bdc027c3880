"""Rate-limit state."""

from __future__ import annotations

from typing import Protocol

from veneer.core.rate import RateLimit, RateVerdict


class RateStore(Protocol):
    """Shared or local rate-limit state."""

    async def admit(self, client: str, limit: RateLimit) -> RateVerdict:
        """Count one request of `client` against `limit`."""
        ...

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """As `admit`, when no waiting is needed; None when it is, and then nothing has been counted.

        For callers that come often, as `refusal_now` is: `key` is the client's under the limit
        (core.rate.client_key), `now_s` monotonic.
        """
        ...

    def refusal_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that a request would certainly meet now, or None. It counts nothing."""
        ...
