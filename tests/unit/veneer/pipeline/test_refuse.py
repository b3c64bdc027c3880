"""What a failure of the backend is called to the client."""

import msgspec
import pytest

from tests.support.pipeline import Bench
from veneer.core.outcome import CacheStatus
from veneer.pipeline.answer import BytesBody
from veneer.pipeline.exchange import Refusal
from veneer.pipeline.refuse import refuse, upstream_failed
from veneer.ports import UpstreamError, UpstreamFailure

STATUSES = {
    UpstreamFailure.CONNECT: 502,
    UpstreamFailure.CONNECT_TIMEOUT: 504,
    UpstreamFailure.READ_TIMEOUT: 504,
    UpstreamFailure.WRITE_TIMEOUT: 504,
    UpstreamFailure.POOL_TIMEOUT: 503,
    UpstreamFailure.OVERLOADED: 503,
    UpstreamFailure.UNHEALTHY: 503,
    UpstreamFailure.STREAMS_FULL: 503,
    UpstreamFailure.RESET: 502,
    UpstreamFailure.MALFORMED: 502,
    UpstreamFailure.TRUNCATED: 502,
    UpstreamFailure.ABANDONED: 502,
}


@pytest.mark.parametrize("failure", UpstreamFailure)
def test_each_failure_has_its_status_and_keeps_its_details_in_the_log(failure: UpstreamFailure) -> None:
    answer = upstream_failed(Bench().exchange(), UpstreamError(failure, "at 10.1.2.3", sent=True), CacheStatus())
    assert answer.head.status == STATUSES[failure]
    assert ("retry-after" in answer.head.fields) == (answer.head.status == 503)
    assert answer.refused is (Refusal.STREAMS if failure is UpstreamFailure.STREAMS_FULL else Refusal.UPSTREAM)
    assert isinstance(answer.body, BytesBody)
    assert b"10.1.2.3" not in answer.body.data
    assert "10.1.2.3" in answer.error


@pytest.mark.parametrize(("retry_s", "told"), [(-1.0, "1"), (0.2, "1"), (4.2, "5")])
def test_a_backend_that_is_not_asked_is_worth_another_try_when_it_will_be(retry_s: float, told: str) -> None:
    error = UpstreamError(UpstreamFailure.UNHEALTHY, "down", sent=False, retry_s=retry_s)
    for one in (error, error.again()):
        answer = upstream_failed(Bench().exchange(), one, CacheStatus())
        assert answer.head.fields.get("retry-after") == told


def test_a_refusal_is_a_problem_of_this_request() -> None:
    answer = refuse(Bench().exchange(query="a=1"), 503, "why", Refusal.LOAD, None, ("Retry-After", "1"))
    assert isinstance(answer.body, BytesBody)
    problem = msgspec.json.decode(answer.body.data, type=dict[str, object])
    assert (problem["status"], problem["detail"], problem["instance"]) == (503, "why", "/x?a=1")
    assert answer.head.fields.get("content-type") == "application/problem+json"
