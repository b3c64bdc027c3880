"""How many requests a backend gets at once, found from how long it takes. Pure; `now_s` is a monotonic reading.

The gradient algorithm of Netflix' concurrency-limits (Gradient2, 2018), with the latency that it compares to measured
as Envoy's adaptive concurrency filter does it: while few requests are at the backend, and now and then by letting only
few go. An average of all latencies would take the backend's own queue for its nature after a while.
"""

from __future__ import annotations

import math
from typing import Final

INITIAL: Final = 20
"""Where nothing is known yet; doubled in each window that uses it while the latency stays."""
TOLERANCE: Final = 1.5
"""So many times its calm latency a backend may take."""
FLOOR_S: Final = 0.02
"""Shorter latencies count as this: they tell of this process' own turns more than of the backend."""
WINDOW_S: Final = 0.1
WINDOW_SAMPLES: Final = 10
PROBE_EVERY_S: Final = 10.0
PROBE_AGAIN_S: Final = 1.0
PROBE_SAMPLES: Final = 20
PROBE_MOST_S: Final = 2.0
STALL_S: Final = 0.25
STALL_MOST_S: Final = 2.5
MAX_KINDS: Final = 256
_MOST_RATIO: Final = 4.0
_MOST_QUEUE: Final = 8.0
"""So many times its calm latency a request may count in a window: it says how far the limit is from what is right."""
_NO_QUEUE: Final = 1.2
_LEAST_GRADIENT: Final = 0.25
_TAUGHT_BY: Final = 16
_SMALL: Final = 8.0


class _Calm:
    """The mean latency of one kind of requests while the backend is calm: of the first ones, and then a moving one."""

    __slots__ = ("count", "mean_s")

    def __init__(self, latency_s: float) -> None:
        self.mean_s = latency_s
        self.count = 1

    def learn(self, latency_s: float) -> None:
        """See one more."""
        self.count = min(self.count + 1, _TAUGHT_BY)
        self.mean_s += (min(latency_s, _MOST_RATIO * self.mean_s) - self.mean_s) / self.count


