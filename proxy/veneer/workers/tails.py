"""The access logs of all workers as one, for who follows them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from veneer.admin.tail import BEAT_S, MOST_READERS, begun, chosen_of
from veneer.loop.tasks import Tasks
from veneer.workers.worker_client import FOREIGN

LOOK_EVERY_S: Final = 1.0
"""So often it is seen whether workers have come."""
_MOST_WAITING: Final = 256
"""Lines that wait here for one reader. Beyond that they wait at the workers, which drop and count."""


class WorkerTails:
    """Follows each worker that lives, and those that come, for each reader."""

    def __init__(self, sockets: Callable[[], Mapping[str, Path]]) -> None:
        self._sockets = sockets
        self._readers = 0

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Lines for as long as the reader stays. Raises HTTPBadRequest and HTTPServiceUnavailable."""
        if self._readers >= MOST_READERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_READERS} readers follow the log already")
        chosen_of(request)
        self._readers += 1
        queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        tasks = Tasks()
        tasks.start(self._follow_all(tasks, request.path_qs, queue), "tail: look for workers")
        try:
            response = await begun(request)
            while True:
                await response.write(await _next(queue))
        except ConnectionError:
            return web.Response()  # The reader is gone: nobody is told.
        finally:
            self._readers -= 1
            await tasks.aclose()

    async def _follow_all(self, tasks: Tasks, target: str, queue: asyncio.Queue[bytes]) -> None:
        """Follow every worker; ends by cancellation alone."""
        followed: dict[str, asyncio.Task[None]] = {}
        while True:
            sockets = self._sockets()
            followed = {worker: task for worker, task in followed.items() if worker in sockets and not task.done()}
            for worker, path in sockets.items():
                if worker not in followed:
                    followed[worker] = tasks.start(_follow(path, target, queue), f"tail: {worker}")
            await asyncio.sleep(LOOK_EVERY_S)


async def _next(queue: asyncio.Queue[bytes]) -> bytes:
    try:
        async with asyncio.timeout(BEAT_S):
            return await queue.get()
    except TimeoutError:
        return b"\n"


async def _follow(path: Path, target: str, queue: asyncio.Queue[bytes]) -> None:
    """The lines of one worker, until it ends."""
    limit = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=3 * BEAT_S)
    with contextlib.suppress(*FOREIGN, ValueError):
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=limit) as session,
            session.get(f"http://localhost{target}") as answer,
        ):
            if answer.status == 200:
                async for line in answer.content:
                    if line.strip():
                        await queue.put(line)
