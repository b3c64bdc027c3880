"""A body that arrives once and is read by several clients while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from veneer.core.fields import Fields
from veneer.loop.tasks import anew
from veneer.ports import Demand, UpstreamError

WINDOW_BYTES = 256 * 1024


class LateReaderError(Exception):
    """The beginning of the body is gone already; fetch it anew."""


class NoReadersError(Exception):
    """Every reader of a body that is no longer kept has left."""


class Budget:
    """A bound on the bytes that all bodies in flight may keep together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, size_bytes: int) -> bool:
        """Reserve bytes; False when that would pass the bound."""
        if self.used_bytes + size_bytes > self._limit_bytes:
            return False
        self.used_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Release bytes reserved before."""
        self.used_bytes -= size_bytes


class SharedBody:
    """One producer, any number of readers.

    While it is *kept*, every byte stays until the end, so that the whole can be stored and readers may join late. Past
    `keep_bytes`, or when the budget is spent, it is only passed on: the producer waits for the slowest reader, and
    nobody may join any more. Its readers count as those who wait (`demand`).
    """

    def __init__(self, keep_bytes: int, budget: Budget, demand: Demand | None = None) -> None:
        self._demand = demand
        self._keep_bytes = keep_bytes
        self._budget = budget
        self._chunks: list[bytes] = []
        self._base = 0
        self._reserved_bytes = 0
        self._held_bytes = 0
        self._readers: dict[BodyCursor, int] = {}
        self._changed = asyncio.Event()
        self.kept = True
        self.ended = False
        self.error: Exception | None = None
        self.trailers = Fields()
        self.size_bytes = 0

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def append(self, data: bytes) -> None:
        """Add bytes. Raises NobodyReadsError when they would go nowhere."""
        if self.kept:
            if self.size_bytes + len(data) <= self._keep_bytes and self._budget.take(len(data)):
                self._reserved_bytes += len(data)
            else:
                self._stop_keeping()
        self._chunks.append(data)
        self.size_bytes += len(data)
        self._held_bytes += len(data)
        self._notify()
        while not self.kept and self._held_bytes > WINDOW_BYTES:
            if not self._readers:
                raise NoReadersError
            await self._changed.wait()

    def _stop_keeping(self) -> None:
        self.kept = False
        self._release_budget()
        self._trim()

    def _release_budget(self) -> None:
        self._budget.give_back(self._reserved_bytes)
        self._reserved_bytes = 0

    def _trim(self) -> None:
        done = min(self._readers.values(), default=self._base) - self._base
        if done > 0:
            self._held_bytes -= sum(len(chunk) for chunk in self._chunks[:done])
            del self._chunks[:done]
            self._base += done

    def end(self, trailers: Fields) -> None:
        """The body is whole."""
        self.trailers = trailers
        self.ended = True
        self._notify()

    def fail(self, error: Exception) -> None:
        """The body broke off; readers get `error`."""
        self.error = self._broken(error)
        self.ended = True
        self._notify()

    @staticmethod
    def _broken(error: Exception) -> Exception:
        """An error of its own for each reader: one that is kept must not refer to the frames that it came through."""
        return error.again() if isinstance(error, UpstreamError) else anew(error)

    def close(self) -> None:
        """Give back what was reserved; what readers still hold lives until they end."""
        self._release_budget()
        self._demand = None  # a flight, which refers to this through its outcome

    def whole(self) -> bytes:
        """Every byte so far; only while kept."""
        if not self.kept:
            raise LateReaderError
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    async def wait_end(self) -> None:
        """Return when the body is whole. Raises the error that broke it off."""
        while not self.ended:
            await self._changed.wait()
        if self.error is not None:
            raise self._broken(self.error)

    def open(self) -> BodyCursor:
        """Begin to read from the first byte; the place is kept from now on. Raises LateReaderError."""
        if not self.kept and self._base > 0:
            raise LateReaderError
        reader = BodyCursor(self)
        if self._demand is not None:
            self._demand.join()
        self._readers[reader] = self._base
        return reader

    def leave(self, reader: BodyCursor) -> None:
        """Forget a reader; the producer no longer waits for it."""
        if self._readers.pop(reader, None) is not None:
            if self._demand is not None:
                self._demand.leave()
            self._notify()

    async def next_chunk(self, reader: BodyCursor) -> bytes | None:
        """The bytes after those `reader` has had, None at the end. Raises the error that broke the body off."""
        while (position := self._readers[reader]) >= self._base + len(self._chunks):
            if self.error is not None:
                raise self._broken(self.error)
            if self.ended:
                return None
            await self._changed.wait()
        chunk = self._chunks[position - self._base]
        self._readers[reader] = position + 1
        if not self.kept:
            self._trim()
            self._notify()
        return chunk


class BodyCursor:
    """One client's place in a `SharedBody`. Close it on every path."""

    def __init__(self, body: SharedBody) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._body.next_chunk(self)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        """Leave the body."""
        self._body.leave(self)

    async def aclose(self) -> None:
        """Leave the body."""
        self.close()
