"""What a route does while Redis is away, for the pipeline that does it and for the command that shows it beforehand."""

from __future__ import annotations

from enum import Enum

from veneer.core.messages import RequestHead
from veneer.pipeline.invalidations import done_by, is_strict
from veneer.policy.model import Match, Policy, Route, StoreLoss


class LostRead(Enum):
    """What answers a read once the lease has run out."""

    FORWARDED = "forwarded"
    STORED = "stored, or forwarded"


class LostWrite(Enum):
    """What becomes of a request that is not safe."""

    REFUSED = "refused, 503"
    CARRIED_OUT = "carried out"


def read_when_lost(route: Route) -> LostRead:
    """Whether what is stored may be looked at although nobody knows whether it still holds."""
    stale = route.cache.enabled and route.on_store_loss is StoreLoss.STALE
    return LostRead.STORED if stale else LostRead.FORWARDED


def write_when_lost(policy: Policy, match: Match, request: RequestHead) -> LostWrite:
    """Whether it has to be made known before it is sent, and so is not sent; what invalidates nothing need not be."""
    carried_out = not is_strict(match.route) or not done_by(policy, match, request)
    return LostWrite.CARRIED_OUT if carried_out else LostWrite.REFUSED
