"""A request of one client that nobody can join."""

from __future__ import annotations

import pytest

from tests.support.pipeline import ScriptedClient
from veneer.core.overload import ANY_CLAIM
from veneer.pipeline.heeded import Heeded


def test_the_demand_ends_with_its_client() -> None:
    client = ScriptedClient()
    with Heeded(client, ANY_CLAIM) as demand:
        assert demand.wanted
        client.leave()
        assert not demand.wanted


def test_who_is_answered_waits_on() -> None:
    client = ScriptedClient()
    with Heeded(client, ANY_CLAIM) as demand:
        client.leave()
    assert demand.wanted


def test_after_a_failure_nobody_is_heeded() -> None:
    client = ScriptedClient()
    with pytest.raises(ValueError, match="failed"), Heeded(client, ANY_CLAIM) as demand:
        raise ValueError("failed")
    client.leave()
    assert demand.wanted, "the client's end means nothing any more"
