"""What may be tried again, and how much: a share of what is asked, and a little for who asks seldom.

Without such a bound retries multiply the load of a backend that fails because of its load (as in Finagle's RetryBudget:
a bucket of tokens into which requests pay). Pure; `now` is a monotonic reading in seconds.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.messages import RequestHead

SAVED_S: Final = 10.0
"""So many seconds' worth of `per_s` may be saved up, and as many tokens again from requests, at least SAVED."""
SAVED: Final = 100.0


class RetryWrites(Enum):
    """Which requests of a route that are not safe may be sent twice, as its backend is known to do them only once."""

    NEVER = "never"
    WITH_KEY = "with-key"
    """Those with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header)."""
    ALWAYS = "always"


def may_repeat(request: RequestHead, writes: RetryWrites) -> bool:
    """Whether a request may be sent again though it may have been carried out (RFC 9110 section 9.2.2)."""
    if request.is_safe or writes is RetryWrites.ALWAYS:
        return True
    return writes is RetryWrites.WITH_KEY and "idempotency-key" in request.fields


class RetryBudget:
    """Tokens: each request pays `share` of one in, each second `per_s`, and each retry takes one."""

    __slots__ = ("_at_s", "_earned", "_given", "_per_s", "_share")

    def __init__(self, share: float, per_s: float, now: float) -> None:
        self._share = share
        self._per_s = per_s
        self._earned = 0.0
        self._given = per_s
        self._at_s = now

    def request(self) -> None:
        """A request is made for the first time."""
        self._earned = min(self._earned + self._share, SAVED)

    def take(self, now: float) -> bool:
        """Whether one may be tried again; then it is paid for."""
        self._given = min(self._given + (now - self._at_s) * self._per_s, self._per_s * SAVED_S)
        self._at_s = now
        if self._earned + self._given < 1.0:
            return False
        from_given = min(self._given, 1.0)
        self._given -= from_given
        self._earned -= 1.0 - from_given
        return True
