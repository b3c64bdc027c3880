"""Clients that take too long or are too many: each gets an answer that says so, and none holds on for ever."""

from __future__ import annotations

import asyncio

from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

MOST = 8
POLICIES = f"""
version: 1
limits: {{connections: {MOST}}}
timeouts: {{head: 400ms, body: 400ms, idle: 1m}}
"""
HEAD = b"GET /plain HTTP/1.1\r\nHost: origin\r\n\r\n"


async def connect(stage: Stage) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", stage.proxy.port)


async def to_the_end(reader: asyncio.StreamReader) -> str:
    """Everything until the proxy closes; a hang is an error."""
    return (await asyncio.wait_for(reader.read(), 20)).decode("latin-1")


async def test_a_head_that_stays_a_piece_gets_408_and_the_connection_closes(stage: Stage) -> None:
    reader, writer = await connect(stage)
    writer.write(HEAD[:-2])
    answer = await to_the_end(reader)
    assert answer.startswith("HTTP/1.1 408 ")
    assert "Connection: close" in answer
    assert "not whole within 0.4 s" in answer
    writer.close()


async def test_byte_after_byte_gains_no_time(stage: Stage) -> None:
    reader, writer = await connect(stage)
    answer = asyncio.ensure_future(to_the_end(reader))  # noqa: TID251 - ends with the test
    for number in range(400):
        if answer.done():
            break
        writer.write(HEAD[number : number + 1] or b"x")
        await asyncio.sleep(0.05)
    assert (await answer).startswith("HTTP/1.1 408 ")
    writer.close()


async def test_a_head_in_pieces_is_answered_when_it_is_whole_in_time(stage: Stage, talk: Dialogue) -> None:
    talk.answers("200\n\nhere")
    reader, writer = await connect(stage)
    for piece in (HEAD[:10], HEAD[10:-1], HEAD[-1:]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).startswith(b"HTTP/1.1 200 ")
    await asyncio.wait_for(reader.readexactly(4), 20)
    # The time of the head is over: a connection that waits for its next request is left alone.
    await asyncio.sleep(0.8)
    assert not reader.at_eof()
    writer.close()


async def test_a_body_that_stops_coming_gets_408_and_the_connection_closes(stage: Stage) -> None:
    reader, writer = await connect(stage)
    writer.write(b"POST /form HTTP/1.1\r\nHost: origin\r\nContent-Length: 10\r\n\r\nabc")
    answer = await to_the_end(reader)
    assert answer.startswith("HTTP/1.1 408 ")
    assert "Connection: close" in answer
    assert "nothing of the request body came for 0.4 s" in answer
    writer.close()


async def test_one_connection_too_many_gets_503_and_the_next_one_after_a_close_is_served(stage: Stage) -> None:
    held = [await connect(stage) for _ in range(MOST)]
    reader, writer = await connect(stage)
    answer = await to_the_end(reader)
    assert answer.startswith("HTTP/1.1 503 ")
    assert "too many connections" in answer
    writer.close()
    for _, other in held:
        other.close()
        await other.wait_closed()
    async with asyncio.timeout(20):
        while True:
            reader, writer = await connect(stage)
            writer.write(HEAD[:-2])
            status = (await asyncio.wait_for(reader.readline(), 20)).split()[1]
            writer.close()
            if status == b"408":
                break
            await asyncio.sleep(0.05)
