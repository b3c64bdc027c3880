"""The access log as it is written, for who follows it: GET /tail. Nothing is done for it while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from veneer.admin.tail_filter import BadFilterError, TailFilter
from veneer.observe.lines import JsonLines
from veneer.pipeline.exchange import ExchangeRecord

TAIL_PATH: Final = "/tail"
MEDIA_TYPE: Final = "application/x-ndjson"
MOST_READERS: Final = 8
MOST_LINES: Final = 1_000
"""Lines that wait for one reader. What comes beyond that is dropped, and counted in a line of its own."""
BEAT_S: Final = 10.0
"""So often a reader of a quiet log gets an empty line, by which both sides notice that the other is gone."""

See = Callable[[ExchangeRecord], None]
Watch = Callable[[See], Callable[[], None]]
"""Has something see each record from now on; returns what ends that."""


class TailReader:
    """What waits for one reader."""

    def __init__(self, chosen: TailFilter) -> None:
        self._chosen = chosen
        self._lines: deque[bytes] = deque()
        self._renderer = JsonLines()
        self._dropped = 0
        self._news = asyncio.Event()

    def see(self, record: ExchangeRecord) -> None:
        """Keep the line of an exchange that is asked for. Never waits, and never raises."""
        if not self._chosen.takes(record):
            return
        if len(self._lines) >= MOST_LINES:
            self._dropped += 1
            return
        with contextlib.suppress(ValueError):  # what the log cannot render either
            self._lines.append(self._renderer.line(record))
            self._news.set()

    async def lines(self) -> bytes:
        """All that has come since; an empty line where nothing has for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await self._news.wait()
        self._news.clear()
        taken, dropped = b"".join(self._lines) or b"\n", self._dropped
        self._lines.clear()
        self._dropped = 0
        return taken + (b'{"dropped":%d}\n' % dropped if dropped else b"")


class LogTail:
    """Who follows the log of this process."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._readers = 0

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Lines for as long as the reader stays. Raises HTTPBadRequest and HTTPServiceUnavailable."""
        chosen = chosen_of(request)
        if self._readers >= MOST_READERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_READERS} readers follow the log already")
        reader = TailReader(chosen)
        self._readers += 1
        unwatch = self._watch(reader.see)
        try:
            response = await begun(request)
            while True:
                await response.write(await reader.lines())
        except ConnectionError:
            return web.Response()  # The reader is gone: nobody is told.
        finally:
            unwatch()
            self._readers -= 1


def chosen_of(request: web.Request) -> TailFilter:
    """What the reader asks for. Raises HTTPBadRequest."""
    try:
        return TailFilter.parse(request.query)
    except BadFilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


async def begun(request: web.Request) -> web.StreamResponse:
    """A response whose lines are to be written."""
    response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})
    await response.prepare(request)
    await response.write(b"\n")
    return response
