"""How the connections of a listener are taken that begin with something else than a request: PROXY, TLS, or both."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from functools import partial
from typing import cast

from veneer.policy.listener_tls import UnusablePairError, server_context
from veneer.policy.node_settings import ListenerSettings
from veneer.server.lobby import Lobby
from veneer.server.prelude import ProxyPrelude
from veneer.server.protocol import FrontServer
from veneer.server.sockets import ListenError
from veneer.server.tls import TlsConnection

logger = logging.getLogger(__name__)


class Entrance:
    """What a listener asks for, in front of a server. What changes counts for connections made from then on."""

    def __init__(self, settings: ListenerSettings, server: FrontServer, lobby: Lobby) -> None:
        """Read the certificates. Raises ListenError."""
        self._settings = settings
        self._server = server
        self._lobby = lobby
        self._later = asyncio.get_running_loop().call_soon
        self._trusted = [ipaddress.ip_network(text) for text in settings.proxy_protocol]
        try:
            self._context = None if settings.tls is None else server_context(settings.tls)
        except UnusablePairError as error:
            raise ListenError(str(error)) from error

    @property
    def settings(self) -> ListenerSettings:
        """What is in force: of certificates those that are shown."""
        return self._settings

    def connection(self) -> asyncio.Protocol:
        """The protocol of one accepted connection."""
        if not self._trusted:
            return self._after(None)
        return ProxyPrelude(self._trusts, self._after, self._lobby, self._settings.peer)

    def _after(self, address: str | None) -> asyncio.Protocol:
        """What follows where the client's address is known, or is that of the socket."""
        context = self._context
        return self._server.connection(address) if context is None else self._secured(context, address)

    def _secured(self, context: ssl.SSLContext, address: str | None) -> asyncio.Protocol:
        answering = partial(self._server.connection, address)
        return cast("asyncio.Protocol", TlsConnection(context, answering, self._lobby, self._later))

    def _trusts(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._trusted)

    def take_up(self, settings: ListenerSettings) -> None:
        """Take connections with what another policy says. A certificate that cannot be used leaves the one before.

        Whether there is TLS at all, or PROXY, stays as it was at the start.
        """
        before, tls = self._settings, settings.tls
        if settings.proxy_protocol and self._trusted:
            self._trusted = [ipaddress.ip_network(text) for text in settings.proxy_protocol]
        if tls is None or self._context is None or tls == before.tls:
            return
        try:
            self._context = server_context(tls)
        except UnusablePairError as error:
            logger.error("%s keeps its certificate: %s", settings.address, error)  # noqa: TRY400 - the reason is whole
            return
        self._settings = settings
        logger.info("%s has another certificate from now on", settings.address)
