"""How patient a fetch is, and when refreshes rest."""

from __future__ import annotations

import pytest

from tests.support.clock import ManualClock
from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.core.overload import Claim, Priority
from veneer.pipeline.claims import MAX_RESTING, MOST_ASKED_REST_S, MOST_REST_S, Refreshes, refused_sooner
from veneer.pipeline.coalesce import Flight, Unreachable
from veneer.ports import UpstreamError, UpstreamFailure


def refused(retry_s: float = 1.0, failure: UpstreamFailure = UpstreamFailure.OVERLOADED) -> Unreachable:
    return Unreachable(UpstreamError(failure, "too much", sent=False, retry_s=retry_s))


@pytest.mark.parametrize(
    ("flown", "asked", "sooner"),
    [
        (Claim("a"), Claim("a"), False),
        (Claim("a", waits=False), Claim("a"), True),
        (Claim("a", Priority.BACKGROUND), Claim("a"), True),
        (Claim("a", Priority.BACKGROUND), Claim("a", waits=False), False),
        (Claim("a"), Claim("a", Priority.BACKGROUND), False),
    ],
)
def test_who_would_have_waited_is_not_refused_with_who_did_not(flown: Claim, asked: Claim, *, sooner: bool) -> None:
    flight = Flight("key")
    flight.claim = flown
    assert refused_sooner(flight, asked, refused()) is sooner
    assert not refused_sooner(flight, asked, refused(failure=UpstreamFailure.RESET))


def test_refreshes_rest_after_one_was_refused_and_not_for_ever() -> None:
    refreshes = Refreshes()
    assert refreshes.may_begin("one", "key", 10.0)
    refreshes.ended("one", refused(2.0), 10.0)
    assert [refreshes.may_begin("one", "key", at) for at in (11.9, 12.0)] == [False, True]
    assert refreshes.may_begin("other", "key", 11.0)
    refreshes.ended("one", refused(60.0), 20.0)
    assert refreshes.may_begin("one", "key", 20.0 + MOST_REST_S)
    refreshes.ended("one", refused(failure=UpstreamFailure.RESET), 20.0)
    assert refreshes.may_begin("one", "key", 20.0)


def busy(retry_after: str | None) -> ResponseHead:
    return ResponseHead(503, "Busy", Fields([] if retry_after is None else [("Retry-After", retry_after)]))


def test_a_backend_is_left_alone_for_as_long_as_it_has_asked_for() -> None:
    refreshes, clock = Refreshes(), ManualClock()
    began_s = clock.monotonic()
    refreshes.heard("key", busy("2"), clock)
    assert [refreshes.rests("key", began_s + passed_s) for passed_s in (0.0, 1.9, 2.0)] == [True, True, False]
    assert not refreshes.may_begin("one", "key", began_s + 1.9)
    assert refreshes.may_begin("one", "other", began_s + 1.9)
    refreshes.heard("long", busy("86400"), clock)
    assert not refreshes.rests("long", began_s + MOST_ASKED_REST_S)
    refreshes.heard("silent", busy(None), clock)
    assert not refreshes.rests("silent", began_s)


def test_not_more_keys_are_remembered_than_may_be() -> None:
    refreshes, clock = Refreshes(), ManualClock()
    for number in range(MAX_RESTING + 5):
        refreshes.heard(str(number), busy("9"), clock)
    assert not refreshes.rests("4", clock.monotonic())
    assert refreshes.rests("5", clock.monotonic())
