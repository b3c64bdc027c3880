"""The logs of several workers as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.admin.tail import LogTail
from veneer.observe.observer import Observer
from veneer.workers import tails
from veneer.workers.tails import WorkerTails


@asynccontextmanager
async def worker(path: Path) -> AsyncIterator[Observer]:
    """A worker's socket, and what is recorded there."""
    observer = quiet_observer()
    application = web.Application()
    application.add_routes([web.get("/tail", LogTail(observer.watch).follow)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    yield observer
    await runner.cleanup()


async def watched(observer: Observer) -> None:
    async with asyncio.timeout(10):
        while not observer._also:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


def finish(observer: Observer, path: str) -> None:
    observer.begin()
    observer.finish(record(path=path))


async def test_lines_of_all_and_of_those_that_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "LOOK_EVERY_S", 0.01)
    sockets: dict[str, Path] = {"w0": tmp_path / "0"}
    application = web.Application()
    application.add_routes([web.get("/tail", WorkerTails(lambda: sockets).follow)])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(worker(tmp_path / "0"))
        client = await stack.enter_async_context(TestClient(TestServer(application)))
        assert (await client.get("/tail?status=abc")).status == 400
        answer = await client.get("/tail?status=200")
        assert await answer.content.readline() == b"\n"
        await watched(first)
        finish(first, "/one")
        assert b'"/one"' in await answer.content.readline()
        second = await stack.enter_async_context(worker(tmp_path / "1"))
        sockets["w1"] = tmp_path / "1"
        del sockets["w0"]
        await watched(second)
        finish(second, "/two")
        assert b'"/two"' in await answer.content.readline()
        answer.close()
