"""Whether one use of Redis is tried at all: after failures it rests for a while, and then one call tries for all."""

from __future__ import annotations

from collections.abc import Callable

from veneer.core import breaker
from veneer.redis.states import RedisStates
from veneer.redis.troubles import Trouble


class RedisTries:
    """For one kind of call: `max_failures` in a row let it rest for `pause_s`. `worked` is told of each success.

    A Redis that is full, or a replica, refuses one kind and does another, so each has its own. What all have seen is in
    `states`: where somebody `waits` for the answer, a Redis that is known to be slow or gone is not asked at all.
    """

    def __init__(
        self,
        states: RedisStates,
        worked: Callable[[], None],
        max_failures: int,
        pause_s: float,
        *,
        waits: bool = True,
    ) -> None:
        self._states = states
        self._worked = worked
        self._max_failures = max_failures
        self._pause_s = pause_s
        self._waits = waits
        self.breaker = breaker.Breaker()

    @property
    def works(self) -> bool:
        """Whether nothing speaks against asking."""
        return self.breaker.open_until is None and (not self._waits or self._states.answers_soon)

    def admits(self, now_s: float) -> bool:
        """Whether Redis may be asked at this moment: nothing speaks against it, or it is time for one call to try."""
        if self._waits and not self._states.answers_soon:
            return False
        return breaker.admits(self.breaker, now_s)

    def begin(self) -> None:
        """A call leaves; it was admitted."""
        self.breaker = breaker.begun(self.breaker)

    def succeeded(self) -> None:
        """Redis has done what it was asked for."""
        self.breaker = breaker.succeeded()
        self._worked()

    def failed(self, error: BaseException, now_s: float, *beside: RedisTries) -> Trouble:
        """Redis has not; returns why. Where it cannot be reached, those `beside` have as good as tried, too."""
        self.breaker = breaker.failed(self.breaker, now_s, self._max_failures, self._pause_s)
        trouble = self._states.met(error)
        if trouble is Trouble.AWAY:
            for other in beside:
                if not other.breaker.trying:
                    other.breaker = self.breaker
        return trouble
