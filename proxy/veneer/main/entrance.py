"""How the connections of a listener are taken that begin with something else than a request: TLS."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from veneer.core.listen_address import ListenAddress
from veneer.policy.listener_tls import ListenerTls, UnusablePairError, server_context
from veneer.server.lobby import Lobby
from veneer.server.protocol import FrontServer
from veneer.server.sockets import ListenError
from veneer.server.tls import TlsConnection

logger = logging.getLogger(__name__)


class Entrance:
    """What a listener asks for, in front of a server. Another certificate is for connections made from then on."""

    def __init__(self, tls: ListenerTls, server: FrontServer, lobby: Lobby) -> None:
        """Read the certificates. Raises ListenError."""
        try:
            self._context = server_context(tls)
        except UnusablePairError as error:
            raise ListenError(str(error)) from error
        self._tls = tls
        self._server = server
        self._lobby = lobby
        self._later = asyncio.get_running_loop().call_soon

    def connection(self) -> asyncio.Protocol:
        """The protocol of one accepted connection."""
        return cast("asyncio.Protocol", TlsConnection(self._context, self._server.connection, self._lobby, self._later))

    def take_up(self, address: ListenAddress, tls: ListenerTls) -> None:
        """Take connections with what another policy says. What cannot be used leaves all as it is, and is logged."""
        if tls == self._tls:
            return
        try:
            self._context = server_context(tls)
        except UnusablePairError as error:
            logger.error("%s keeps its certificate: %s", address, error)  # noqa: TRY400 - the reason is whole
            return
        self._tls = tls
        logger.info("%s has another certificate from now on", address)
