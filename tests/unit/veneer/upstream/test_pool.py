"""The pool against a scripted origin on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.origin import OriginConnection, answering, read_body
from tests.unit.veneer.upstream.conftest import Bench, pieces, pool_for, request
from veneer.core.messages import ResponseHead
from veneer.core.overload import Claim
from veneer.core.retry_budget import RetryWrites
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.response import BackendResponse

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def read(response: BackendResponse) -> bytes:
    data = b"".join([piece async for piece in response.body()])
    await response.aclose()
    return data


async def test_requests_share_one_connection_and_are_written_as_given() -> None:
    async with pool_for(answering(HELLO)) as bench:
        fields = (("X-Odd", "a\xfcb"), ("accept", "*/*"), ("Content-Length", "9"), ("Connection", "x"))
        assert await read(await bench.pool.exchange(request("GET", "/a", *fields), None)) == b"hello"
        assert await read(await bench.pool.exchange(request("POST", "/b"), None)) == b"hello"
        assert len(bench.origin.connections) == 1
        assert bench.origin.heads == [
            b"GET /a HTTP/1.1\r\nHost: example.org\r\nX-Odd: a\xfcb\r\naccept: */*\r\nContent-Length: 0\r\n\r\n",
            b"POST /b HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\n",
        ]


async def test_a_whole_response_needs_no_connection_any_more() -> None:
    async with pool_for(answering(HELLO), max_connections=1) as bench:
        first = await bench.pool.exchange(request(), None)
        second = await bench.pool.exchange(request(), None)
        assert await read(first) == await read(second) == b"hello"
        assert first.content_length == 5


async def test_a_body_of_known_length_and_one_without() -> None:
    bodies: list[bytes] = []

    async def script(connection: OriginConnection) -> None:
        while True:
            bodies.append(await read_body(connection, await connection.request_head()))
            await connection.send(HELLO)

    async with pool_for(script) as bench:
        announced = request("POST", "/", ("Content-Length", "6"))
        await read(await bench.pool.exchange(announced, pieces(b"abc", b"", b"def")))
        await read(await bench.pool.exchange(request("PUT"), pieces(b"abc", b"x" * 100_000)))
        assert bodies == [b"abcdef", b"abc" + b"x" * 100_000]
        assert b"Content-Length: 6\r\n" in bench.origin.heads[0]
        assert b"Transfer-Encoding: chunked\r\n" in bench.origin.heads[1]
        assert len(bench.origin.connections) == 1


async def test_a_body_at_hand_is_sent_as_one_that_arrives() -> None:
    bodies: list[bytes] = []

    async def script(connection: OriginConnection) -> None:
        while True:
            bodies.append(await read_body(connection, await connection.request_head()))
            await connection.send(HELLO)

    async with pool_for(script) as bench:
        await read(await bench.pool.exchange(request("POST", "/", ("Content-Length", "6")), b"abcdef"))
        await read(await bench.pool.exchange(request("PUT"), b"abc"))
        assert bodies == [b"abcdef", b"abc"]
        assert b"Transfer-Encoding: chunked\r\n" in bench.origin.heads[1]
        with pytest.raises(Exception, match="request body"):
            await bench.pool.exchange(request("POST", "/", ("Content-Length", "6")), b"abc")
        assert bodies == [b"abcdef", b"abc"]


@pytest.mark.parametrize("parts", [(b"abc",), (b"abcdefg",)])
async def test_a_body_that_breaks_its_promise_is_never_taken_for_whole(parts: tuple[bytes, ...]) -> None:
    ends: list[bytes] = []

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        ends.append(await connection.closed_by_peer())

    async with pool_for(script) as bench:
        with pytest.raises(Exception, match="request body"):
            await bench.pool.exchange(request("POST", "/", ("Content-Length", "6")), pieces(*parts))
        await asyncio.sleep(0.01)
        assert len(ends) == 1
        assert len(ends[0]) < 6


async def test_a_failing_body_aborts_the_request_with_its_own_error() -> None:
    ends: list[bytes] = []

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        ends.append(await connection.closed_by_peer())

    async def failing() -> AsyncIterator[bytes]:
        yield b"abc"
        raise KeyError("the client is gone")

    async with pool_for(script) as bench:
        with pytest.raises(KeyError, match="gone"):
            await bench.pool.exchange(request("POST"), failing())
        await asyncio.sleep(0.01)
        assert not any(end.endswith(b"0\r\n\r\n") for end in ends)


async def test_an_early_refusal_is_delivered_and_the_connection_closed() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await connection.closed_by_peer()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request("POST"), endless())
        assert response.head.status == 413
        assert await read(response) == b"big"
        assert bench.pool.open_connections == 0


async def test_a_response_may_stream_while_the_body_is_sent() -> None:
    async def echo(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (line := await connection.reader.readuntil(b"\r\n")) != b"0\r\n":
            data = await connection.reader.readexactly(int(line, 16) + 2)
            await connection.send(line + data)
        await connection.reader.readexactly(2)
        await connection.send(b"0\r\n\r\n")
        await connection.closed_by_peer()

    turns: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while data := await turns.get():
            yield data

    async with pool_for(echo) as bench:
        response = await bench.pool.exchange(request("POST"), body())
        stream = response.body().__aiter__()
        for word in (b"one", b"two"):
            turns.put_nowait(word)
            assert await anext(stream) == word
        turns.put_nowait(b"")
        assert [piece async for piece in stream] == []
        await response.aclose()
        assert bench.pool.open_connections == 1


async def test_interim_responses_are_relayed_but_for_100() -> None:
    heads: list[ResponseHead] = []

    def relay(head: ResponseHead) -> None:
        heads.append(head)

    wire = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + HELLO
    async with pool_for(answering(wire)) as bench:
        assert await read(await bench.pool.exchange(request(), None, relay)) == b"hello"
        assert [(head.status, head.fields.get("link")) for head in heads] == [(103, "<a>")]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"])
async def test_a_body_waits_for_100_continue(answer: bytes) -> None:
    asked = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        head = await connection.request_head()
        assert not asked.is_set()
        await connection.send(answer)
        if b" 100 " in answer:
            assert await read_body(connection, head) == b"abc"
            await connection.send(HELLO)
        await connection.closed_by_peer()

    async def body() -> AsyncIterator[bytes]:
        asked.set()
        yield b"abc"

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request("POST", "/", ("Expect", "100-continue")), body())
        assert asked.is_set() is (response.head.status == 200)
        await read(response)
        assert bench.pool.open_connections == (1 if response.head.status == 200 else 0)


async def test_a_backend_that_never_says_continue_gets_the_body_after_a_while() -> None:
    async with pool_for(answering(HELLO), continue_timeout_s=0.01) as bench:
        expecting = request("POST", "/", ("Expect", "100-continue"))
        assert await read(await bench.pool.exchange(expecting, pieces(b"abc"))) == b"hello"


async def test_bytes_past_the_length_close_the_connection() -> None:
    async with pool_for(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"0123456789" * 3)) as bench:
        for _ in range(2):
            assert await read(await bench.pool.exchange(request(), None)) == b"0123456789"
        assert len(bench.origin.connections) == 2


async def test_bytes_that_come_later_never_become_the_next_response() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        if connection.number:
            await connection.closed_by_peer()

    async with pool_for(script) as bench:
        assert await read(await bench.pool.exchange(request(), None)) == b"hello"
        await asyncio.sleep(0.01)
        assert await read(await bench.pool.exchange(request("POST"), None)) == b"hello"


@pytest.mark.parametrize(
    ("wire", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", UpstreamFailure.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", UpstreamFailure.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n", UpstreamFailure.MALFORMED),
    ],
)
async def test_a_body_cut_short_is_an_error_after_what_came(wire: bytes, failure: UpstreamFailure) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(wire)

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        stream = response.body().__aiter__()
        assert await anext(stream) == b"abc"
        with pytest.raises(UpstreamError) as caught:
            await anext(stream)
        assert caught.value.failure is failure
        await response.aclose()


@pytest.mark.parametrize(
    ("wire", "failure"),
    [
        (b"", UpstreamFailure.RESET),
        (b"HTTP/1.1 200 OK\r\nA: b", UpstreamFailure.RESET),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", UpstreamFailure.MALFORMED),
    ],
)
async def test_no_response_at_all(wire: bytes, failure: UpstreamFailure) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(wire)

    async with pool_for(script) as bench:
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(), None)
        assert caught.value.failure is failure
        assert caught.value.sent
        assert len(bench.origin.heads) == 1


async def test_a_body_until_close() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\n", b"one", b"two")

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        assert response.content_length is None
        assert await read(response) == b"onetwo"


async def test_trailers_come_with_the_end_of_the_body() -> None:
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 7\r\n\r\n"
    async with pool_for(answering(wire)) as bench:
        response = await bench.pool.exchange(request(), None)
        assert await read(response) == b"abc"
        assert response.trailers.pairs == (("Sum", "7"),)


async def dies_when_reused(connection: OriginConnection) -> None:
    await connection.request_head()
    await connection.send(HELLO)
    if connection.number == 0:
        await connection.request_head()
    else:
        await connection.closed_by_peer()


async def test_a_safe_request_survives_the_death_of_a_reused_connection() -> None:
    async with pool_for(dies_when_reused) as bench:
        await read(await bench.pool.exchange(request(), None))
        assert await read(await bench.pool.exchange(request(), None)) == b"hello"
        assert len(bench.origin.heads) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_an_unsafe_request_is_never_sent_twice(method: str) -> None:
    async with pool_for(dies_when_reused) as bench:
        await read(await bench.pool.exchange(request(), None))
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(method), None)
        assert caught.value.sent
        assert len(bench.origin.heads) == 2


@pytest.mark.parametrize(
    ("writes", "fields", "body", "sent"),
    [
        (RetryWrites.ALWAYS, (), b"abc", 3),
        (RetryWrites.ALWAYS, (), None, 3),
        (RetryWrites.ALWAYS, (), "arriving", 2),
        (RetryWrites.WITH_KEY, (("Idempotency-Key", "a"),), b"abc", 3),
        (RetryWrites.WITH_KEY, (), b"abc", 2),
        (RetryWrites.NEVER, (("Idempotency-Key", "a"),), b"abc", 2),
    ],
)
async def test_a_write_that_may_be_repeated_survives_that_as_well(
    writes: RetryWrites, fields: tuple[tuple[str, str], ...], body: bytes | str | None, sent: int
) -> None:
    async with pool_for(dies_when_reused) as bench:
        await read(await bench.pool.exchange(request(), None))
        demand = Demand(Claim(retry_writes=writes))
        length = () if body is None else (("Content-Length", "3"),)
        content = pieces(b"abc") if isinstance(body, str) else body
        asking = bench.pool.exchange(request("POST", "/", *fields, *length), content, demand=demand)
        if sent == 3:
            assert await read(await asking) == b"hello"
        else:
            with pytest.raises(UpstreamError):
                await asking
        assert len(bench.origin.heads) == sent


async def test_a_connection_closed_while_idle_costs_nothing() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)

    async with pool_for(script) as bench:
        for _ in range(3):
            assert await read(await bench.pool.exchange(request("POST"), None)) == b"hello"
            await asyncio.sleep(0.005)
        assert len(bench.origin.heads) == 3


@pytest.mark.parametrize(("keep_alive", "rest_s", "connections"), [(b"", 5, 2), (b"", 4, 1), (b"timeout=9", 7, 1)])
async def test_idle_connections_are_kept_for_a_while(keep_alive: bytes, rest_s: float, connections: int) -> None:
    wire = b"HTTP/1.1 200 OK\r\nKeep-Alive: " + keep_alive + b"\r\nContent-Length: 5\r\n\r\nhello"
    async with pool_for(answering(wire)) as bench:
        await read(await bench.pool.exchange(request(), None))
        bench.clock.advance(rest_s)
        await read(await bench.pool.exchange(request(), None))
        assert len(bench.origin.connections) == connections


@pytest.mark.parametrize(("age_s", "connections"), [(59, 1), (61, 2)])
async def test_a_connection_is_used_for_a_while_only(age_s: float, connections: int) -> None:
    async with pool_for(answering(HELLO), max_connections=1, keepalive_s=100.0) as bench:
        await read(await bench.pool.exchange(request(), None))
        bench.clock.advance(age_s)
        waiting = asyncio.gather(*(bench.pool.exchange(request(), None) for _ in range(3)))
        assert [await read(answer) for answer in await waiting] == [b"hello"] * 3
        assert len(bench.origin.connections) == connections


async def test_the_response_to_a_head_with_content_has_no_body() -> None:
    async with pool_for(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as bench:
        asked = request("HEAD", "/", ("Content-Length", "2"))
        for _ in range(2):
            assert await read(await bench.pool.exchange(asked, b"{}")) == b""
        assert len(bench.origin.connections) == 1


async def test_a_connection_in_steady_use_retires_as_well() -> None:
    async with pool_for(answering(HELLO), max_connections=1) as bench:
        for _ in range(8):
            bench.clock.advance(2)
            waiting = asyncio.gather(*(bench.pool.exchange(request(), None) for _ in range(3)))
            assert [await read(answer) for answer in await waiting] == [b"hello"] * 3
        assert len(bench.origin.connections) == 1
        bench.clock.advance(60)
        await asyncio.gather(*(bench.pool.exchange(request(), None) for _ in range(3)))
        assert len(bench.origin.connections) == 2


async def test_a_full_pool_makes_requests_wait_their_turn() -> None:
    async with pool_for(answering(HELLO), max_connections=2) as bench:
        answers = await asyncio.gather(*(bench.pool.exchange(request(), None) for _ in range(10)))
        assert [await read(answer) for answer in answers] == [b"hello"] * 10
        assert len(bench.origin.connections) == 2


async def silent(connection: OriginConnection) -> None:
    await connection.request_head()
    await connection.closed_by_peer()


async def test_waiting_for_a_connection_ends() -> None:
    async with pool_for(silent, max_connections=1, pool_timeout_s=0.01) as bench:
        first = asyncio.get_running_loop().create_task(bench.pool.exchange(request(), None))
        await asyncio.sleep(0.005)
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.POOL_TIMEOUT
        assert not caught.value.sent
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


def begin(bench: Bench, demand: Demand, method: str = "GET") -> asyncio.Task[str]:
    """An exchange, and how it ends: what it read, or why it failed."""

    async def ends() -> str:
        try:
            return (await read(await bench.pool.exchange(request(method), None, demand=demand))).decode()
        except UpstreamError as error:
            return error.failure.value

    return asyncio.get_running_loop().create_task(ends())


async def waiting_for(bench: Bench, demand: Demand, method: str = "GET") -> asyncio.Task[str]:
    """An exchange under way."""
    task = begin(bench, demand, method)
    await asyncio.sleep(0.005)
    return task


async def test_who_is_wanted_by_nobody_leaves_the_queue_at_once() -> None:
    async with pool_for(silent, max_connections=1) as bench:
        first, gone = Demand(), Demand()
        holding = await waiting_for(bench, first)
        queued = await waiting_for(bench, gone)
        gone.asker_left()
        assert await queued == "abandoned"
        assert gone.dropped
        late = Demand()
        late.asker_left()
        assert await (await waiting_for(bench, late)) == "abandoned"
        assert (len(bench.origin.heads), first.dropped) == (1, False)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def silent_at_first(connection: OriginConnection) -> None:
    await connection.request_head()
    if connection.number:
        await connection.send(HELLO)
    await connection.closed_by_peer()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_safe_exchange_that_nobody_wants_gives_way(method: str) -> None:
    async with pool_for(silent_at_first, max_connections=1, pool_timeout_s=0.05) as bench:
        demand = Demand()
        holding = await waiting_for(bench, demand, method)
        demand.asker_left()
        await asyncio.sleep(0.005)
        assert not holding.done()
        other = await waiting_for(bench, Demand())
        assert await other == ("hello" if method == "GET" else "pool-timeout")
        if method == "GET":
            assert await holding == "abandoned"
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def test_an_exchange_that_nobody_wanted_before_it_was_connected_gives_way() -> None:
    async with pool_for(silent_at_first, max_connections=1) as bench:
        demand = Demand()
        holding = begin(bench, demand)
        await asyncio.sleep(0)  # it is connecting
        demand.asker_left()
        other = begin(bench, Demand())
        assert await holding == "abandoned"
        assert await other == "hello"


async def test_an_exchange_that_somebody_has_joined_since_does_not_give_way() -> None:
    async with pool_for(silent_at_first, max_connections=1, pool_timeout_s=0.05) as bench:
        demand = Demand()
        holding = await waiting_for(bench, demand)
        demand.asker_left()
        demand.join()
        assert await (await waiting_for(bench, Demand())) == "pool-timeout"
        assert not demand.dropped
        demand.leave()
        assert await (await waiting_for(bench, Demand())) == "hello"
        assert await holding == "abandoned"


async def test_one_exchange_is_given_up_for_each_that_waits() -> None:
    async with pool_for(silent, max_connections=3, pool_timeout_s=0.02) as bench:
        demands = [Demand() for _ in range(3)]
        holding = [await waiting_for(bench, demand) for demand in demands]
        for demand in demands:
            demand.asker_left()
        last = await waiting_for(bench, Demand())
        assert [demand.dropped for demand in demands] == [True, False, False]
        assert await holding[0] == "abandoned"
        for task in (*holding[1:], last):
            task.cancel()
        await asyncio.gather(*holding[1:], last, return_exceptions=True)


async def test_a_demand_is_over_with_its_exchange() -> None:
    async with pool_for(answering(HELLO), max_connections=1) as bench:
        demand = Demand()
        assert await (await waiting_for(bench, demand)) == "hello"
        demand.asker_left()
        answers = await asyncio.gather(*(bench.pool.exchange(request(), None) for _ in range(4)))
        assert [await read(answer) for answer in answers] == [b"hello"] * 4
        assert len(bench.origin.connections) == 1


async def test_a_silent_backend_times_out() -> None:
    async with pool_for(silent, read_timeout_s=0.02) as bench:
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
        assert caught.value.sent


async def test_a_backend_that_takes_nothing_times_out() -> None:
    async def deaf(connection: OriginConnection) -> None:
        await asyncio.sleep(10)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async with pool_for(deaf, write_timeout_s=0.02) as bench:
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request("POST"), endless())
        assert caught.value.failure is UpstreamFailure.WRITE_TIMEOUT


async def test_nobody_listens() -> None:
    async with pool_for(silent) as bench:
        pass
    with pytest.raises(UpstreamError) as caught:
        await bench.pool.exchange(request(), None)
    assert caught.value.failure is UpstreamFailure.CONNECT
    assert not caught.value.sent


async def test_closing_in_the_middle_of_a_body_closes_the_connection() -> None:
    ends: list[bytes] = []

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        ends.append(await connection.closed_by_peer())

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        await anext(response.body().__aiter__())
        await response.aclose()
        await response.aclose()
        await asyncio.sleep(0.01)
        assert ends == [b""]


async def test_a_fast_backend_is_held_back() -> None:
    sent = 0

    async def script(connection: OriginConnection) -> None:
        nonlocal sent
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            await connection.send(b"x" * 1_000_000)
            sent += 1

    async with pool_for(script, body_buffer_bytes=10_000) as bench:
        response = await bench.pool.exchange(request(), None)
        await asyncio.sleep(0.05)
        assert sent < 50
        total = 0
        async for piece in response.body():
            total += len(piece)
        assert total == 100_000_000


async def test_an_upgraded_connection_carries_anything_both_ways() -> None:
    async def script(connection: OriginConnection) -> None:
        head = await connection.request_head()
        assert b"Connection: Upgrade\r\nUpgrade: chat\r\n" in head
        await connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\nfirst")
        assert await connection.reader.readexactly(4) == b"ping"
        await connection.send(b"pong")

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request("GET", "/", ("Upgrade", "chat")), None)
        tunnel = response.tunnel
        assert tunnel is not None
        assert response.head.status == 101
        assert await tunnel.read() == b"first"
        await tunnel.write(b"ping")
        assert await tunnel.read() == b"pong"
        assert await tunnel.read() == b""
        await tunnel.aclose()
        await response.aclose()


async def test_a_field_that_would_break_out_is_refused_before_anything_is_sent() -> None:
    async with pool_for(answering(HELLO)) as bench:
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            await bench.pool.exchange(request("GET", "/", ("A", "b\r\nC: d")), None)
        assert not bench.origin.connections


async def test_a_cancelled_exchange_closes_its_connection() -> None:
    asked = asyncio.Event()
    end: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        asked.set()
        end.set_result(await connection.closed_by_peer())

    async with pool_for(script) as bench:
        exchange = asyncio.get_running_loop().create_task(bench.pool.exchange(request(), None))
        await asked.wait()
        exchange.cancel()
        await asyncio.wait([exchange])
        assert exchange.cancelled()
        assert bench.pool.open_connections == 0
        assert await end == b""


async def test_a_cancelled_wait_passes_its_turn_on() -> None:
    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            await asyncio.sleep(0.02)
            await connection.send(HELLO)

    async with pool_for(script, max_connections=1) as bench:
        loop = asyncio.get_running_loop()
        exchanges = [loop.create_task(bench.pool.exchange(request(), None)) for _ in range(3)]
        await asyncio.sleep(0.005)
        exchanges[1].cancel()
        assert await read(await exchanges[0]) == b"hello"
        assert await read(await exchanges[2]) == b"hello"
        with pytest.raises(asyncio.CancelledError):
            await exchanges[1]


async def test_a_head_request_has_no_body_whatever_is_announced() -> None:
    async with pool_for(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as bench:
        for _ in range(2):
            response = await bench.pool.exchange(request("HEAD"), None)
            assert response.head.fields.get("content-length") == "5"
            assert response.content_length == 0
            assert await read(response) == b""
        assert len(bench.origin.connections) == 1


async def test_events_come_as_they_are_sent() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await turns.get()
            await connection.send(b"9\r\ndata: x\n\n\r\n")
        await connection.send(b"0\r\n\r\n")
        await connection.closed_by_peer()

    turns: asyncio.Queue[None] = asyncio.Queue()
    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        stream = aiter(response.body())
        for _ in range(3):
            turns.put_nowait(None)
            assert await anext(stream) == b"data: x\n\n"
        assert [piece async for piece in stream] == []


async def test_a_stopped_pool_takes_no_connection_back() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await go.wait()
        await connection.send(b"def")
        await connection.closed_by_peer()

    go = asyncio.Event()
    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        await bench.pool.aclose()
        go.set()
        assert await read(response) == b"abcdef"


async def test_who_waits_as_a_pool_is_replaced_is_served_by_it() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        asked.set()
        await go.wait()
        await connection.send(HELLO)
        await connection.closed_by_peer()

    go, asked = asyncio.Event(), asyncio.Event()
    async with pool_for(script, max_connections=1) as bench:
        first = bench.tasks.start(bench.pool.exchange(request(), None), "first")
        await asked.wait()
        waiting = bench.tasks.start(bench.pool.exchange(request(), None), "waiting")
        await asyncio.sleep(0)
        await bench.pool.aclose()
        go.set()
        assert await read(await first) == b"hello"
        assert await read(await waiting) == b"hello"
        # One that comes later still, having waited for somebody else's fetch, is served too.
        assert await read(await bench.pool.exchange(request(), None)) == b"hello"


async def test_the_body_iterator_of_a_refused_upload_is_let_go() -> None:
    released = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        await connection.closed_by_peer()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            released.set()

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request("POST"), endless())
        await response.aclose()
        await asyncio.wait_for(released.wait(), 5)


async def test_a_response_closed_by_another_task_never_looks_whole() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await connection.closed_by_peer()

    async with pool_for(script) as bench:
        response = await bench.pool.exchange(request(), None)
        stream = aiter(response.body())
        assert await anext(stream) == b"abc"
        bench.tasks.start(response.aclose(), "close")
        for _ in range(2):
            with pytest.raises(UpstreamError) as caught:
                await anext(stream)
            assert caught.value.failure is UpstreamFailure.TRUNCATED


async def test_a_body_that_nobody_reads_leaves_a_good_connection() -> None:
    async with pool_for(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    ) as bench:
        for _ in range(3):
            await (await bench.pool.exchange(request(), None)).aclose()
        assert len(bench.origin.connections) == 1
