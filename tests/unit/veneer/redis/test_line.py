"""A connection that is opened when needed: when it is opened again, what is asked twice, what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.support.wires import Transport, wired
from veneer.loop.tasks import Tasks
from veneer.redis.line import GatheringConnection, RedisConnectionPool
from veneer.redis.script import Reply
from veneer.redis.wire import RedisConnection, command

PATIENT_S = 30.0


class Exchange:
    """Where the line leads: every connection that was opened, or why none can be."""

    def __init__(self) -> None:
        self.opened: list[Transport] = []
        self.error: Exception | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def dial(self) -> RedisConnection:
        await self.let_go.wait()
        if self.error is not None:
            raise self.error
        wire, transport = wired()
        self.opened.append(transport)
        return wire


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks()
    yield kept
    await kept.aclose()


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def line(exchange: Exchange, tasks: Tasks) -> GatheringConnection:
    return GatheringConnection(exchange.dial, tasks)


async def asked(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange, connections: int = 1
) -> asyncio.Task[Reply]:
    """Somebody who has asked, on the connection of that number."""
    asking = tasks.start(line.ask(PATIENT_S, "GET", "key"), "ask")
    while len(exchange.opened) < connections or not exchange.opened[-1].said:  # noqa: ASYNC110 - some turns of the loop
        await asyncio.sleep(0)
    await turns()
    return asking


async def turns() -> None:
    """Until what is asked now has left."""
    for _ in range(4):
        await asyncio.sleep(0)


async def test_all_share_one_connection(line: GatheringConnection, tasks: Tasks, exchange: Exchange) -> None:
    asking = [await asked(line, tasks, exchange), await asked(line, tasks, exchange)]
    exchange.opened[0].answer(b":1\r\n:2\r\n")
    assert [await one for one in asking] == [1, 2]
    assert len(exchange.opened) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        b"-MOVED 1 127.0.0.1:2\r\n",
        b"-READONLY a replica\r\n",
        b"-ERR Error running script (call to f_1): @user_script:4: @user_script: 4: -READONLY a replica\r\n",
        None,
    ],
)
async def test_what_a_lost_or_misplaced_connection_did_not_answer_is_asked_once_more(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange, refusal: bytes | None
) -> None:
    asking = await asked(line, tasks, exchange)
    if refusal is None:
        exchange.opened[0].lose()
    else:
        exchange.opened[0].answer(refusal)
    await asked(line, tasks, exchange, connections=2)
    exchange.opened[1].answer(b":1\r\n")
    assert await asking == 1


async def test_a_second_loss_is_an_error(line: GatheringConnection, tasks: Tasks, exchange: Exchange) -> None:
    asking = await asked(line, tasks, exchange)
    exchange.opened[0].lose()
    await asked(line, tasks, exchange, connections=2)
    exchange.opened[1].lose()
    with pytest.raises(RedisConnectionError):
        await asking


async def test_what_redis_refuses_is_not_asked_again(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange
) -> None:
    asking = await asked(line, tasks, exchange)
    exchange.opened[0].answer(b"-NOPERM no\r\n")
    with pytest.raises(ResponseError, match="NOPERM"):
        await asking
    assert line.wire is not None


async def test_a_silent_connection_is_dropped(line: GatheringConnection, tasks: Tasks, exchange: Exchange) -> None:
    before = await asked(line, tasks, exchange)  # there is a connection, before time is counted
    exchange.opened[0].answer(b":1\r\n")
    assert await before == 1
    with pytest.raises(TimeoutError):
        await line.ask(0.01, "GET", "key")
    assert exchange.opened[0].is_closing()
    assert line.wire is None


async def test_one_that_says_something_to_others_is_kept(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange
) -> None:
    other = await asked(line, tasks, exchange)
    asking = tasks.start(line.ask(0.02, "GET", "key"), "ask")
    await turns()
    exchange.opened[0].answer(b":1\r\n")
    with pytest.raises(TimeoutError):
        await asking
    assert await other == 1
    assert line.wire is not None


async def test_what_comes_in_one_iteration_leaves_together_over_the_connection_where_least_wait(
    tasks: Tasks, exchange: Exchange
) -> None:
    lines = RedisConnectionPool(exchange.dial, tasks, most=2)
    asking = [tasks.start(lines.ask(PATIENT_S, "GET", str(n)), "ask") for n in range(2)]
    while sum(len(redis.said) for redis in exchange.opened) < 1:  # noqa: ASYNC110 - some turns of the loop
        await asyncio.sleep(0)
    asking.append(tasks.start(lines.ask(PATIENT_S, "GET", "2"), "ask"))
    while sum(len(redis.said) for redis in exchange.opened) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert [redis.said for redis in exchange.opened] == [
        [command("GET", "0") + command("GET", "1")],
        [command("GET", "2")],
    ]
    exchange.opened[0].answer(b":0\r\n:1\r\n")
    exchange.opened[1].answer(b":2\r\n")
    assert [await one for one in asking] == [0, 1, 2]
    lines.close()
    assert all(redis.is_closing() for redis in exchange.opened)


async def test_opening_goes_on_when_the_caller_has_had_enough(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange
) -> None:
    exchange.let_go.clear()
    with pytest.raises(TimeoutError):
        await line.ask(0.01, "GET", "key")
    exchange.let_go.set()
    asking = await asked(line, tasks, exchange)
    assert len(exchange.opened) == 1
    exchange.opened[0].answer(b":1\r\n")
    assert await asking == 1


async def test_why_it_cannot_be_opened_is_said_and_it_is_tried_again(
    line: GatheringConnection, tasks: Tasks, exchange: Exchange
) -> None:
    exchange.error = ConnectionRefusedError("nobody there")
    with pytest.raises(ConnectionRefusedError, match="nobody there"):
        await line.ask(PATIENT_S, "GET", "key")
    exchange.error = None
    await asked(line, tasks, exchange)
    assert line.wire is not None


async def test_after_the_tasks_are_closed_nothing_is_opened(line: GatheringConnection, tasks: Tasks) -> None:
    await tasks.aclose()
    with pytest.raises(RedisConnectionError, match="closed"):
        await line.ask(PATIENT_S, "GET", "key")


async def test_closing_ends_what_is_under_way(line: GatheringConnection, tasks: Tasks, exchange: Exchange) -> None:
    asking = await asked(line, tasks, exchange)
    line.close()
    with pytest.raises(RedisConnectionError):
        await asking
    assert exchange.opened[0].is_closing()
    assert line.wire is None
