"""Fetches that keep clients waiting for longer than may be, while something stored may stand in for an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from veneer.loop.tasks import Tasks
from veneer.pipeline.coalesce import FetchOutcome, Flight, Unreachable
from veneer.pipeline.plan import Plan
from veneer.ports import Clock, UpstreamError, UpstreamFailure


def overdue(within_s: float) -> Unreachable:
    """What a fetch comes to for who has waited for it as long as may be, and has something else to show.

    A backend that does not answer in time fails as one does that answers 504 (RFC 5861 section 4); what is in time is
    for a cache to say (RFC 9110 section 15.6.5).
    """
    detail = f"the fetch has brought nothing for {within_s:g} s"
    return Unreachable(UpstreamError(UpstreamFailure.READ_TIMEOUT, detail, sent=False))


def stale_after_s(plan: Plan, now: float) -> float | None:
    """After how long something stale stands in for a fetch that begins, if it may still then; `now` is wall time."""
    after_s = plan.stale_after_s
    return after_s if after_s is not None and plan.hides_errors_until > now + after_s else None


def may_wait_s(flight: Flight, plan: Plan, clock: Clock) -> float:
    """How long who joins the flight may wait for what it brings."""
    bound_s, after_s = plan.match.route.coalesce_wait_s, stale_after_s(plan, clock.now())
    return bound_s if after_s is None else min(bound_s, max(flight.began_s + after_s - clock.monotonic(), 0.0))


async def in_time(
    flight: Flight,
    flying: Coroutine[object, object, FetchOutcome],
    within_s: float,
    tasks: Tasks,
    release: Callable[[FetchOutcome], None],
) -> FetchOutcome:
    """What the flight brings, or that it is overdue: then it goes on by itself, and what is not stored is released."""
    fetching = tasks.start(flying, f"fetch {flight.key}")

    def release_late(task: asyncio.Task[FetchOutcome]) -> None:
        if not task.cancelled() and task.exception() is None:
            release(task.result())

    is_done = False
    try:
        done, _ = await asyncio.wait([fetching], timeout=within_s)
        is_done = bool(done)
    finally:
        if not is_done:
            fetching.add_done_callback(release_late)
            flight.asker_left()
    return fetching.result() if is_done else overdue(within_s)
