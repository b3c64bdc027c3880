"""Calls without a task: what leaves together, what is sent once more, what is given up, and who is told."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.support.wires import Transport, wired
from veneer.redis.calls import MAX_GATHERED_BYTES, GatheredCalls
from veneer.redis.script import Reply
from veneer.redis.wire import RedisConnection

PATIENT_S = 30.0


class Redis:
    """Where the calls go: a connection that is opened when it is asked for, and all that were."""

    def __init__(self) -> None:
        self.opened: list[Transport] = []
        self.wire: RedisConnection | None = None
        self.error: Exception | None = None
        self.calls = GatheredCalls(self.present, self.open)
        self.answers: list[Reply | Exception] = []

    def present(self) -> RedisConnection | None:
        return self.wire if self.wire is not None and self.wire.open else None

    def open(self) -> None:
        if self.error is not None:
            self.calls.failed(self.error)
            return
        self.wire, transport = wired()
        self.opened.append(transport)
        self.calls.opened(self.wire)

    def ask(self, raw: bytes, timeout_s: float = PATIENT_S) -> None:
        self.calls.add(raw, self.answers.append, timeout_s)


@pytest.fixture
def redis() -> Redis:
    return Redis()


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_iteration_is_one_write(redis: Redis) -> None:
    redis.ask(b"a")
    redis.ask(b"b")
    assert redis.opened == []
    await turns()
    redis.ask(b"c")
    await turns()
    assert redis.opened[0].said == [b"ab", b"c"]
    redis.opened[0].answer(b":1\r\n:2\r\n:3\r\n")
    assert redis.answers == [1, 2, 3]
    assert len(redis.calls) == 0


async def test_it_gathers_no_more_than_so_many_bytes(redis: Redis) -> None:
    gathers = [redis.calls.gathers]
    for raw in (b"a", b"a" * MAX_GATHERED_BYTES):
        redis.ask(raw)
        gathers.append(redis.calls.gathers)
    assert gathers == [False, True, False]


@pytest.mark.parametrize("refusal", [b"-READONLY a replica\r\n", None])
async def test_what_a_lost_or_misplaced_connection_did_not_answer_is_sent_once_more(
    redis: Redis, refusal: bytes | None
) -> None:
    redis.ask(b"a")
    redis.ask(b"b")
    for number in range(2):
        await turns()
        assert redis.opened[number].said == [b"ab"]
        if refusal is None:
            redis.opened[number].lose()
        else:
            redis.opened[number].answer(refusal + refusal)
    await turns()
    assert [type(answer) for answer in redis.answers] == [RedisConnectionError] * 2


async def test_what_redis_refuses_is_an_answer(redis: Redis) -> None:
    redis.ask(b"a")
    await turns()
    redis.opened[0].answer(b"-NOPERM no\r\n")
    assert isinstance(redis.answers[0], ResponseError)
    assert len(redis.opened) == 1


async def test_where_no_connection_can_be_had_all_fail(redis: Redis) -> None:
    redis.error = ConnectionRefusedError("nobody there")
    redis.ask(b"a")
    redis.ask(b"b")
    await turns()
    assert redis.answers == [redis.error] * 2


async def test_a_silent_connection_is_dropped_and_what_else_waits_goes_elsewhere(redis: Redis) -> None:
    redis.ask(b"a", 0.01)
    redis.ask(b"b")
    await turns()
    while not redis.answers:  # noqa: ASYNC110 - nothing tells of a time-out
        await asyncio.sleep(0.005)
    assert isinstance(redis.answers[0], TimeoutError)
    assert redis.opened[0].is_closing()
    await turns()
    assert redis.opened[1].said == [b"b"]
    redis.opened[1].answer(b":2\r\n")
    assert redis.answers[1] == 2


async def test_one_that_says_something_to_others_is_kept_and_a_late_answer_is_nobodys(redis: Redis) -> None:
    redis.ask(b"a")
    redis.ask(b"b", 0.02)
    await turns()
    redis.opened[0].answer(b":1\r\n")
    while len(redis.answers) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert isinstance(redis.answers[1], TimeoutError)
    assert not redis.opened[0].is_closing()
    redis.opened[0].answer(b":2\r\n")
    assert len(redis.answers) == 2


async def test_a_loop_that_was_late_waits_for_what_it_may_have_missed(redis: Redis) -> None:
    redis.ask(b"a", 0.05)
    await turns()
    time.sleep(0.1)  # noqa: ASYNC251 - a busy loop is what this is about
    await asyncio.sleep(0.01)
    assert redis.answers == []
    redis.opened[0].answer(b":1\r\n")
    assert redis.answers == [1]


async def test_one_who_fails_to_take_an_answer_harms_nobody(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Reply | Exception) -> None:
        raise KeyError

    redis.calls.add(b"a", fail, PATIENT_S)
    redis.ask(b"b")
    await turns()
    with caplog.at_level(logging.ERROR):
        redis.opened[0].answer(b":1\r\n:2\r\n")
    assert redis.answers == [2]
    assert "could not be taken" in caplog.text


async def test_closing_tells_everybody(redis: Redis) -> None:
    redis.ask(b"a")
    await turns()
    redis.ask(b"b")
    redis.calls.close()
    assert [type(answer) for answer in redis.answers] == [RedisConnectionError] * 2
    await turns()
    assert redis.opened[0].said == [b"a"]
