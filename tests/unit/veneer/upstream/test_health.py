"""Breaker and health checks over a real pool."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.clock import ManualClock
from tests.support.origin import OriginConnection, answering, running_origin
from tests.unit.veneer.upstream.conftest import pool_for, request
from veneer.loop.tasks import Tasks
from veneer.policy.model import BreakerRules, HealthRules, UpstreamSettings
from veneer.ports import UpstreamError, UpstreamFailure
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.open import open_upstream, pool_settings
from veneer.upstream.pool import UpstreamPool

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ERROR = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


async def test_the_breaker_refuses_at_once_and_tries_again_later() -> None:
    broken = True

    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            if broken:
                return
            await connection.send(HELLO)

    async with pool_for(script) as bench:
        guard = BreakerGuard(bench.pool, BreakerRules(failures=2, open_s=5.0), bench.clock)
        for _ in range(2):
            with pytest.raises(UpstreamError, match="reset"):
                await guard.exchange(request(), None)
        with pytest.raises(UpstreamError) as caught:
            await guard.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.UNHEALTHY
        assert (caught.value.sent, caught.value.retry_s) == (False, 5.0)
        assert len(bench.origin.heads) == 2
        bench.clock.advance(5.0)
        with pytest.raises(UpstreamError, match="in a row have failed") as caught:
            await guard.exchange(request("POST"), None)
        assert (caught.value.sent, caught.value.retry_s) == (False, 5.0)
        broken = False
        bench.clock.advance(5.0)
        for _ in range(2):
            await (await guard.exchange(request("POST"), None)).aclose()
        starts = [head.split(b" HTTP")[0] for head in bench.origin.heads[2:]]
        assert starts == [b"OPTIONS /", b"OPTIONS /", b"POST /", b"POST /"], "a try is never a client's request"


async def test_a_try_that_does_not_come_to_an_end_does_not_keep_the_breaker_waiting() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        if connection.number > 0:
            await connection.closed_by_peer()

    async with pool_for(script) as bench:
        guard = BreakerGuard(bench.pool, BreakerRules(failures=1, open_s=5.0), bench.clock)
        with pytest.raises(UpstreamError):
            await guard.exchange(request(), None)
        bench.clock.advance(5.0)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(guard.exchange(request(), None), 0.02)


async def test_a_try_is_the_health_check_where_there_is_one() -> None:
    answers = [ERROR, HELLO, HELLO]

    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            await connection.send(answers.pop(0))

    async with pool_for(script) as bench:
        checked = CheckedPool(bench.pool, HealthRules("/up", unhealthy_after=5))
        guard = BreakerGuard(checked, BreakerRules(failures=1, open_s=5.0), bench.clock)
        guard._note(UpstreamError(UpstreamFailure.RESET, "no", sent=True))
        bench.clock.advance(5.0)
        with pytest.raises(UpstreamError, match="in a row have failed"):
            await guard.exchange(request(), None)
        bench.clock.advance(5.0)
        await (await guard.exchange(request(), None)).aclose()
        assert [head.split(b" HTTP")[0] for head in bench.origin.heads] == [b"GET /up", b"GET /up", b"GET /"]


async def test_errors_of_the_backend_are_answers() -> None:
    async with pool_for(answering(ERROR)) as bench:
        guard = BreakerGuard(bench.pool, BreakerRules(failures=1), bench.clock)
        for _ in range(3):
            response = await guard.exchange(request(), None)
            assert response.head.status == 500


async def test_checks_take_a_backend_out_and_back_in() -> None:
    async with pool_for(answering(HELLO, ERROR, ERROR, HELLO, HELLO, HELLO)) as bench:
        checked = CheckedPool(bench.pool, HealthRules("/up?x=1", unhealthy_after=2, healthy_after=2))
        seen = []
        for _ in range(5):
            checked.note(good=await checked.check())
            seen.append(checked.healthy)
        assert seen == [True, True, False, False, True]
        assert bench.origin.heads[0].startswith(b"GET /up?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_an_unhealthy_backend_is_not_asked() -> None:
    async with pool_for(answering(HELLO)) as bench:
        checked = CheckedPool(bench.pool, HealthRules("/up", unhealthy_after=1))
        checked.note(good=False)
        with pytest.raises(UpstreamError) as caught:
            await checked.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.UNHEALTHY
        assert not bench.origin.heads


async def test_a_check_that_takes_too_long_has_failed() -> None:
    async def silent(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.closed_by_peer()

    async with pool_for(silent) as bench:
        assert not await CheckedPool(bench.pool, HealthRules("/up", timeout_s=0.01)).check()


async def test_a_check_does_not_wait_for_what_requests_hold() -> None:
    """As event streams do: a backend whose connections are all in use is busy, and not down."""

    async def script(connection: OriginConnection) -> None:
        while True:
            if (await connection.request_head()).startswith(b"GET /up "):
                await connection.send(HELLO)

    async with running_origin(script) as origin:
        tasks, clock = Tasks(), ManualClock()
        rules = HealthRules("/up", timeout_s=5.0)
        settings = UpstreamSettings("api", origin.url, max_connections=2, pool_timeout_s=5.0, health=rules)
        checked = open_upstream(settings, clock, tasks)
        assert isinstance(checked, CheckedPool)
        held = [tasks.start(checked.exchange(request("GET", "/events"), None), "held") for _ in range(3)]
        async with asyncio.timeout(5):
            while sum(b"/events" in head for head in origin.heads) < 2:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
            assert await checked.check()
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        await checked.aclose()
        await tasks.aclose()


async def test_a_look_waits_for_no_request_and_is_refused_as_requests_are() -> None:
    async with pool_for(answering(ERROR)) as bench:
        checked = CheckedPool(bench.pool, HealthRules("/up", unhealthy_after=1))
        guard = BreakerGuard(checked, BreakerRules(failures=1), bench.clock)
        assert (await guard.look(request())).head.status == 500
        guard._note(UpstreamError(UpstreamFailure.CONNECT, "no", sent=False))
        with pytest.raises(UpstreamError, match="in a row have failed"):
            await guard.look(request())
        checked.note(good=False)
        with pytest.raises(UpstreamError, match="the health check fails"):
            await checked.look(request())
        assert len(bench.origin.heads) == 1
        assert bench.pool.open_connections == 0


async def test_opened_as_the_settings_say() -> None:
    checked = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        while True:
            if (await connection.request_head()).startswith(b"GET /api/up "):
                checked.set()
            await connection.send(HELLO)

    async with running_origin(script) as origin:
        tasks, clock = Tasks(), ManualClock()
        plain = UpstreamSettings("api", origin.url + "/api/")
        upstream = open_upstream(plain, clock, tasks)
        assert isinstance(upstream, UpstreamPool)
        await (await upstream.exchange(request("GET", "/x"), None)).aclose()
        assert origin.heads[0].startswith(b"GET /api/x HTTP/1.1\r\nHost: example.org\r\n")
        await upstream.aclose()
        full = replace(plain, health=HealthRules("/up"), breaker=BreakerRules(), preserve_host=False)
        guarded = open_upstream(full, clock, tasks)
        await (await guarded.exchange(request("GET", "/y"), None)).aclose()
        await asyncio.wait_for(checked.wait(), 5)
        assert all(b"Host: 127.0.0.1:" in head for head in origin.heads[1:])
        await guarded.aclose()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(tasks) == 0
        assert pool_settings(plain).keepalive_s < 5
