"""Flights: one per key, the outcome reaches everybody, uncacheable keys are remembered for a while."""

import asyncio

from veneer.pipeline.coalesce import UNCACHEABLE_KEPT_S, UNCACHEABLE_LIMIT, Flights, Unreachable
from veneer.ports import UpstreamError, UpstreamFailure

FAILED = Unreachable(UpstreamError(UpstreamFailure.RESET, "gone", sent=True))


async def test_a_second_request_joins_the_first_and_both_see_the_outcome() -> None:
    flights = Flights()
    flight = flights.open("key")
    assert flights.join("key") is flight
    assert flights.join("other") is None
    waiting = asyncio.ensure_future(flight.wait())  # noqa: TID251 - a test's own task
    flight.resolve(FAILED)
    assert await waiting == FAILED
    flights.close(flight)
    assert flights.join("key") is None
    assert len(flights) == 0


async def test_a_waiter_that_leaves_does_not_end_the_flight() -> None:
    flight = Flights().open("key")
    waiting = asyncio.ensure_future(flight.wait())  # noqa: TID251 - a test's own task
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    flight.resolve(FAILED)
    assert await flight.wait() == FAILED


async def test_uncacheable_keys_are_remembered_for_a_while_and_bounded() -> None:
    flights = Flights()
    flights.remember_uncacheable("key", now_s=100.0)
    assert flights.is_uncacheable("key", now_s=100.0 + UNCACHEABLE_KEPT_S)
    assert not flights.is_uncacheable("key", now_s=100.1 + UNCACHEABLE_KEPT_S)
    for number in range(UNCACHEABLE_LIMIT + 1):
        flights.remember_uncacheable(str(number), now_s=0.0)
    assert not flights.is_uncacheable("0", now_s=0.0)
    assert flights.is_uncacheable("1", now_s=0.0)
    flights.forget_uncacheable("1")
    assert not flights.is_uncacheable("1", now_s=0.0)
