"""After 101 Switching Protocols: bytes both ways until either side ends (RFC 9110 section 7.8)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from veneer.loop.tasks import Tasks
from veneer.pipeline.exchange import TunnelEnd
from veneer.ports import Client, ClientGoneError, Tunnel, UpstreamError, UpstreamResponse

LAST_S = 5.0
"""So long the other side may go on once one has ended."""


class Passed(NamedTuple):
    """What crossed a tunnel, in bytes, and why it ended."""

    from_client: int
    from_backend: int
    end: TunnelEnd


class _Way:
    """One direction of a tunnel."""

    def __init__(self, source: Tunnel, sink: Tunnel, ending: TunnelEnd) -> None:
        self._source = source
        self._sink = sink
        self._ending = ending
        self._loop = asyncio.get_running_loop()
        self.passed = 0
        self.heard_s = self._loop.time()

    async def run(self) -> TunnelEnd:
        """Pass on what comes until the source ends, and then that end, or until the sink is gone; which it was."""
        try:
            while data := await self._source.read():
                self.heard_s = self._loop.time()
                await self._sink.write(data)
                self.passed += len(data)
            await self._sink.end()
        except ClientGoneError:
            return TunnelEnd.CLIENT
        except UpstreamError:
            return TunnelEnd.BACKEND
        return self._ending


async def relay(tasks: Tasks, client: Client, response: UpstreamResponse, idle_s: float) -> Passed:
    """Pass bytes between client and backend until one of them ends; the other has a little time to end too.

    Where nothing has come from either side for `idle_s`, both are told the end: silence of one alone means nothing. So
    they are when the proxy stops (it stops the client's side). No more is taken from either then, and what had come
    goes out before.
    """
    backend_side = response.tunnel
    assert backend_side is not None
    client_side: Tunnel | None = None
    client.detach()  # that it leaves is an end like others
    try:
        client_side = await client.upgrade(response.head)
        up = _Way(client_side, backend_side, TunnelEnd.CLIENT)
        down = _Way(backend_side, client_side, TunnelEnd.BACKEND)
        ways = [tasks.start(up.run(), "tunnel up"), tasks.start(down.run(), "tunnel down")]
        try:
            end = await _end(up, down, ways, idle_s)
            if client_side.stopped:
                end = TunnelEnd.DRAIN
            if end in (TunnelEnd.DRAIN, TunnelEnd.SILENT):
                client_side.stop()
                backend_side.stop()
            await asyncio.wait(ways, timeout=LAST_S)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await client_side.aclose()
        await backend_side.aclose()
        return Passed(up.passed, down.passed, end)
    finally:
        client.reattach()
        backend_side.cut()
        if client_side is not None:
            client_side.cut()


async def _end(up: _Way, down: _Way, ways: list[asyncio.Task[TunnelEnd]], idle_s: float) -> TunnelEnd:
    """Wait until one way has ended or both are silent."""
    loop = asyncio.get_running_loop()
    while (left_s := max(up.heard_s, down.heard_s) + idle_s - loop.time()) > 0:
        await asyncio.wait(ways, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            if way.done():
                return way.result()
    return TunnelEnd.SILENT
