"""How Redis stands, as everything in this process that uses it has seen: one state, one log line for each change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from veneer.core.durations import DurationCounts
from veneer.redis.troubles import Trouble, trouble_of

logger = logging.getLogger(__name__)

CALM_S: Final = 5.0
"""Where a state comes back so soon after it ended, it has ended only when it has not been seen for so long."""

_LATE_RENEWALS: Final = 2
"""So many in a row make Redis slow: one may be late because this process was busy."""


class RedisState(Enum):
    """In the order of what they cost. The value is the label in metrics."""

    REACHABLE = "reachable"
    SLOW = "slow"
    FULL = "full"
    READ_ONLY = "read-only"
    REFUSED = "refused"
    GONE = "gone"


class Seen(Enum):
    """What was seen of Redis. The value is the word in the diagram."""

    ANSWERED = "answered"  # a look-up or a limit
    RENEWED = "renewed"  # a lease: it takes writes, but needs no memory for that
    BEHIND = "renewed late"  # later than a look-up waits
    STORED = "stored"
    CALM = "not refused for a while"
    LATE = "no answer in time"
    NO_ROOM = "out of memory"
    NO_WRITES = "takes no writes"
    REFUSAL = "refused"
    LOST = "not reached"


_R, _S, _F, _O, _D, _G = RedisState
_TROUBLE: Final = {Seen.NO_ROOM: _F, Seen.NO_WRITES: _O, Seen.REFUSAL: _D, Seen.LOST: _G}

TRANSITIONS: Final[Mapping[RedisState, Mapping[Seen, RedisState]]] = MappingProxyType(
    {
        _R: {Seen.BEHIND: _S, Seen.LATE: _S, **_TROUBLE},
        _S: {Seen.RENEWED: _R, **_TROUBLE},
        _F: {Seen.STORED: _R, **_TROUBLE},
        _O: {Seen.RENEWED: _R, Seen.STORED: _R, **_TROUBLE},
        _D: {Seen.CALM: _R, **_TROUBLE},
        _G: {Seen.ANSWERED: _R, Seen.RENEWED: _R, Seen.STORED: _R, Seen.BEHIND: _S, **_TROUBLE},
    }
)
"""What is not named changes nothing."""

_SEEN_BY_TROUBLE: Final = {
    Trouble.AWAY: Seen.LOST,
    Trouble.UNREADY: Seen.LOST,
    Trouble.FULL: Seen.NO_ROOM,
    Trouble.READ_ONLY: Seen.NO_WRITES,
    Trouble.FORBIDDEN: Seen.REFUSAL,
    Trouble.STRANGER: Seen.REFUSAL,
    Trouble.REFUSES: Seen.REFUSAL,
}
_SO: Final = {
    _S: "it is not asked for entries",
    _F: "nothing new is stored there",
    _O: "stored responses are not used",
    _D: "what needs it is done without it",
    _G: "routes and limits do what they say of a lost store",
}
_GRAVITY: Final = {state: number for number, state in enumerate(RedisState)}


class RedisStates:
    """The state, and the seconds spent in each. Everything that calls Redis tells what it has seen.

    `now` is a monotonic clock. A renewal of the lease that takes longer than `slow_s` is late. While renewals go on
    (they come twice a second whatever the state is) nobody else has to find out that a slow or lost Redis is back.
    """

    def __init__(self, now: Callable[[], float], slow_s: float = 0.25) -> None:
        self._now = now
        self._slow_s = slow_s
        self.state = RedisState.REACHABLE
        self._since_s = now()
        self._spent_s = dict.fromkeys(RedisState, 0.0)
        self._met_s = 0.0
        self._better_s: float | None = None
        self._wavers = False
        self._late_renewals = 0
        self._renews = False
        self.round_trips = DurationCounts()
        """Of renewals, which each process makes twice a second: what a call to Redis takes now."""

    @property
    def answers_soon(self) -> bool:
        """Whether it is worth a client's time to ask."""
        return not (self._renews and (self.state is _S or self.state is _G))

    def met(self, error: BaseException, *, renewing: bool = False) -> Trouble:
        """A call failed; returns why. With `renewing` it was a renewal, which waits longest."""
        self._renews = self._renews or renewing
        trouble = trouble_of(error)
        seen = _SEEN_BY_TROUBLE[trouble]
        if seen is Seen.LOST and isinstance(error, TimeoutError) and not renewing:
            seen = Seen.LATE
        self._met_s = self._now()
        says = "answers too late" if seen is Seen.LATE else trouble.value
        self._saw(seen, says, str(error) or repr(error))
        return trouble

    def answered(self) -> None:
        """A call that takes no memory has succeeded."""
        if self.state is not _R:
            self._saw(Seen.ANSWERED)
            self._calm()

    def stored(self) -> None:
        """Something was stored."""
        if self.state is not _R:
            self._saw(Seen.STORED)
            self._calm()

    def renewed(self, took_s: float) -> None:
        """A lease was renewed, within `took_s`."""
        self._renews = True
        self.round_trips.observe(took_s * 1000)
        if took_s <= self._slow_s:
            self._late_renewals = 0
            if self.state is not _R:
                self._saw(Seen.RENEWED)
                self._calm()
            return
        self._late_renewals += 1
        if self._late_renewals >= _LATE_RENEWALS:
            self._met_s = self._now()
            self._saw(Seen.BEHIND, "answers too late", f"{took_s * 1000:.0f} ms for a renewal")

    def seconds(self) -> dict[RedisState, float]:
        """The seconds spent in each state until now."""
        spent = dict(self._spent_s)
        spent[self.state] += self._now() - self._since_s
        return spent

    def _calm(self) -> None:
        if self._now() - self._met_s >= CALM_S:
            self._saw(Seen.CALM)

    def _saw(self, seen: Seen, says: str = "", why: str = "") -> None:
        """Change the state where the table says so, and tell the log."""
        before = self.state
        after = TRANSITIONS[before].get(seen, before)
        if after is before:
            return
        now_s = self._now()
        if _GRAVITY[after] < _GRAVITY[before]:
            if self._wavers and now_s - self._met_s < CALM_S:
                return
            self._wavers, self._better_s = False, now_s
        elif self._better_s is not None and now_s - self._better_s < CALM_S:
            self._wavers = True
        self._spent_s[before] += now_s - self._since_s
        self.state, self._since_s = after, now_s
        if after is _R:
            logger.info("Redis works again")
        else:
            logger.warning("Redis %s; %s: %s", says, _SO[after], why)
