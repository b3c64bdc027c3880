"""Waiting for an answer without blaming the one who answers for the time in which one could not listen."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import closing

import pytest

from veneer.redis.patience import LagTolerantTimeout


async def test_an_answer_in_time_is_taken() -> None:
    async with LagTolerantTimeout(5):
        assert await asyncio.sleep(0, "answer") == "answer"


async def test_no_answer_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with LagTolerantTimeout(0.01):
            await asyncio.Event().wait()


async def test_an_answer_that_came_while_the_loop_did_not_run_is_taken() -> None:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    with there, closing(writer):
        async with LagTolerantTimeout(0.05):
            there.sendall(b"answer\n")
            time.sleep(0.2)  # noqa: ASYNC251 - the loop is kept from running
            assert await reader.readline() == b"answer\n"
    await writer.wait_closed()


async def test_a_busy_loop_does_not_wait_for_ever() -> None:
    async def work() -> None:
        while True:
            time.sleep(0.06)  # noqa: ASYNC251 - a loop that is always late
            await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        async with LagTolerantTimeout(0.02):
            await work()


async def test_a_cancellation_stays_one() -> None:
    async def wait() -> None:
        async with LagTolerantTimeout(5):
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
