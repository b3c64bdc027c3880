"""Opening connections: name to addresses, each tried in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from proxy.ports import UpstreamError, UpstreamFailure
from proxy.upstream.connection import Connection
from proxy.upstream.settings import Endpoint, PoolSettings

Resolve = Callable[[Endpoint], Awaitable[list[str]]]
"""Gives the addresses of an endpoint's host, best first."""


async def resolve(endpoint: Endpoint) -> list[str]:
    """What the system's resolver says, in its order, without repetition."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def dial(settings: PoolSettings, factory: Callable[[], Connection], resolver: Resolve = resolve) -> Connection:
    """A connected `Connection` within `connect_timeout_s`, TLS included.

    Raises UpstreamError CONNECT or CONNECT_TIMEOUT; no request octet has been sent then.
    """
    endpoint = settings.endpoint
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            if endpoint.unix_path is not None:
                loop = asyncio.get_running_loop()
                opened = await loop.create_unix_connection(_protocols(factory), endpoint.unix_path)
                return cast("Connection", opened[1])
            return await _first_that_answers(settings, factory, await resolver(endpoint))
    except TimeoutError:
        detail = f"no connection to {endpoint} within {settings.connect_timeout_s:g} s"
        raise UpstreamError(UpstreamFailure.CONNECT_TIMEOUT, detail, sent=False) from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        raise UpstreamError(UpstreamFailure.CONNECT, f"no connection to {endpoint}: {error}", sent=False) from error


def _protocols(factory: Callable[[], Connection]) -> Callable[[], asyncio.BaseProtocol]:
    """The factory as the loops' types want it: what it makes has a protocol's methods, and no protocol's class."""
    return cast("Callable[[], asyncio.BaseProtocol]", factory)


async def _first_that_answers(
    settings: PoolSettings, factory: Callable[[], Connection], addresses: list[str]
) -> Connection:
    loop = asyncio.get_running_loop()
    endpoint = settings.endpoint
    tls = (settings.tls or True) if endpoint.tls else None
    name = endpoint.host if tls is not None else None
    last: OSError = OSError(f"{endpoint.host} has no address")
    for position, address in enumerate(addresses):
        # A silent address leaves time for those after it.
        patience_s = settings.connect_timeout_s / (len(addresses) - position) if len(addresses) > 1 else None
        try:
            async with asyncio.timeout(patience_s):
                made = _protocols(factory)
                opened = await loop.create_connection(made, address, endpoint.port, ssl=tls, server_hostname=name)
                return cast("Connection", opened[1])
        except TimeoutError:
            last = TimeoutError(f"{address} did not answer")
        except OSError as error:
            last = error
    raise last
