"""What was begun elsewhere and ends in the pipeline."""

from __future__ import annotations

from collections.abc import Awaitable

from veneer.core.entry import Position
from veneer.core.rate import RateVerdict
from veneer.core.record import fast_struct
from veneer.core.reuse import Miss
from veneer.pipeline.coalesce import Flight
from veneer.pipeline.made import FetchedResponse
from veneer.pipeline.plan import Plan
from veneer.ports import Receipt, UpstreamResponse


@fast_struct
class SentMiss:
    """A miss whose request a quicker way has sent, admitted and counted as the pipeline would have.

    `flight` is the one that others may have joined, or one that nobody can. `fetched` brings the response, or raises
    UpstreamError.
    """

    plan: Plan
    decision: Miss
    rate: RateVerdict | None
    flight: Flight
    fetched: Awaitable[FetchedResponse]


@fast_struct
class AdmittedMiss:
    """A request for something stored that a quicker way has admitted and counted, and not sent."""

    rate: RateVerdict | None


@fast_struct
class FollowedMiss:
    """A miss that a quicker way has admitted and counted, and that has waited so far for what `flight` brings."""

    plan: Plan
    decision: Miss
    rate: RateVerdict | None
    flight: Flight


@fast_struct
class SentWrite:
    """A request that is not safe, which a quicker way has sent, admitted and counted as the pipeline would have.

    `born` is the log's position before that. `response` raises UpstreamError. `announced` says that the log has to be
    told of its end (`InvalidationLog.end_write`), `receipt` what became of its events, where they are appended already.
    """

    rate: RateVerdict | None
    born: Position
    response: Awaitable[UpstreamResponse]
    announced: bool
    receipt: Receipt | None


Begun = SentMiss | FollowedMiss | AdmittedMiss | SentWrite
"""What a quicker way has counted as active and in flight already."""