class ConcurrencyLimit:
    """The limit for one backend, between `least` and `most`.

    It binds only where it is used: it grows when requests had to wait for it, and shrinks when at least half of it was
    used and the backend took longer than it does when it is calm. Latencies are compared among requests of one kind (a
    route), and each counts by its ratio, so that neither slow kinds nor single slow requests look like a queue.
    """

    __slots__ = (
        "_answered_s",
        "_calm",
        "_calm_limit",
        "_count",
        "_exact",
        "_growing",
        "_least",
        "_most",
        "_peak",
        "_probe_left",
        "_probe_until_s",
        "_reached",
        "_since_s",
        "_sum",
        "_taught_limit",
        "_taught_s",
        "limit",
    )

    def __init__(self, most: int, least: int = 2, initial: int = INITIAL) -> None:
        self._most = float(most)
        self._least = float(min(least, most))
        self._exact = float(max(min(initial, most), self._least))
        self.limit = int(self._exact)
        """How many may be at the backend now."""
        self._calm: dict[str, _Calm] = {}
        self._growing = True
        self._calm_limit = self._calm_limit_of(self._exact)
        self._reached = False
        self._peak = 0
        self._sum = 0.0
        self._count = 0
        self._since_s = self._answered_s = self._taught_s = 0.0
        self._taught_limit = self._exact
        self._probe_left = 0
        self._probe_until_s = 0.0

    def answered(self, kind: str, latency_s: float, among: int, now_s: float) -> None:
        """A request of this kind was answered; when it was sent `among` were at the backend, itself one of them."""
        self._answered_s = now_s
        latency_s = max(latency_s, FLOOR_S)
        calm = self._calm.get(kind)
        if calm is None:
            if len(self._calm) >= MAX_KINDS:
                self._calm.clear()
            calm = self._calm[kind] = _Calm(latency_s)
        if among <= self._calm_limit and (not self._reached or self._tells_of_calm(calm, latency_s, among)):
            calm.learn(latency_s)
            self._taught_s = now_s
            self._taught_limit = self._exact
            self._probe_left = max(self._probe_left - 1, 0)
        if self._probe_until_s:
            if self._probe_left == 0 or now_s >= self._probe_until_s:
                self._end_probe(now_s)
            return
        if now_s - latency_s < self._since_s:
            return  # sent under the limit before: it tells nothing of this one
        self._sum += min(latency_s / calm.mean_s, _MOST_QUEUE)
        self._count += 1
        self._peak = max(self._peak, among)
        if self._count >= WINDOW_SAMPLES and now_s - self._since_s >= WINDOW_S:
            self._step(now_s)

    def reached(self, now_s: float) -> bool:
        """A request has to wait for the limit; whether it has grown for that.

        Where nothing is answered at all for longer than is usual, what is at the backend is slow by nature, as a long
        poll, or the backend hangs. Neither is a queue: the limit grows to what it would be without this.
        """
        self._reached = True
        if self._answered_s == 0.0:
            self._answered_s = now_s
        usual_s = self.calm_s()
        if now_s - self._answered_s >= min(max(STALL_S, 2 * usual_s), STALL_MOST_S):
            before = self.limit
            self._probe_until_s = 0.0
            self._answered_s = now_s
            self._set(self._exact * 2, now_s)
            return self.limit > before
        return False

    def calm_s(self) -> float:
        """How long a request of the quickest kind takes while the backend is calm; 0 where nothing is known."""
        return min([calm.mean_s for calm in self._calm.values()], default=0.0)

    def _tells_of_calm(self, calm: _Calm, latency_s: float, among: int) -> bool:
        """Whether a latency among few is no queue's, while requests have to wait: it may be that of those before them.

        Unless little is known yet, or it is longer than if the backend did one at a time: such requests are slow.
        """
        if self._probe_until_s or calm.count < _TAUGHT_BY:
            return True
        return latency_s > TOLERANCE * calm.mean_s * among

    def _calm_limit_of(self, exact: float) -> int:
        """With at most so many at it the backend is calm; while nothing is known of it, and of few, with fewer.

        Rounded down: the latency of two that wait for each other would else be the calm one of a backend that does one
        at a time, and a limit that is too high would confirm itself.
        """
        few = self._growing or exact < _SMALL
        return max(1, int(exact / (4 if few else 3)))

    def _step(self, now_s: float) -> None:
        exact = self._exact
        mean = self._sum / self._count
        gradient = max(min(TOLERANCE / mean, 1.0), _LEAST_GRADIENT)
        if mean > _NO_QUEUE:
            self._growing = False
        if gradient == 1.0:
            wanted = exact + max(math.sqrt(exact) / 2, 1.0)
        else:
            # Of few the fraction counts: with it each limit from two to three would be as right as two.
            base = float(self.limit) if exact < _SMALL else exact
            wanted = base * gradient + min(math.sqrt(base) / 2, base / 4)
        full = self._reached or self._peak >= self.limit
        if gradient < 1.0 and 2 * self._peak >= self.limit:
            exact = wanted if full else min(wanted, exact)
        elif gradient >= 1.0 and full:
            exact = exact * 2 if self._growing else wanted
        self._set(exact, now_s)
        self._probe_if_due(now_s, full=full)

    def _probe_if_due(self, now_s: float, *, full: bool) -> None:
        """Let few go for a while, where it has been long, or much has changed, since the backend was seen calm."""
        unseen_s = now_s - self._taught_s
        due = unseen_s >= PROBE_EVERY_S or (unseen_s >= PROBE_AGAIN_S and 2 * self._exact <= self._taught_limit)
        if due and full and not self._growing:
            self._probe_left = PROBE_SAMPLES
            self._probe_until_s = now_s + PROBE_MOST_S
            self.limit = min(self._calm_limit, self.limit)

    def _end_probe(self, now_s: float) -> None:
        self._probe_left = 0
        self._probe_until_s = 0.0
        self._taught_s = now_s
        self._taught_limit = self._exact
        self._set(self._exact, now_s)

    def _set(self, exact: float, now_s: float) -> None:
        """Begin another window with this limit."""
        self._exact = max(min(exact, self._most), self._least)
        self.limit = int(self._exact)
        self._calm_limit = self._calm_limit_of(self._exact)
        self._reached = False
        self._peak = 0
        self._sum = 0.0
        self._count = 0
        self._since_s = now_s
