"""What a route does while Redis is away or a source of changes late: for the pipeline, and for who shows it before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from veneer.core.messages import RequestHead
from veneer.core.sources import keeps_up
from veneer.pipeline.invalidations import done_by, is_strict
from veneer.policy.model import Match, Policy, Route, StoreLoss
from veneer.policy.model_changes import SourceBound, SourceLoss
from veneer.ports import Clock, InvalidationLog, LeaseState


class Loss(Enum):
    """Why nobody knows whether what is stored still holds; the detail of Cache-Status meanwhile."""

    STORE = "store-lost"  # the log cannot be heard
    SOURCE = "source-late"  # a source of changes that the route names is late, or lost


class LostRead(Enum):
    """What answers a read then."""

    FORWARDED = "forwarded"
    STORED = "stored, or forwarded"


class LostWrite(Enum):
    """What becomes of a request that is not safe once the lease has run out."""

    REFUSED = "refused, 503"
    CARRIED_OUT = "carried out"


@dataclass(frozen=True, slots=True)
class Lost:
    """What is lost now, and what answers reads meanwhile."""

    loss: Loss
    read: LostRead


def lost_now(log: InvalidationLog, route: Route, clock: Clock) -> Lost | None:
    """What is lost now of all that the route's stored responses live by; None where nothing is."""
    if log.lease_state() is not LeaseState.HELD:
        return Lost(Loss.STORE, read_when_lost(route))
    return late(log, route.sources, clock.monotonic()) if route.sources else None


def late(log: InvalidationLog, sources: tuple[SourceBound, ...], now_s: float) -> Lost | None:
    """Whether a source is late; where one of these forwards, all do."""
    late = {bound.on_loss for bound in sources if not keeps_up(log.as_of(bound.source), bound.max_lag_s, now_s)}
    if SourceLoss.FORWARD in late:
        return Lost(Loss.SOURCE, LostRead.FORWARDED)
    return Lost(Loss.SOURCE, LostRead.STORED) if SourceLoss.STALE in late else None


def read_when_lost(route: Route) -> LostRead:
    """Whether what is stored may be looked at although the log cannot be heard."""
    stale = route.cache.enabled and route.on_store_loss is StoreLoss.STALE
    return LostRead.STORED if stale else LostRead.FORWARDED


def write_when_lost(policy: Policy, match: Match, request: RequestHead) -> LostWrite:
    """Whether it has to be made known before it is sent, and so is not sent; what invalidates nothing need not be."""
    carried_out = not is_strict(match.route) or not done_by(policy, match, request)
    return LostWrite.CARRIED_OUT if carried_out else LostWrite.REFUSED
