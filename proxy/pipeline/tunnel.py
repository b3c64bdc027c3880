"""After 101 Switching Protocols: octets both ways until either side ends (RFC 9110 section 7.8)."""

from __future__ import annotations

import asyncio

from proxy.ports import Client, ClientGoneError, Tunnel, UpstreamError, UpstreamResponse
from proxy.tasks import Tasks


async def relay(tasks: Tasks, client: Client, response: UpstreamResponse) -> None:
    """Pass octets between client and backend. Returns when one of them has closed; both are closed then."""
    backend_side = response.tunnel
    assert backend_side is not None
    try:
        client_side = await client.upgrade(response.head)
        ways = [
            tasks.start(_pass(client_side, backend_side), "tunnel up"),
            tasks.start(_pass(backend_side, client_side), "tunnel down"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await client_side.aclose()
    finally:
        await backend_side.aclose()


async def _pass(source: Tunnel, sink: Tunnel) -> None:
    try:
        while data := await source.read():
            await sink.write(data)
    except (ClientGoneError, UpstreamError):
        return
