"""Where clients are let in: each listener with what answers behind it, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from veneer.core.digests import is_keyed_hash
from veneer.core.listen_address import Address, ListenAddress
from veneer.fastpath.hits import HitFastPath
from veneer.loop.tasks import Tasks
from veneer.main.entrance import Entrance
from veneer.main.front import RequestGateway
from veneer.main.options import DEFAULT_LISTEN, ServeOptions
from veneer.observe.observation import Observation
from veneer.pipeline.context import Services
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Policy
from veneer.policy.node_settings import ListenerSettings
from veneer.policy.watch import PolicySource
from veneer.server.limits import ConnectionSettings
from veneer.server.listener import Listener
from veneer.server.lobby import MAX_WAITING, Lobby
from veneer.server.protocol import Crowd, FrontServer
from veneer.server.scarcity import Scarcity
from veneer.workers.place import WorkerEnv

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here: where one that is can be reached

logger = logging.getLogger(__name__)


def wanted_listeners(told: Sequence[ListenAddress], policy: Policy) -> tuple[ListenerSettings, ...]:
    """What is listened on: all that the command line names and the policy lists, or the default where nothing is.

    What the policy says of an address holds for it whoever names it.
    """
    listed = {one.address: one for one in policy.listeners}
    found = [listed.get(address) or ListenerSettings(address) for address in told]
    found += [one for one in policy.listeners if one.address not in told]
    return tuple(found) or (ListenerSettings(Address.parse(DEFAULT_LISTEN)),)


class OpenListener(NamedTuple):
    """A listener that is open: its address with the port in use, and what was wanted."""

    address: ListenAddress
    settings: ListenerSettings


@dataclass(frozen=True, slots=True)
class FrontParts:
    """What the listeners of a process have in common."""

    services: Services
    policies: PolicySource
    options: ServeOptions
    observation: Observation
    place: WorkerEnv | None
    tasks: Tasks
    connections: ConnectionSettings


class Front:
    """The listeners of a process. What answers is there once for http and once for https, as is what it has learned."""

    def __init__(self, parts: FrontParts, handshake_s: float) -> None:
        self._parts = parts
        self._ids = RequestIds()
        most = min(MAX_WAITING, parts.connections.most_connections)
        self._lobby = Lobby(asyncio.get_running_loop().call_later, handshake_s, most)
        self._entrances: dict[ListenAddress, Entrance] = {}
        self.crowd = Crowd(parts.connections.most_connections)
        self._servers: list[FrontServer] = []
        self._listeners: list[Listener] = []
        self._has_fastpath = has_fastpath(parts.options, parts.observation)
        self._gateways: dict[str, tuple[RequestGateway, HitFastPath | None]] = {}

    def refused(self) -> dict[str, int]:
        """Connections that did not get in, by reason."""
        return dict(self._lobby.refused)

    def secured(self) -> tuple[ListenerSettings, ...]:
        """The listeners with TLS, as they are in force: with the certificates that they show."""
        settings = (entrance.settings for entrance in self._entrances.values())
        return tuple(one for one in settings if one.tls is not None)

    def _gateway(self, scheme: str) -> tuple[RequestGateway, HitFastPath | None]:
        """What answers requests of this scheme."""
        known = self._gateways.get(scheme)
        if known is not None:
            return known
        parts, services, fastpath = self._parts, self._parts.services, None
        if self._has_fastpath:
            fastpath = HitFastPath(services, parts.policies, self._ids, parts.observation.observer, scheme)
            services = replace(services, hits=fastpath)
        gateway = RequestGateway(services, parts.policies, self._ids, parts.observation.spans, tls=scheme == "https")
        if fastpath is not None:
            gateway.open_fastpath(fastpath)
        self._gateways[scheme] = gateway, fastpath
        return gateway, fastpath

    async def open(self) -> list[OpenListener]:
        """Listen everywhere; returns the addresses with the ports in use. Raises ListenError, and leaves none open."""
        parts = self._parts
        scarcity = Scarcity(parts.services.clock.monotonic)
        scarcity.watch(asyncio.get_running_loop())
        inherited = {} if parts.place is None else dict(parts.place.listeners)
        found: list[OpenListener] = []
        try:
            for wanted in wanted_listeners(parts.options.listen, parts.policies.current):
                file = inherited.get(str(wanted.address))
                if parts.place is not None and file is None:
                    logger.warning("%s is not listened on: restart for it", wanted.address)
                    continue
                listener = self._listener(wanted, None if file is None else socket.socket(fileno=file), scarcity)
                address = await listener.start()
                self._listeners.append(listener)
                found.append(OpenListener(address, wanted))
                logger.info("listening on %s", shown(address, wanted.scheme))
        except BaseException:
            await self.close(0.0)
            raise
        return found

    def _listener(self, wanted: ListenerSettings, inherited: socket.socket | None, scarcity: Scarcity) -> Listener:
        parts, (gateway, fastpath) = self._parts, self._gateway(wanted.scheme)
        server = FrontServer(
            gateway,
            parts.connections,
            gateway.malformed,
            fastpath,
            gateway if parts.options.fastpath else None,
            crowd=self.crowd,
            unnamed_peer=wanted.peer,
        )
        self._servers.append(server)
        return Listener(
            server,
            wanted.address,
            parts.tasks,
            inherited=inherited,
            scarcity=scarcity,
            mode=int(wanted.mode, 8),
            connection=self._entrance(wanted, server),
        )

    def _entrance(self, wanted: ListenerSettings, server: FrontServer) -> Callable[[], asyncio.Protocol] | None:
        """What makes the connections where something comes before requests; None where nothing does."""
        if wanted.tls is None and not wanted.proxy_protocol:
            return None
        entrance = self._entrances[wanted.address] = Entrance(wanted, server, self._lobby)
        return entrance.connection

    def apply(self, policy: Policy) -> None:
        """Take connections from now on with what another policy says of listeners."""
        for wanted in policy.listeners:
            entrance = self._entrances.get(wanted.address)
            if entrance is not None:
                entrance.take_up(wanted)

    def end_connections(self) -> None:
        """From now on every answer is the last on its connection."""
        for server in self._servers:
            server.end_connections()

    async def close(self, drain_s: float) -> None:
        """Let nobody in any more, give what is under way so long, then cut it: everywhere at once."""
        await asyncio.gather(*(listener.stop(drain_s) for listener in self._listeners))
        self._lobby.end()


def shown(address: ListenAddress, scheme: str = "http") -> str:
    """A listener as it is named in the log."""
    return f"{scheme}://{address}" if isinstance(address, Address) else str(address)


def own_url(listeners: Sequence[OpenListener]) -> str | None:
    """Where this process can ask itself; None where no listener takes plain connections to a port."""
    for one in sorted(listeners, key=lambda listener: listener.settings.tls is not None):
        if isinstance(one.address, Address) and not one.settings.proxy_protocol:
            host = ANY_ADDRESS.get(one.address.host, one.address.host)
            return f"{one.settings.scheme}://{Address(host, one.address.port)}"
    return None


def has_fastpath(options: ServeOptions, observation: Observation) -> bool:
    """Whether hits may be answered the quicker way."""
    if not options.fastpath or observation.spans is not None:
        return False
    info = sys.hash_info
    if not is_keyed_hash(info.algorithm, info.hash_bits, info.cutoff):
        logger.warning("the fast path is off: it needs SipHash with 64 bits, and this Python has %s", info)
        return False
    return True
