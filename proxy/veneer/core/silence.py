"""Which of several targets hangs: one that says nothing for much longer than the others take. Pure.

A time-out that fits every request is far too long for most. What others take for requests of the same kind (a route) is
known, and a safe request may be asked of another target (hedged requests: Dean and Barroso, "The Tail at Scale", 2013).
But a request that takes long is no sign of a target that hangs: it may be a report, or a long poll. So

* a target is *suspected* only where nothing at all has come from it since the request was sent, while others answered,
  or while one of them owes nothing and could be asked: where all who ask wait for one target, no other is heard;
* one that is suspected gets the next few safe requests (*canaries*) and nothing else. What it answers clears it;
* what it has not answered in time goes to another target. Only where that one answers it sooner than the first had time
  for it has the first one *missed* it: the same request compares the two, whatever it is.

`now` is a monotonic reading in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Final

FLOOR_S: Final = 0.3
"""Nobody is suspected sooner: processes stall for so long and are well."""
LONE: Final = 3.0
"""So many times as long as a canary a request is waited for that was sent before anything was suspected."""
LIVED: Final = 2.0
"""So many times as long as that the target is not heard after something else had come, and it is suspected."""
MISSES: Final = 3
"""So many requests missed in a row, and a target hangs."""
SUSPECTED_S: Final = 10.0
"""So long after the last sign of it a suspicion lasts where no request comes that could clear it."""
WINDOW_S: Final = 30.0
"""What was longer ago than one to two of these says nothing of how long requests take."""
MIN_ANSWERS: Final = 10
"""From fewer it is not concluded how long requests of a kind take."""
MAX_KINDS: Final = 256


class Owed:
    """A safe request of this kind that a target has not answered yet. `canary` says that it was sent to find out."""

    __slots__ = ("canary", "kind", "sent_s")

    def __init__(self, kind: str, sent_s: float, *, canary: bool) -> None:
        self.kind = kind
        self.sent_s = sent_s
        self.canary = canary


class _Sums:
    """Of the latencies within one window."""

    __slots__ = ("count", "longest_s", "squares", "sum_s")

    def __init__(self) -> None:
        self.count = 0
        self.sum_s = self.squares = self.longest_s = 0.0


class _Usual:
    """How long one target took for requests of one kind, within this window and the one before."""

    __slots__ = ("_since_s", "before", "current")

    def __init__(self, now: float) -> None:
        self._since_s = now
        self.before = _Sums()
        self.current = _Sums()

    def learn(self, latency_s: float, now: float) -> None:
        """See one more."""
        self.advance(now)
        sums = self.current
        sums.count += 1
        sums.sum_s += latency_s
        sums.squares += latency_s * latency_s
        sums.longest_s = max(sums.longest_s, latency_s)

    def advance(self, now: float) -> None:
        """Forget what is too long ago."""
        passed_s = now - self._since_s
        if passed_s >= WINDOW_S:
            self.before = self.current if passed_s < 2 * WINDOW_S else _Sums()
            self.current = _Sums()
            self._since_s = now


class Silence:
    """What one target owes, when it was heard last, and whether it is suspected to hang."""

    __slots__ = ("_canaries", "_suspected_until_s", "_usual", "fitting_s", "heard_s", "missed", "owed")

    def __init__(self) -> None:
        self.owed: dict[Owed, None] = {}
        """In the order in which they were sent."""
        self.heard_s = -inf
        self.missed = 0
        """Requests in a row that another has answered in its place."""
        self.fitting_s = 0.0
        """Whoever is waited for no longer than this may find out whether it hangs."""
        self._canaries = 0
        self._suspected_until_s = -inf
        self._usual: dict[str, _Usual] = {}

    def sent(self, owed: Owed) -> None:
        """A safe request is on its way there."""
        self.owed[owed] = None
        self._canaries += owed.canary

    def ended(self, owed: Owed) -> None:
        """It is under way no more, however it went. Idempotent."""
        if owed in self.owed:
            del self.owed[owed]
            self._canaries -= owed.canary

    def heard(self, now: float) -> None:
        """Something has come from it."""
        self.heard_s = now
        self.missed = 0
        self._suspected_until_s = -inf

    def learn(self, owed: Owed, now: float) -> None:
        """What it owed has come now, or is waited for no more: that long such a request may take."""
        usual = self._usual.get(owed.kind)
        if usual is None:
            if len(self._usual) >= MAX_KINDS:
                self._usual.clear()
            usual = self._usual[owed.kind] = _Usual(now)
        usual.learn(now - owed.sent_s, now)

    @property
    def trusted(self) -> bool:
        """Whether it has not been suspected since it was last heard."""
        return self._suspected_until_s == -inf

    def suspected(self, now: float) -> bool:
        """Whether it gets nothing but canaries."""
        return now < self._suspected_until_s

    def suspect(self, now: float, fitting_s: float) -> None:
        """It seems to hang."""
        self._suspected_until_s = now + SUSPECTED_S
        self.fitting_s = fitting_s

    def returned(self, now: float) -> None:
        """It may have requests again after it had none: safe ones first; where it hung, the next miss is enough."""
        self.missed = min(self.missed, MISSES - 1)
        self.suspect(now, inf)

    def wants_canary(self, now: float) -> bool:
        """Whether one more is to find out."""
        return now < self._suspected_until_s and self._canaries < max(MISSES - self.missed, 1)

    def miss(self, owed: Owed, waited_s: float, elsewhere_s: float, now: float) -> bool:
        """Another target has answered in `elsewhere_s` what this one had `waited_s` for; whether it has missed it."""
        if elsewhere_s > waited_s or self.heard_s >= owed.sent_s:
            return False
        self.missed += 1
        self.suspect(now, max(waited_s, self.fitting_s))
        return True

    def usual(self, kind: str, now: float) -> _Usual | None:
        """How long it took for those of a kind, where it had any."""
        usual = self._usual.get(kind)
        if usual is not None:
            usual.advance(now)
        return usual


def patience_s(others: Sequence[Silence], kind: str, now: float) -> tuple[float, float] | None:
    """How long to wait for a canary, and for a request that is none, by what others took; None where that is unknown.

    Twice the mean and four standard deviations: far beyond what is usual even where latencies vary much.
    """
    count, total_s, squares, longest_s = 0, 0.0, 0.0, 0.0
    for other in others:
        usual = other.usual(kind, now)
        if usual is not None:
            for sums in (usual.before, usual.current):
                count += sums.count
                total_s += sums.sum_s
                squares += sums.squares
                longest_s = max(longest_s, sums.longest_s)
    if count < MIN_ANSWERS:
        return None
    mean_s = total_s / count
    canary_s = max(2 * mean_s + 4 * sqrt(max(squares / count - mean_s * mean_s, 0.0)), FLOOR_S)
    return canary_s, max(LONE * canary_s, 2 * longest_s)


def _patience_s(silence: Silence, others: Sequence[Silence], kind: str, now: float) -> tuple[float, float] | None:
    """The same by what the others took; where they had too few requests of the kind, by what the target itself took."""
    return patience_s(others, kind, now) or patience_s([silence], kind, now)


def overdue(silence: Silence, others: Sequence[Silence], now: float, *, another_is_ready: bool = False) -> list[Owed]:
    """What a target owes that is better asked of another one; suspects the target where there is reason to.

    `another_is_ready` says that one of those that may have requests is ready (`core.balancing`).
    """
    found: list[Owed] = []
    heard_s = max((other.heard_s for other in others), default=-inf)
    # Many may be owed of a kind, long polls for instance, and this is asked ten times a second.
    patiences: dict[str, tuple[float, float] | None] = {}
    for owed in silence.owed:
        if now - owed.sent_s < FLOOR_S:
            break  # and so the rest
        # What came after it was sent says that the target lived then; that it hangs since, others have to find out.
        lived = silence.missed < MISSES and silence.heard_s >= owed.sent_s
        since_s = silence.heard_s if lived else owed.sent_s
        if not another_is_ready and heard_s <= since_s:
            continue
        if owed.kind not in patiences:
            patiences[owed.kind] = _patience_s(silence, others, owed.kind, now)
        patience = patiences[owed.kind]
        if patience is None or now - since_s < (LIVED * patience[1] if lived else patience[0]):
            continue
        silence.suspect(now, max(patience[0], silence.fitting_s if silence.suspected(now) else 0.0))
        if owed.canary or silence.missed >= MISSES or (now - since_s >= patience[1] and not lived):
            found.append(owed)
    return found


def may_find_out(silence: Silence, others: Sequence[Silence], kind: str, now: float) -> bool:
    """Whether a safe request of this kind should go to a target to find out whether it hangs."""
    if not silence.wants_canary(now):
        return False
    patience = _patience_s(silence, others, kind, now)
    return patience is not None and patience[0] <= silence.fitting_s
