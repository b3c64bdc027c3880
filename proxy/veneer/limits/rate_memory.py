"""Rate limits of one process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.rate import MICROS, RateLimit, RateVerdict, backlog, client_key
from veneer.ports import Clock

_HANDS: Final = 2
"""Old clients looked at for each new one: more than one, so that worked-off state leaves faster than new comes."""


@mypyc_attr(acyclic=True)
class _State:
    """The moment at which one client's backlog is worked off. Changed in place: quicker than to store anew."""

    __slots__ = ("whole_at_us",)

    def __init__(self, whole_at_us: int) -> None:
        self.whole_at_us = whole_at_us


class MemoryRates:
    """A RateStore in this process: one number for each client with a backlog, at most `most_clients` of them.

    For each new client the two longest known are looked at: worked-off state leaves, live state goes to the back. Only
    when all state is live and the bound is reached is a live client forgotten, and counted in `forgotten`; it then has
    its whole burst again.
    """

    def __init__(self, clock: Clock, most_clients: int = 100_000) -> None:
        self._monotonic = clock.monotonic
        self._most = max(1, most_clients)
        self._known: OrderedDict[str, _State] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def most_clients(self) -> int:
        """How many may be remembered."""
        return self._most

    async def admit(self, client: str, limit: RateLimit) -> RateVerdict:
        """Count one request of `client` against `limit`."""
        return self.admit_now(client_key(limit, client), limit, self._monotonic())

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict:
        """As `admit`, without waiting."""
        now_us = int(now_s * MICROS + 0.5)  # `round` costs five times as much
        state = self._known.get(key)
        if state is None:
            self._make_room(now_us)
            self._known[key] = _State(now_us + limit.interval_us)
            return RateVerdict(limit, True, limit.interval_us)
        waiting_us = backlog(limit, state.whole_at_us, now_us)
        if waiting_us > limit.tolerance_us:
            return RateVerdict(limit, False, waiting_us)
        waiting_us += limit.interval_us
        state.whole_at_us = now_us + waiting_us
        return RateVerdict(limit, True, waiting_us)

    def refusal_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that a request would meet now."""
        state = self._known.get(key)
        if state is None:
            return None
        waiting_us = backlog(limit, state.whole_at_us, int(now_s * MICROS + 0.5))
        return RateVerdict(limit, False, waiting_us) if waiting_us > limit.tolerance_us else None

    def _make_room(self, now_us: int) -> None:
        known = self._known
        for _ in range(min(_HANDS, len(known))):
            key, state = known.popitem(last=False)
            if state.whole_at_us > now_us:
                known[key] = state
        if len(known) >= self._most:
            known.popitem(last=False)
            self.forgotten += 1
