"""A shared body: everybody reads the same bytes, memory stays bounded, nobody is left waiting."""

import asyncio

import pytest

from veneer.core.fields import Fields
from veneer.pipeline.content import WINDOW_BYTES, Budget, LateReaderError, NoReadersError, SharedBody


async def read_all(body: SharedBody) -> bytes:
    reader = body.open()
    try:
        return b"".join([chunk async for chunk in reader])
    finally:
        reader.close()


async def test_readers_before_during_and_after_get_the_same() -> None:
    body = SharedBody(100, Budget(1000))
    early = asyncio.ensure_future(read_all(body))  # noqa: TID251 - a test's own task
    await body.append(b"one ")
    await asyncio.sleep(0)
    middle = asyncio.ensure_future(read_all(body))  # noqa: TID251 - a test's own task
    await body.append(b"two")
    body.end(Fields([("X-Sum", "7")]))
    assert await early == await middle == await read_all(body) == b"one two"
    assert body.whole() == b"one two"
    assert body.trailers.get("x-sum") == "7"


async def test_a_failure_reaches_every_reader() -> None:
    body = SharedBody(100, Budget(1000))
    reader = asyncio.ensure_future(read_all(body))  # noqa: TID251 - a test's own task
    await body.append(b"part")
    body.fail(ConnectionError("cut"))
    with pytest.raises(ConnectionError):
        await reader
    with pytest.raises(ConnectionError):
        await body.wait_end()


async def test_past_its_bound_the_body_is_passed_on_and_not_kept() -> None:
    budget = Budget(10 * WINDOW_BYTES)
    body = SharedBody(WINDOW_BYTES, budget)
    received = 0

    place = body.open()

    async def consume() -> None:
        nonlocal received
        async for chunk in place:
            received += len(chunk)

    reader = asyncio.ensure_future(consume())  # noqa: TID251 - a test's own task
    for _ in range(20):
        await body.append(b"x" * (WINDOW_BYTES // 2))
    body.end(Fields())
    await reader
    assert received == 10 * WINDOW_BYTES
    assert not body.kept
    assert budget.used_bytes == 0
    with pytest.raises(LateReaderError):
        body.whole()
    with pytest.raises(LateReaderError):
        await read_all(body)


async def test_a_spent_budget_stops_keeping_too() -> None:
    budget = Budget(10)
    first = SharedBody(100, budget)
    await first.append(b"12345678")
    second = SharedBody(100, budget)
    await second.append(b"1234")
    assert first.kept
    assert not second.kept
    first.close()
    assert budget.used_bytes == 0


async def test_a_body_nobody_reads_is_given_up() -> None:
    body = SharedBody(10, Budget(1000))
    body.open().close()
    with pytest.raises(NoReadersError):
        await body.append(b"x" * (WINDOW_BYTES + 1))
