"""The access log for who follows it: filters, bounds, and nothing where nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.admin import tail
from veneer.admin.tail import MOST_LINES, MOST_READERS, LogTail, TailReader
from veneer.admin.tail_filter import BadFilterError, TailFilter
from veneer.observe.observer import Observer
from veneer.pipeline.exchange import CacheResult, ExchangeRecord

Client = TestClient[web.Request, web.Application]


def client_of(observer: Observer) -> Client:
    application = web.Application()
    application.add_routes([web.get("/tail", LogTail(observer.watch).follow)])
    return TestClient(TestServer(application))


def finish(observer: Observer, **changes: object) -> None:
    observer.begin()
    observer.finish(record(**changes))


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        ({}, True),
        ({"route": "users"}, True),
        ({"route": "other"}, False),
        ({"status": "404,5xx"}, True),
        ({"status": "500-502"}, False),
        ({"cache": "miss,hit"}, True),
        ({"cache": "bypass"}, False),
        ({"slow": "1.5"}, True),
        ({"slow": "1.6"}, False),
        ({"route": "users", "status": "200"}, False),
    ],
)
def test_filters(query: dict[str, str], taken: bool) -> None:
    one = record(route="users", status=503, cache=CacheResult.MISS, duration_ms=1.5)
    assert TailFilter.parse(query).takes(one) is taken


@pytest.mark.parametrize("query", [{"cache": "mess"}, {"status": "abc"}, {"slow": "long"}])
def test_what_cannot_be_filtered_by(query: dict[str, str]) -> None:
    with pytest.raises(BadFilterError):
        TailFilter.parse(query)


async def test_a_slow_reader_loses_lines_and_is_told_how_many() -> None:
    reader = TailReader(TailFilter())
    for _ in range(MOST_LINES + 3):
        reader.see(record())
    lines = (await reader.lines()).splitlines()
    assert (len(lines), lines[-1]) == (MOST_LINES + 1, b'{"dropped":3}')
    reader.see(record(path="/next"))
    assert b"/next" in await reader.lines()


async def test_a_quiet_log_has_an_empty_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "BEAT_S", 0.01)
    assert await TailReader(TailFilter()).lines() == b"\n"


async def test_lines_are_those_of_the_log_and_nothing_is_seen_before_or_after() -> None:
    observer = quiet_observer()
    async with client_of(observer) as client:
        finish(observer, path="/before")
        answer = await client.get("/tail?status=200")
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        assert await answer.content.readline() == b"\n"
        finish(observer, path="/one", query="token=***")
        finish(observer, path="/other", status=404)
        finish(observer, path="/two")
        first, second = [await answer.content.readline() for _ in range(2)]
        assert (b'"/one"' in first, b"token=***" in first, b'"/two"' in second) == (True, True, True)
        assert len(observer._also) == 1
        answer.close()
        await gone(observer)


async def gone(observer: Observer) -> None:
    """Until the listener has noticed that its reader has left."""
    async with asyncio.timeout(10):
        for _ in range(1_000):
            finish(observer)
            if not observer._also:
                return
            await asyncio.sleep(0.005)
    pytest.fail("somebody still watches")


async def test_readers_are_few_and_a_bad_filter_takes_no_place() -> None:
    observer = quiet_observer()
    async with client_of(observer) as client:
        assert (await client.get("/tail?cache=mess")).status == 400
        answers = [await client.get("/tail") for _ in range(MOST_READERS)]
        assert (await client.get("/tail")).status == 503
        for answer in answers:
            answer.close()
        await gone(observer)
        assert (await client.get("/tail")).status == 200


def test_notes_that_wait_belong_to_who_watched_then() -> None:
    seen: list[ExchangeRecord] = []
    observer = quiet_observer()
    end: Callable[[], None] = observer.watch(seen.append)
    finish(observer, path="/a")
    end()
    finish(observer, path="/b")
    assert [one.path for one in seen] == ["/a"]
    assert msgspec.json.encode(seen[0])
