"""How patient a fetch is, and when refreshes rest."""

from __future__ import annotations

import pytest

from veneer.core.overload import Claim, Priority
from veneer.pipeline.claims import MOST_REST_S, Refreshes, refused_sooner
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
    assert refreshes.may_begin("one", 10.0)
    refreshes.ended("one", refused(2.0), 10.0)
    assert [refreshes.may_begin("one", at) for at in (11.9, 12.0)] == [False, True]
    assert refreshes.may_begin("other", 11.0)
    refreshes.ended("one", refused(60.0), 20.0)
    assert refreshes.may_begin("one", 20.0 + MOST_REST_S)
    refreshes.ended("one", refused(failure=UpstreamFailure.RESET), 20.0)
    assert refreshes.may_begin("one", 20.0)
