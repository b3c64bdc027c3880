"""How urgent it is to ask a backend, and how patient who asks is."""

from __future__ import annotations

from dataclasses import replace

from veneer.core.overload import Claim, in_background
from veneer.pipeline.coalesce import FetchOutcome, Flight, Unreachable
from veneer.pipeline.plan import Plan
from veneer.ports import UpstreamFailure

MOST_REST_S = 5.0
"""So long no refresh is tried at most after one was refused."""


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
    """When stale responses may be refreshed: not while a backend is known to have enough to do."""

    def __init__(self) -> None:
        self._rests_until_s: dict[str, float] = {}

    def may_begin(self, upstream: str, now_s: float) -> bool:
        """Whether to ask this upstream. `now_s` is monotonic."""
        until_s = self._rests_until_s.get(upstream)
        return until_s is None or now_s >= until_s

    def claim(self, plan: Plan) -> Claim:
        """The claim of a refresh."""
        return in_background(plan.match.route.claim)

    def ended(self, upstream: str, outcome: FetchOutcome, now_s: float) -> None:
        """See how one ended."""
        if isinstance(outcome, Unreachable) and outcome.error.failure is UpstreamFailure.OVERLOADED:
            self._rests_until_s[upstream] = now_s + min(outcome.error.retry_s, MOST_REST_S)
        else:
            self._rests_until_s.pop(upstream, None)
