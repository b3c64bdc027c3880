"""How urgent it is to ask a backend, and how patient who asks is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from veneer.core import balancing
from veneer.core.messages import ResponseHead
from veneer.core.overload import Claim, in_background
from veneer.pipeline.coalesce import FetchOutcome, Flight, Unreachable
from veneer.pipeline.plan import Plan
from veneer.ports import Clock, UpstreamFailure

MOST_REST_S = 5.0
"""So long no refresh is tried at most after one was refused."""
MOST_ASKED_REST_S = balancing.MOST_REST_S
"""So long a backend is not asked for a key at most that it has answered with 503 and Retry-After."""
MAX_RESTING = 10_000
"""Keys remembered for that, the oldest are forgotten."""
BUSY_STATUS = 503


def claim_of(plan: Plan, now: float) -> Claim:
    """The claim of a fetch at `now`, in seconds since the epoch: what is stale and may be served does not wait."""
    claim = plan.match.route.claim
    return replace(claim, waits=False) if plan.stale_on_overload_until > now else claim


def refused_sooner(flight: Flight, claim: Claim, outcome: Unreachable) -> bool:
    """Whether the flight was refused where a fetch with this claim would have waited."""
    if outcome.error.failure is not UpstreamFailure.OVERLOADED:
        return False
    return claim.waits and (not flight.claim.waits or claim.priority < flight.claim.priority)


class Refreshes:
    """When a backend is left alone though what is stored is stale: it is known to have enough to do, or has said so.

    What it says (RFC 9110 section 10.2.3) it says of one key, and is believed for MOST_ASKED_REST_S at most.
    """

    def __init__(self) -> None:
        self._rests_until_s: dict[str, float] = {}
        self._keys_rest_until_s: OrderedDict[str, float] = OrderedDict()

    def may_begin(self, upstream: str, key: str, now_s: float) -> bool:
        """Whether to ask this upstream for this key in the background. `now_s` is monotonic."""
        until_s = self._rests_until_s.get(upstream)
        return (until_s is None or now_s >= until_s) and not self.rests(key, now_s)

    def rests(self, key: str, now_s: float) -> bool:
        """Whether the backend has said that it is not to be asked for this key now."""
        if not self._keys_rest_until_s:
            return False
        until_s = self._keys_rest_until_s.get(key)
        return until_s is not None and now_s < until_s

    def claim(self, plan: Plan) -> Claim:
        """The claim of a refresh."""
        return in_background(plan.match.route.claim)

    def ended(self, upstream: str, outcome: FetchOutcome, now_s: float) -> None:
        """See how one ended."""
        if isinstance(outcome, Unreachable) and outcome.error.failure is UpstreamFailure.OVERLOADED:
            self._rests_until_s[upstream] = now_s + min(outcome.error.retry_s, MOST_REST_S)
        else:
            self._rests_until_s.pop(upstream, None)

    def heard(self, key: str, busy: ResponseHead, clock: Clock) -> None:
        """See a backend answer that it is busy; where it says for how long, it is not asked for this key meanwhile."""
        rest_s = balancing.asked_rest_s(busy.fields, clock.now())
        if rest_s is None:
            return
        self._keys_rest_until_s[key] = clock.monotonic() + min(rest_s, MOST_ASKED_REST_S)
        self._keys_rest_until_s.move_to_end(key)
        while len(self._keys_rest_until_s) > MAX_RESTING:
            self._keys_rest_until_s.popitem(last=False)
