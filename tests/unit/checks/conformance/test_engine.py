"""The harness judges real exchanges: it fails a proxy that never caches, and one that caches everything."""

from __future__ import annotations

import msgspec
import pytest

from checks.conformance.judge import Finding, Result
from checks.conformance.suite import CacheTest
from tests.unit.checks.conformance.controls import always_caching, never_caching


def a_test(*steps: dict[str, object]) -> CacheTest:
    """A required test of these steps."""
    return msgspec.convert({"id": "t", "name": "a test", "requests": list(steps)}, type=CacheTest)


FRESH = {"response_headers": [["Cache-Control", "max-age=3600"]], "setup": True, "pause_after": True}
REUSES = a_test(FRESH, {"expected_type": "cached"})
FORBIDS = a_test(
    {"response_headers": [["Cache-Control", "no-store, max-age=3600"]], "setup": True}, {"expected_type": "not_cached"}
)
VALIDATES = a_test(
    {"response_headers": [["ETag", '"a"'], ["Cache-Control", "max-age=0"]], "setup": True},
    {"expected_type": "etag_validated"},
)
VARIES = a_test(
    {"request_headers": [["Foo", "1"]], "response_headers": [["Vary", "Foo"], ["Expires", 5000]], "setup": True},
    {"request_headers": [["Foo", "2"]], "expected_type": "not_cached"},
)
INVALIDATES = a_test(FRESH, {"request_method": "POST", "request_body": "x"}, {"expected_type": "not_cached"})
DISCONNECTS = a_test(FRESH, {"disconnect": True, "expected_type": "cached"})
HINTS = a_test(
    {"interim_responses": [[103, [["link", "</a>"]]]], "expected_interim_responses": [[103, [["link", "</a>"]]]]}
)
DATES = a_test(
    {"response_headers": [["Last-Modified", -60]], "setup": True},
    {
        "request_headers": [["If-Modified-Since", -60]],
        "magic_ims": True,
        "expected_type": "lm_validated",
        "expected_status": 304,
    },
)


async def never(test: CacheTest) -> Result:
    async with never_caching() as engine:
        return await engine.run(test)


async def always(test: CacheTest) -> Result:
    async with always_caching() as engine:
        return await engine.run(test)


@pytest.mark.parametrize("test", [REUSES], ids=["reuse"])
async def test_a_proxy_that_never_caches_fails_what_asks_for_reuse(test: CacheTest) -> None:
    assert (await never(test)).finding is Finding.FAILED
    assert (await always(test)).finding is Finding.PASSED


@pytest.mark.parametrize("test", [FORBIDS, VARIES, INVALIDATES], ids=["no-store", "vary", "invalidation"])
async def test_a_proxy_that_caches_everything_fails_what_forbids_reuse(test: CacheTest) -> None:
    assert (await always(test)).finding is Finding.FAILED
    assert (await never(test)).finding is Finding.PASSED


async def test_validation_is_failed_by_both() -> None:
    assert (await never(VALIDATES)).finding is Finding.FAILED
    assert "conditional" in (await never(VALIDATES)).message
    assert (await always(VALIDATES)).finding is Finding.FAILED


async def test_a_connection_that_the_origin_drops_is_no_response() -> None:
    assert (await never(DISCONNECTS)).finding is Finding.BROKEN
    assert (await always(DISCONNECTS)).finding is Finding.PASSED


async def test_interim_responses_have_to_arrive() -> None:
    assert (await never(HINTS)).finding is Finding.PASSED
    assert (await always(HINTS)).finding is Finding.FAILED


async def test_dates_are_offsets_from_the_clock_of_the_origin_at_the_step_before() -> None:
    assert (await never(DATES)).finding is Finding.PASSED


async def test_a_step_that_prepares_the_test_is_set_up_or_not_but_never_failed() -> None:
    prepares = a_test({"response_status": [404, "Not Found"], "expected_status": 200, "setup": True})
    assert (await never(prepares)).finding is Finding.SETUP_FAILED


async def test_a_script_runs_afresh_each_time() -> None:
    async with never_caching() as engine:
        assert [(await engine.run(DATES)).finding for _ in range(2)] == [Finding.PASSED] * 2
    assert DATES.requests[0].response_headers[0].value == -60
