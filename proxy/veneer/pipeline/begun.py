"""A miss that was begun elsewhere and ends in the pipeline."""

from __future__ import annotations

from collections.abc import Awaitable

from veneer.core.rate import RateVerdict
from veneer.core.record import fast_struct
from veneer.core.reuse import Miss
from veneer.pipeline.coalesce import Flight
from veneer.pipeline.made import FetchedResponse
from veneer.pipeline.plan import Plan


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
