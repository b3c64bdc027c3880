"""A span for each time that a request is sent to a backend."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.support.clock import ManualClock
from tests.support.origin import OriginConnection, Script, answering
from tests.unit.veneer.upstream.conftest import pieces, pool_for, request
from tests.unit.veneer.upstream.test_targets import HELLO, hang_up, several
from veneer.core.trace import TraceParent, trace_parent
from veneer.observe.client_spans import ClientSpans
from veneer.observe.spans import Span, SpanKind
from veneer.ports import Demand, UpstreamError
from veneer.upstream.settings import Endpoint
from veneer.upstream.traced import server_name

SERVER = TraceParent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
BUSY = b"HTTP/1.1 503 Away\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
TRACED = ("traceparent", str(SERVER))


def spans_kept() -> tuple[ClientSpans, list[Span]]:
    kept: list[Span] = []
    return ClientSpans(kept.append, ManualClock()), kept


def sent_ids(heads: list[bytes]) -> list[str]:
    """The span that each backend was told."""
    found = []
    for head in heads:
        lines = [line for line in head.decode().split("\r\n") if line.lower().startswith("traceparent: ")]
        assert len(lines) == 1
        found.append(lines[0].split("-")[2])
    return found


def kinds(kept: list[Span]) -> list[tuple[object, object, object]]:
    names = ("http.request.resend_count", "http.response.status_code", "error.type")
    return [(one.get(names[0]), one.get(names[1]), one.get(names[2])) for one in (span.attributes for span in kept)]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_backend_is_told_the_attempts_span_not_the_exchanges(method: str) -> None:
    spans, kept = spans_kept()
    async with pool_for(answering(HELLO), spans=spans) as bench:
        response = await bench.pool.exchange(request(method, "/a", TRACED), pieces(b"x") if method == "POST" else None)
        await response.aclose()
        (span,) = kept
        assert sent_ids(bench.origin.heads) == [span.place.span_id]
        assert span.place.span_id != SERVER.span_id
        assert (span.place.trace_id, span.parent_id) == (SERVER.trace_id, SERVER.span_id)
        assert (span.kind, span.name, span.is_error) == (SpanKind.CLIENT, method, False)
        assert span.attributes["url.full"] == f"{bench.origin.url}/a"
        assert kinds(kept) == [(None, 200, None)]


@pytest.mark.parametrize("parent", ["", str(TraceParent(SERVER.trace_id, SERVER.span_id, sampled=False))])
async def test_what_is_not_traced_is_sent_as_it_is(parent: str) -> None:
    spans, kept = spans_kept()
    async with pool_for(answering(HELLO), spans=spans) as bench:
        asked = request("GET", "/", *([("traceparent", parent)] if parent else []))
        await (await bench.pool.exchange(asked, None)).aclose()
        assert (b"traceparent: " + parent.encode() in bench.origin.heads[0]) is bool(parent)
    assert kept == []


async def test_a_look_of_who_watches_is_no_span() -> None:
    spans, kept = spans_kept()
    async with pool_for(answering(HELLO), spans=spans) as bench:
        await (await bench.pool.look(request("GET", "/", TRACED))).aclose()
    assert kept == []


async def test_sending_again_over_a_new_connection_is_an_attempt_of_its_own() -> None:
    async def once(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        if connection.number == 0:
            bench.origin.heads.append(await connection.request_head())

    spans, kept = spans_kept()
    async with pool_for(once, spans=spans) as bench:
        for _ in range(2):
            await (await bench.pool.exchange(request("GET", "/", TRACED), None)).aclose()
    assert kinds(kept) == [(None, 200, None), (None, None, "reset"), (1, 200, None)]
    assert len({span.place.span_id for span in kept}) == 3
    assert {span.parent_id for span in kept} == {SERVER.span_id}


async def test_a_refused_connection_is_an_attempt_that_failed() -> None:
    spans, kept = spans_kept()
    async with pool_for(answering(HELLO), spans=spans) as bench:
        bench.origin.close()
        await asyncio.sleep(0)
        with pytest.raises(UpstreamError):
            await bench.pool.exchange(request("GET", "/", TRACED), None)
    assert kinds(kept) == [(None, None, "connect")]
    assert kept[0].is_error


async def test_a_span_ends_with_the_body() -> None:
    asked_on = asyncio.Event()

    async def slowly(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await asked_on.wait()
        await connection.send(b"cd")
        await connection.closed_by_peer()

    spans, kept = spans_kept()
    async with pool_for(slowly, spans=spans) as bench:
        response = await bench.pool.exchange(request("GET", "/", TRACED), None)
        assert kept == []
        asked_on.set()
        assert b"".join([piece async for piece in response.body()]) == b"abcd"
        assert kinds(kept) == [(None, 200, None)]
        await response.aclose()
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", "truncated"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "500"),
    ],
)
async def test_what_went_wrong_is_one_of_few_words(answer: bytes, error: str) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(answer)

    spans, kept = spans_kept()
    async with pool_for(script, spans=spans) as bench:
        response = await bench.pool.exchange(request("GET", "/", TRACED), None)
        with contextlib.suppress(UpstreamError):
            async for _ in response.body():
                pass
        await response.aclose()
    assert kinds(kept) == [(None, response.head.status, error)]
    assert kept[0].is_error


async def test_who_gives_up_ends_the_span() -> None:
    asked = asyncio.Event()

    async def never(connection: OriginConnection) -> None:
        await connection.request_head()
        asked.set()
        await connection.closed_by_peer()

    spans, kept = spans_kept()
    async with pool_for(never, spans=spans) as bench:
        task = bench.tasks.start(bench.pool.exchange(request("GET", "/", TRACED), None), "asks")
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kinds(kept) == [(None, None, "abandoned")]


async def test_a_body_that_is_left_unread_was_abandoned() -> None:
    async def half(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await connection.closed_by_peer()

    spans, kept = spans_kept()
    async with pool_for(half, spans=spans) as bench:
        await (await bench.pool.exchange(request("GET", "/", TRACED), None)).aclose()
    assert kinds(kept) == [(None, 200, "abandoned")]


@pytest.mark.parametrize(
    ("first", "error", "status"), [(None, "connect", None), (hang_up, "reset", None), (answering(BUSY), "503", 503)]
)
async def test_each_target_that_is_asked_has_an_attempt(first: Script | None, error: str, status: int | None) -> None:
    spans, kept = spans_kept()
    async with several(first, answering(HELLO), spans=spans) as bench:
        asked = request("GET", "/", TRACED)
        bench.first += [0, 0]
        await (await bench.targets.exchange(asked, None, demand=Demand())).aclose()
        failed, answered = sorted(kept, key=lambda span: "http.request.resend_count" in span.attributes)
        assert kinds([failed, answered]) == [(None, status, error), (1, 200, None)]
        assert failed.attributes["server.port"] != answered.attributes["server.port"]
        assert trace_parent(asked.fields) == SERVER


def test_a_unix_socket_has_a_path_and_no_port() -> None:
    assert server_name(Endpoint.parse("unix:/run/app.sock")) == ("http://localhost", "/run/app.sock", 0, "")
    assert server_name(Endpoint.parse("https://app/api")) == ("https://app/api", "app", 443, "")
