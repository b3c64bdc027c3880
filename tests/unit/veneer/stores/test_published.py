"""What Redis publishes of the log: who listens to it, from when on, and how it is read."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ResponseError

from tests.support.wires import wired
from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.redis.keys import LogKeys
from veneer.redis.wire import RedisConnection, command
from veneer.stores.events import LogEvent, encode_event
from veneer.stores.published import FAR_S, OnAcknowledgement, OnEvent, PublishedLog, hear_published, published_event

KEYS = LogKeys("v")
EVENT = Invalidation(tags=("a\nb",))


def bulk(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Link:
    """Counts who listens; the connection fails when it is told to."""

    def __init__(self) -> None:
        self.listened = 0
        self.fail = asyncio.Event()

    async def hear_published(self, on_event: OnEvent, on_acknowledgement: OnAcknowledgement) -> None:
        self.listened += 1
        await self.fail.wait()
        raise ResponseError("NOPERM")


async def test_who_is_near_does_not_listen_and_who_is_far_does_until_it_fails() -> None:
    link, tasks = Link(), Tasks()
    published = PublishedLog(link, lambda _: None, lambda *_: None)
    listening = tasks.start(published.listen(), "listen")
    for took_s in (FAR_S, FAR_S / 2, FAR_S):
        published.measured(took_s)
        await asyncio.sleep(0)
    assert link.listened == 0
    published.measured(FAR_S)
    for _ in range(3):
        await asyncio.sleep(0)
    assert link.listened == 1
    link.fail.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not listening.done()
    await tasks.aclose()


async def test_who_missed_an_acknowledgement_listens_unless_it_was_of_nobody() -> None:
    link, tasks = Link(), Tasks()
    published = PublishedLog(link, lambda _: None, lambda *_: None)
    tasks.start(published.listen(), "listen")
    published.missed(("",))
    for _ in range(3):
        await asyncio.sleep(0)
    assert link.listened == 0
    published.missed(("", "b"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert link.listened == 1
    await tasks.aclose()


async def test_events_and_acknowledgements_are_heard_until_the_connection_fails() -> None:
    wire, redis = wired()
    heard: list[object] = []

    async def dial() -> RedisConnection:
        return wire

    listeners = (heard.append, lambda *told: heard.append(told))
    tasks = Tasks()
    listening = tasks.start(hear_published(dial, KEYS, "me", listeners, ping_s=0.0), "listen")
    answers = (b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",) * 2 + (bulk(b"pong", b""),)
    for number, answer in enumerate(answers):
        while len(redis.said) <= number:  # noqa: ASYNC110 - some turns of the loop
            await asyncio.sleep(0)
        redis.answer(answer)
    assert redis.said[:3] == [command("SUBSCRIBE", "{v}:log"), command("SUBSCRIBE", "{v}:in:me"), command("PING")]
    lines = (b"7-5", b"you", b"o", b"1500 name", encode_event(EVENT))
    redis.answer(bulk(b"message", b"{v}:log", b"\n".join(lines)))
    redis.answer(bulk(b"message", b"{v}:in:me", b"you\n7-4"))
    for stranger in (b"", b"x\n7", b"you\n7-x"):
        redis.answer(bulk(b"message", b"{v}:in:me", stranger) + bulk(b"message", b"{v}:log", stranger))
    redis.answer(bulk(b"message", b"another", b"you\n7-4"))
    assert heard == [LogEvent(7, 5, EVENT, "you", opens="name", hold_s=1.5), ("you", 7, 4)]
    redis.lose()
    with pytest.raises(Exception, match="connection"):
        await listening
    await tasks.aclose()


def test_what_is_no_event_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="unpack"):
        published_event(b"7-5\nyou")
