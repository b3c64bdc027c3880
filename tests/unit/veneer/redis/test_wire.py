"""A pipelined connection: answers find those who asked, in order, and nobody waits for one that is lost."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

from tests.support.wires import wired
from veneer.loop.tasks import Tasks
from veneer.redis.script import Reply
from veneer.redis.wire import command


async def test_answers_are_handed_on_in_order_however_they_arrive() -> None:
    wire, redis = wired()
    heard: list[Reply | Exception] = []
    wire.say(command("A") + command("B", 2), heard.append, heard.append)
    wire.say(command("C"), heard.append)
    assert redis.said == [b"*1\r\n$1\r\nA\r\n*2\r\n$1\r\nB\r\n$1\r\n2\r\n", b"*1\r\n$1\r\nC\r\n"]
    redis.answer(b":1\r\n*1\r\n$3\r\nab")
    assert heard == [1]
    redis.answer(b"c\r\n-ERR no\r\n")
    assert heard[:2] == [1, [b"abc"]]
    assert isinstance(heard[2], ResponseError)
    assert str(heard[2]) == "ERR no"


async def test_a_loss_is_told_to_everybody_who_waits() -> None:
    wire, redis = wired()
    tasks = Tasks()
    asking = [tasks.start(wire.ask("GET", key), key) for key in "ab"]
    await asyncio.sleep(0)
    redis.answer(b"$-1\r\n")
    redis.lose(OSError("reset"))
    assert await asking[0] is None
    with pytest.raises(RedisConnectionError, match="reset"):
        await asking[1]
    assert not wire.open
    with pytest.raises(RedisConnectionError, match="closed"):
        await wire.ask("GET", "c")
    await tasks.aclose()


async def test_who_has_stopped_waiting_leaves_the_next_answer_to_the_next() -> None:
    wire, redis = wired()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wire.ask("GET", "a")
    redis.answer(b":1\r\n")
    heard: list[Reply | Exception] = []
    wire.say(command("GET", "b"), heard.append)
    redis.answer(b":2\r\n")
    assert heard == [2]


@pytest.mark.parametrize("raw", [b"HTTP/1.1 400\r\n", b":1\r\n:2\r\n"])
async def test_who_does_not_speak_redis_is_left(raw: bytes) -> None:
    wire, redis = wired()
    heard: list[Reply | Exception] = []
    wire.say(command("PING"), heard.append)
    redis.answer(raw)
    assert not wire.open
    assert len(heard) == 1
    assert heard == [1] or isinstance(heard[0], InvalidResponse)


async def test_what_is_published_is_no_answer() -> None:
    wire, redis = wired()
    heard: list[Reply | Exception] = []
    published: list[tuple[bytes, bytes]] = []
    wire.on_published = lambda channel, payload: published.append((channel, payload))
    wire.say(command("SUBSCRIBE", "c") + command("PING"), heard.append, heard.append)
    redis.answer(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    redis.answer(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nnew\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n")
    assert heard == [[b"subscribe", b"c", 1], [b"pong", b""]]
    assert published == [(b"c", b"new")]
