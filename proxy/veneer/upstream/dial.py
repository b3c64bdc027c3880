"""Opening connections: name to addresses, tried at once where the first is silent (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, cast

from aiohappyeyeballs import AddrInfoType, start_connection

from veneer.ports import UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection
from veneer.upstream.names import Names
from veneer.upstream.settings import PoolSettings

ATTEMPT_DELAY_S: Final = 0.25
"""An address that is silent for so long has the next one tried beside it (RFC 8305 section 5)."""


async def dial(settings: PoolSettings, factory: Callable[[], Connection], names: Names) -> Connection:
    """A connected `Connection` within `connect_timeout_s`, TLS included.

    Raises UpstreamError CONNECT or CONNECT_TIMEOUT; no request byte has been sent then.
    """
    endpoint = settings.endpoint
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            if endpoint.unix_path is not None:
                loop = asyncio.get_running_loop()
                opened = await loop.create_unix_connection(_protocols(factory), endpoint.unix_path)
                return cast("Connection", opened[1])
            return await _first_that_answers(settings, factory, names)
    except TimeoutError:
        names.failed()
        detail = f"no connection to {endpoint} within {settings.connect_timeout_s:g} s"
        raise UpstreamError(UpstreamFailure.CONNECT_TIMEOUT, detail, sent=False) from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        names.failed()
        raise UpstreamError(UpstreamFailure.CONNECT, f"no connection to {endpoint}: {error}", sent=False) from error


def _protocols(factory: Callable[[], Connection]) -> Callable[[], asyncio.BaseProtocol]:
    """The factory as the loops' types want it: what it makes has a protocol's methods, and no protocol's class."""
    return cast("Callable[[], asyncio.BaseProtocol]", factory)


async def _first_that_answers(settings: PoolSettings, factory: Callable[[], Connection], names: Names) -> Connection:
    loop, endpoint = asyncio.get_running_loop(), settings.endpoint
    tls = (settings.tls or True) if endpoint.tls else None
    name = settings.server_name or endpoint.host if tls is not None else None
    left = _places(await names.addresses(), endpoint.port)
    while True:
        connected = await start_connection(left, happy_eyeballs_delay=ATTEMPT_DELAY_S, interleave=1)
        reached = connected.getpeername()
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = await loop.create_connection(_protocols(factory), sock=connected, ssl=tls, server_hostname=name)
        except BaseException as error:
            connected.close()
            left = [place for place in left if place[4][:2] != reached[:2]]
            if not left or not isinstance(error, OSError):
                raise
            continue
        names.worked(str(reached[0]))
        return cast("Connection", opened[1])


def _places(addresses: Sequence[str], port: int) -> list[AddrInfoType]:
    """The addresses as sockets want them."""
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found: list[AddrInfoType] = []
    for address in addresses:
        found += socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=numeric)
    return found
