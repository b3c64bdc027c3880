"""How much may be tried again: a share of what is asked, and a little for who asks seldom.

Without such a bound retries multiply the load of a backend that fails because of its load (as in Finagle's RetryBudget:
a bucket of tokens into which requests pay). Pure; `now` is a monotonic reading in seconds.
"""

from __future__ import annotations

from typing import Final

SAVED_S: Final = 10.0
"""So many seconds' worth of `per_s` may be saved up, and as many tokens again from requests, at least SAVED."""
SAVED: Final = 100.0


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
