"""The relay as a black hole, and with connections that are half-open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from checks.relay import Relay, relay

NEVER_S = 0.05


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while said := await reader.readline():
            if said == b"leave\n":
                break
            writer.write(said)
    writer.close()


@asynccontextmanager
async def carried() -> AsyncIterator[Relay]:
    """A relay before a server that says everything once more, until it is told to leave."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with relay(server.sockets[0].getsockname()[1]) as between:
        yield between
    server.close()


class Caller:
    """A connection through the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, between: Relay) -> Caller:
        return cls(*await asyncio.open_connection("127.0.0.1", between.port))

    async def says(self, line: bytes, within_s: float = 5.0) -> bytes:
        """What comes back; TimeoutError where nothing does, not even the end."""
        self._writer.write(line)
        async with asyncio.timeout(within_s):
            return await self._reader.readline()

    def close(self) -> None:
        self._writer.close()


async def test_a_black_hole_takes_connections_and_carries_nothing_then_or_later() -> None:
    async with carried() as between:
        before = await Caller.to(between)
        assert await before.says(b"a\n") == b"a\n"
        between.swallow()
        during = await Caller.to(between)
        for caller in (before, during):
            with pytest.raises(TimeoutError):
                await caller.says(b"b\n", NEVER_S)
        between.mend()
        for caller in (before, during):
            with pytest.raises(TimeoutError):
                await caller.says(b"c\n", NEVER_S)
        after = await Caller.to(between)
        assert await after.says(b"d\n") == b"d\n"
        for caller in (before, during, after):
            caller.close()


async def test_a_forgotten_connection_hears_nothing_not_even_the_end_and_new_ones_are_carried() -> None:
    async with carried() as between:
        before = await Caller.to(between)
        assert await before.says(b"a\n") == b"a\n"
        between.forget()
        after = await Caller.to(between)
        assert await after.says(b"b\n") == b"b\n"
        with pytest.raises(TimeoutError):
            await before.says(b"leave\n", NEVER_S)
        assert await after.says(b"leave\n") == b""
        for caller in (before, after):
            caller.close()


async def test_who_is_held_gets_all_of_it_in_the_end() -> None:
    async with carried() as between:
        caller = await Caller.to(between)
        between.hold()
        with pytest.raises(TimeoutError):
            await caller.says(b"a\n", NEVER_S)
        between.mend()
        assert await caller.says(b"") == b"a\n"
        caller.close()
