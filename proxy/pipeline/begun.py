"""A miss that was begun elsewhere and ends in the pipeline."""

from __future__ import annotations

from collections.abc import Awaitable

from proxy.core.rate import RateVerdict
from proxy.core.record import record
from proxy.core.reuse import Miss
from proxy.pipeline.coalesce import Flight
from proxy.pipeline.made import Fetched
from proxy.pipeline.plan import Plan


@record
class Begun:
    """A miss whose request a quicker way has sent, admitted and counted as the pipeline would have.

    `flight` is the one that others may have joined, or one that nobody can. `fetched` brings the response, or raises
    UpstreamError.
    """

    plan: Plan
    decision: Miss
    rate: RateVerdict | None
    flight: Flight
    fetched: Awaitable[Fetched]
