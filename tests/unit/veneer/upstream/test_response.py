"""A body that streams into a sink: as whole, as bounded and as honest about its end as one that is read in pieces."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from tests.support.origin import OriginConnection, answering
from tests.unit.veneer.upstream.conftest import pool_for, request
from veneer.ports import BytesLike, UpstreamError, UpstreamFailure
from veneer.upstream.buffer import READ_BYTES
from veneer.upstream.readers import MAX_FILLED

LARGE = bytes(range(256)) * 4_000
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Drain:
    """A sink that takes everything at once."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.first = asyncio.Event()

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        self.raw += b"".join(pieces)
        self.first.set()
        return True

    async def drained(self) -> None:
        raise AssertionError("nothing stays in it")


class Slow:
    """A sink that keeps what it gets, where it lies, until the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self._gone = bytearray()
        self._kept: list[BytesLike] = []

    @property
    def raw(self) -> bytearray:
        return self._gone + b"".join(self._kept)

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        assert not self._kept, "nothing may come before it is empty again"
        self._kept += pieces
        return False

    async def drained(self) -> None:
        self.waiting.set()
        await self.gate.wait()
        await asyncio.sleep(0)
        self._gone += b"".join(self._kept)
        self._kept.clear()


class Gone:
    """A sink that nobody is behind any more."""

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        raise ConnectionError("gone")

    async def drained(self) -> None:
        raise ConnectionError("gone")


def chunked(body: bytes, size: int) -> bytes:
    """The body in chunks of `size`, with a trailer."""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nSum: 7\r\n\r\n"


@pytest.mark.parametrize("body", [b"", b"hello", LARGE])
@pytest.mark.parametrize("chunk", [0, 1_000, 300_000])
async def test_the_body_streams_whole_and_the_connection_is_used_again(body: bytes, chunk: int) -> None:
    wire = CHUNKED + chunked(body, chunk) if chunk else LENGTH % len(body) + body
    async with pool_for(answering(wire)) as bench:
        for _ in range(2):
            response, sink = await bench.pool.exchange(request(), None), Drain()
            await response.stream_into(sink)
            assert sink.raw == body
            assert response.trailers.pairs == ((("Sum", "7"),) if chunk else ())
            await response.aclose()
        assert len(bench.origin.connections) == 1


async def test_a_body_streams_until_the_backend_closes() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n", LARGE, b"end")

    async with pool_for(script) as bench:
        response, sink = await bench.pool.exchange(request(), None), Drain()
        await response.stream_into(sink)
        assert sink.raw == LARGE + b"end"
        assert bench.pool.open_connections == 0


async def test_what_is_left_of_a_body_streams() -> None:
    async with pool_for(answering(LENGTH % len(LARGE) + LARGE)) as bench:
        response, sink = await bench.pool.exchange(request(), None), Drain()
        first = await anext(response.body().__aiter__())
        await response.stream_into(sink)
        assert first + sink.raw == LARGE


async def test_bytes_leave_as_they_come() -> None:
    sink = Drain()

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(LENGTH % 6, b"one")
        await sink.first.wait()
        await connection.send(b"two")
        await connection.closed_by_peer()

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        await response.stream_into(sink)
        assert sink.raw == b"onetwo"


async def test_bytes_past_the_length_do_not_stream_and_close_the_connection() -> None:
    async with pool_for(answering(LENGTH % len(LARGE) + LARGE * 2)) as bench:
        response, sink = await bench.pool.exchange(request(), None), Drain()
        await response.stream_into(sink)
        assert sink.raw == LARGE
        assert bench.pool.open_connections == 0


@pytest.mark.parametrize(
    ("wire", "failure"),
    [
        (LENGTH % 500_000 + b"x" * 300_000, UpstreamFailure.TRUNCATED),
        (CHUNKED + b"61a80\r\n" + b"x" * 300_000, UpstreamFailure.TRUNCATED),
        (CHUNKED + b"493e0\r\n" + b"x" * 300_000 + b"\r\nno size\r\n", UpstreamFailure.MALFORMED),
    ],
)
async def test_a_body_cut_short_is_an_error_after_what_came(wire: bytes, failure: UpstreamFailure) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(wire)

    async with pool_for(script) as bench:
        response, sink = await bench.pool.exchange(request(), None), Drain()
        with pytest.raises(UpstreamError) as caught:
            await response.stream_into(sink)
        assert caught.value.failure is failure
        assert sink.raw == b"x" * 300_000
        assert bench.pool.open_connections == 0


@pytest.mark.parametrize("chunk", [0, 1_000, 300_000])
async def test_a_slow_sink_holds_the_backend_back_and_gets_every_byte(chunk: int) -> None:
    body, sent = bytes(range(256)) * 60_000, 0
    wire = CHUNKED + chunked(body, chunk) if chunk else LENGTH % len(body) + body

    async def script(connection: OriginConnection) -> None:
        nonlocal sent
        await connection.request_head()
        for start in range(0, len(wire), 100_000):
            await connection.send(wire[start : start + 100_000])
            sent += 1
        await connection.closed_by_peer()

    async with pool_for(script, read_timeout_s=0.05) as bench:
        response, sink = await bench.pool.exchange(request(), None), Slow()
        async with asyncio.TaskGroup() as group:
            group.create_task(response.stream_into(sink))
            await sink.waiting.wait()
            await asyncio.sleep(0.1)  # silence of the backend does not count while it is held back
            held_at = sent
            assert held_at < len(wire) // 100_000
            sink.gate.set()
        assert sink.raw == body


async def test_bodies_that_stream_at_once_do_not_mix() -> None:
    async def script(connection: OriginConnection) -> None:
        head = await connection.request_head()
        await connection.send(LENGTH % len(LARGE) + head[5:6] * len(LARGE))
        await connection.closed_by_peer()

    async with pool_for(script) as bench:
        responses = [await bench.pool.exchange(request("GET", f"/{name}"), None) for name in "abcd"]
        sinks: list[Drain | Slow] = [Drain(), Slow(), Drain(), Slow()]
        async with asyncio.TaskGroup() as group:
            for response, sink in zip(responses, sinks, strict=True):
                group.create_task(response.stream_into(sink))
            for sink in sinks:
                if isinstance(sink, Slow):
                    await sink.waiting.wait()
                    sink.gate.set()
        assert [sink.raw for sink in sinks] == [name * len(LARGE) for name in (b"a", b"b", b"c", b"d")]


@pytest.mark.parametrize("wire", [LENGTH % len(LARGE) + LARGE, CHUNKED + chunked(LARGE, 1_000)])
async def test_a_sink_that_has_gone_ends_it(wire: bytes) -> None:
    async with pool_for(answering(wire)) as bench:
        response = await bench.pool.exchange(request(), None)
        with pytest.raises(ConnectionError, match="gone"):
            await response.stream_into(Gone())
        await response.aclose()
        assert bench.pool.open_connections == 0


async def test_a_backend_that_falls_silent_times_out() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(LENGTH % 500_000 + b"x" * 300_000)
        await connection.closed_by_peer()

    async with pool_for(script, read_timeout_s=0.02) as bench:
        response = await bench.pool.exchange(request(), None)
        with pytest.raises(UpstreamError) as caught:
            await response.stream_into(Drain())
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT


async def test_others_have_their_turn_while_much_streams() -> None:
    body = bytes(64 * READ_BYTES)
    async with pool_for(answering(LENGTH % len(body) + body)) as bench:
        response, sink = await bench.pool.exchange(request(), None), Drain()
        seen = [0]
        async with asyncio.TaskGroup() as group:
            streaming = group.create_task(response.stream_into(sink))
            while not streaming.done():
                await asyncio.sleep(0)
                seen.append(len(sink.raw))
        assert seen[-1] == len(body)
        assert max(after - before for before, after in itertools.pairwise(seen)) <= MAX_FILLED * READ_BYTES


async def test_nothing_streams_from_a_closed_response() -> None:
    async with pool_for(answering(LENGTH % len(LARGE) + LARGE)) as bench:
        response = await bench.pool.exchange(request(), None)
        await response.aclose()
        with pytest.raises(UpstreamError, match="closed before its end"):
            await response.stream_into(Drain())


async def test_little_is_read_of_a_body_that_nobody_has_asked_for() -> None:
    sent = 0

    async def script(connection: OriginConnection) -> None:
        nonlocal sent
        await connection.request_head()
        await connection.send(LENGTH % 100_000_000)
        for _ in range(100):
            await connection.send(b"x" * 1_000_000)
            sent += 1

    async with pool_for(script, body_buffer_bytes=1_000_000_000) as bench:
        response = await bench.pool.exchange(request(), None)
        await asyncio.sleep(0.05)
        assert sent < 50
        await response.aclose()
