"""The long read: what is said in the turn in which something is heard, and how a reading ends."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.support.wires import Transport, wired
from veneer.loop.tasks import Tasks
from veneer.redis.keys import LogKeys
from veneer.redis.wire import RedisConnection, command
from veneer.stores.log_reader import Applied, LogReader
from veneer.stores.stream_decoder import ReadBatch

KEYS = LogKeys("v")
NOTHING = b"*-1\r\n"
START = Applied(7, 3)


def read_after(place: str) -> bytes:
    streams = ("{v}:log", "{v}:in:me", "{v}:notices")
    return command("XREAD", "COUNT", 100, "BLOCK", 1000, "STREAMS", *streams, place, "0-0", "$")


class Node:
    """A node that listens, and what it says when it hears something."""

    def __init__(self, silence_s: float = 30.0, says: Applied | Exception | None = START) -> None:
        wire, self.redis = wired()
        self.says = says
        self.known = (0, 0)
        self.heard: list[ReadBatch] = []
        self.tasks = Tasks()

        async def dial() -> RedisConnection:
            return wire

        self._reader = LogReader(dial, KEYS, "me", 1.0, silence_s)

    def hear(self, heard: ReadBatch) -> Applied | None:
        self.heard.append(heard)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def listen(self) -> tuple[asyncio.Task[None], Transport]:
        listening = self.tasks.start(self._reader.listen(START, self.hear, lambda: self.known), "listen")
        while not self.redis.said:  # noqa: ASYNC110 - some turns of the loop
            await asyncio.sleep(0)
        return listening, self.redis


async def test_what_is_heard_is_acknowledged_and_followed_by_the_next_read_in_one_piece() -> None:
    node = Node()
    listening, redis = await node.listen()
    assert redis.said == [read_after("7-3")]
    node.says = Applied(7, 5, {"you": 5})
    redis.answer(NOTHING)
    told = command("PUBLISH", "{v}:in:you", "me\n7-5")
    told += command("XADD", "{v}:in:you", "MAXLEN", "~", 1000, "*", "n", "me", "p", "7-5")
    assert redis.said[1:] == [told + command("PEXPIRE", "{v}:in:you", 60_000) + read_after("7-5")]
    redis.answer(b"-NOPERM this user may not publish\r\n$3\r\n1-0\r\n:1\r\n")
    assert len(node.heard) == 1
    assert not listening.done()
    await node.tasks.aclose()
    assert redis.is_closing()


async def test_it_ends_when_there_is_nowhere_to_go_on() -> None:
    node = Node(says=None)
    listening, redis = await node.listen()
    redis.answer(NOTHING)
    await listening
    assert redis.is_closing()
    assert len(redis.said) == 1


@pytest.mark.parametrize("wrong", [OSError("could not"), RuntimeError("a mistake")])
async def test_what_goes_wrong_while_it_is_applied_is_raised_where_somebody_waits(wrong: Exception) -> None:
    node = Node(says=wrong)
    listening, redis = await node.listen()
    redis.answer(NOTHING)
    with pytest.raises(type(wrong), match=str(wrong)):
        await listening


async def test_a_loss_ends_it() -> None:
    node = Node()
    listening, redis = await node.listen()
    redis.lose()
    with pytest.raises(RedisConnectionError):
        await listening
    assert not node.heard


async def test_a_server_that_takes_no_acknowledgement_is_left() -> None:
    node = Node(says=Applied(7, 4, {"you": 4}))
    listening, redis = await node.listen()
    redis.answer(NOTHING)
    redis.answer(b"-READONLY a replica\r\n-READONLY a replica\r\n")
    with pytest.raises(ResponseError, match="READONLY"):
        await listening
    redis.answer(NOTHING)
    assert len(node.heard) == 1, "after its end nothing is heard"


async def test_silence_ends_it() -> None:
    wire, redis = wired()

    async def dial() -> RedisConnection:
        return wire

    reader = LogReader(dial, KEYS, "me", 0.0, 0.01)
    with pytest.raises(TimeoutError):
        await reader.listen(START, lambda _heard: START, lambda: (0, 0))
    assert redis.is_closing()
