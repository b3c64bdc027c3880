"""The access log as it is written, for who follows it: GET /tail. Nothing is done for it while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from veneer.observe.lines import JsonLines
from veneer.pipeline.exchange import CacheResult, ExchangeRecord
from veneer.policy.units import parse_statuses

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


class BadFilterError(ValueError):
    """What was asked for cannot be filtered by; the text says why."""


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which exchanges are shown: all given conditions must hold. `slow_ms` are those that took at least so long."""

    route: str | None = None
    statuses: frozenset[int] | None = None
    cache: frozenset[str] | None = None
    slow_ms: float = 0.0

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> TailFilter:
        """From the parameters `route`, `status` (404, 5xx or 500-503), `cache` (hit, miss...) and `slow` (in ms).

        Lists are separated by commas. Raises BadFilterError.
        """
        known = {result.value for result in CacheResult}
        cache = frozenset(filter(None, query.get("cache", "").split(",")))
        if not cache <= known:
            msg = f"cache: {', '.join(sorted(cache - known))[:80]} is none of {', '.join(sorted(known))}"
            raise BadFilterError(msg)
        try:
            slow_ms = float(query.get("slow", "0"))
            statuses = frozenset(
                status for part in filter(None, query.get("status", "").split(",")) for status in parse_statuses(part)
            )
        except ValueError as error:
            raise BadFilterError(str(error)) from error
        return cls(query.get("route") or None, statuses or None, cache or None, slow_ms)

    def takes(self, record: ExchangeRecord) -> bool:
        """Whether an exchange is shown."""
        return (
            (self.route is None or record.route == self.route)
            and (self.statuses is None or record.status in self.statuses)
            and (self.cache is None or record.cache.value in self.cache)
            and record.duration_ms >= self.slow_ms
        )


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
