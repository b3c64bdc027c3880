"""A PROXY header before everything else on a connection: whom the proxy in front speaks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from veneer.core.address import node_address
from veneer.core.proxy_header import ProxyProblem, read_proxy_header
from veneer.server.lobby import Lobby, Refused


class ProxyPrelude(asyncio.Protocol):
    """Reads the header, and then leaves the connection to what `then` makes for the address that was told.

    `trusts` says which peers may send one; a connection of any other peer is refused. `unnamed_peer` is the address of
    a peer whose socket has none.
    """

    def __init__(
        self,
        trusts: Callable[[str], bool],
        then: Callable[[str | None], asyncio.Protocol],
        lobby: Lobby,
        unnamed_peer: str,
    ) -> None:
        self._trusts = trusts
        self._then = then
        self._lobby = lobby
        self._unnamed_peer = unnamed_peer
        self._transport: asyncio.Transport | None = None
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the header."""
        self._transport = cast("asyncio.Transport", transport)
        self._lobby.enter(self)
        peer = transport.get_extra_info("peername")
        if not self._trusts(node_address(str(peer[0])) if isinstance(peer, tuple) else self._unnamed_peer):
            self._refuse(ProxyProblem.UNTRUSTED)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """The peer has left."""
        self._lobby.refuse(self, Refused.GONE)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Bytes of the header, and what follows it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._came += data
        found = read_proxy_header(self._came)
        if found is None:
            return
        if isinstance(found, ProxyProblem):
            self._refuse(found)
            return
        self._lobby.leave(self)
        self._transport = None
        protocol, rest = self._then(found.address), self._came[found.size :]
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if rest:
            protocol.data_received(rest)

    def dismiss(self, why: Refused) -> None:  # noqa: ARG002 - what it is told does not differ
        """End it before it has begun."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, why: ProxyProblem) -> None:
        self._lobby.refuse(self, why)
        if self._transport is not None:
            self._transport.abort()
