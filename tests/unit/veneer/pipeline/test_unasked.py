"""A 304 answers a condition, and nothing else."""

from __future__ import annotations

import pytest

from tests.support.pipeline import ScriptedResponse
from veneer.core.fields import Fields, Pair
from veneer.core.messages import RequestHead
from veneer.pipeline.unasked import asked_for
from veneer.ports import UpstreamError, UpstreamFailure


def sent(*fields: Pair) -> RequestHead:
    return RequestHead("GET", "/x", None, "site", Fields(fields))


async def test_a_304_to_a_condition_is_its_answer() -> None:
    said = ScriptedResponse(status=304, body=())
    assert await asked_for(sent(("If-None-Match", '"a"')), said) is said
    assert not said.closed


async def test_one_that_nobody_asked_for_is_closed_and_a_failure() -> None:
    said = ScriptedResponse(status=304, body=())
    with pytest.raises(UpstreamError) as caught:
        await asked_for(sent(), said)
    assert (caught.value.failure, caught.value.sent, said.closed) == (UpstreamFailure.MALFORMED, True, True)
