"""Which worker hangs, and that one that was paused with its supervisor does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from veneer.workers.heartbeat import hangs

PATIENCE_S = 0.2


@asynccontextmanager
async def worker(path: Path, answer: Callable[[], Awaitable[None]]) -> AsyncIterator[list[str]]:
    """A worker's socket; the list has what it was asked."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        await answer()
        return web.Response(status=503)

    application = web.Application()
    application.router.add_get("/{rest:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    yield asked
    await runner.cleanup()


async def at_once() -> None:
    """Whatever it says, it lives."""


async def test_one_that_answers_does_not_hang_whatever_it_says(tmp_path: Path) -> None:
    async with worker(tmp_path / "w", at_once) as asked:
        assert not await hangs(tmp_path / "w", lambda: len(asked) > 5, patience_s=PATIENCE_S, every_s=0.001)


async def test_one_that_answers_nothing_hangs(tmp_path: Path) -> None:
    async with worker(tmp_path / "w", asyncio.Event().wait) as asked:  # type: ignore[arg-type]
        assert await hangs(tmp_path / "w", lambda: False, patience_s=PATIENCE_S, every_s=0.001)
        assert len(asked) == 2


async def test_one_that_misses_a_question_now_and_then_does_not(tmp_path: Path) -> None:
    turns = 0

    async def every_other() -> None:
        nonlocal turns
        turns += 1
        if turns % 2:
            await asyncio.Event().wait()

    async with worker(tmp_path / "w", every_other):
        assert not await hangs(tmp_path / "w", lambda: turns > 5, patience_s=PATIENCE_S, every_s=0.001)


async def test_when_all_was_paused_nobody_hangs(tmp_path: Path) -> None:
    """The worker's loop and the supervisor's are one here: both stand still for longer than both questions may take."""
    turns = 0

    async def paused() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            time.sleep(3 * PATIENCE_S)  # noqa: ASYNC251 - that is the pause

    async with worker(tmp_path / "w", paused):
        assert not await hangs(tmp_path / "w", lambda: turns > 3, patience_s=PATIENCE_S, every_s=0.001)


async def test_a_socket_that_is_gone_is_no_worker_that_hangs(tmp_path: Path) -> None:
    looks = 0

    def ended() -> bool:
        nonlocal looks
        looks += 1
        return looks > 5

    assert not await hangs(tmp_path / "none", ended, patience_s=PATIENCE_S, every_s=0.001)
