"""Opening a connection of one's own to the Redis that holds a key, wherever a Redis URL says that it is."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

from redis import asyncio as aioredis
from redis.asyncio.sentinel import SentinelConnectionPool

from veneer.redis.connect import RedisAddress, RedisClient, connect, disconnect
from veneer.redis.wire import RedisConnection


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections to the server that has `key`. `client` knows Sentinels and Clusters; its owner closes it.

    `timeout_s` bounds what is done on the new connection.
    """

    address: RedisAddress
    client: RedisClient
    key: str
    timeout_s: float = 1.0

    async def __call__(self) -> RedisConnection:
        """A connection that is ready for commands. Raises one of `script.FAILURES`."""
        place = None if self.address.path else await self._place()
        async with asyncio.timeout(self.timeout_s):
            wire = await self._open(place)
            try:
                await self._introduce(wire)
            except BaseException:
                wire.drop()
                raise
        return wire

    async def _place(self) -> tuple[str, int]:
        """The host and port to connect to, asked for anew each time: the server there before may have died."""
        client = self.client
        if isinstance(client, aioredis.RedisCluster):
            # The client follows redirections, and keeps what it learns from them of where keys are.
            await client.hget(self.key, "run")  # type: ignore[misc,unused-ignore]
            node = client.get_node_from_key(self.key)
            if node is None:
                raise ConnectionError("no server of the Cluster has the log's slot")
            return str(node.host), int(node.port)
        pool = client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            host, port = await pool.get_master_address()  # type: ignore[no-untyped-call]
            return str(host), int(port)
        return self.address.hosts[0]

    async def _open(self, place: tuple[str, int] | None) -> RedisConnection:
        loop, wire = asyncio.get_running_loop(), RedisConnection()
        protocol = cast("asyncio.Protocol", wire)  # it is one by its methods
        if place is None:
            await loop.create_unix_connection(lambda: protocol, self.address.path)
        else:
            await loop.create_connection(lambda: protocol, *place, ssl=self._tls())
        return wire

    def _tls(self) -> ssl.SSLContext | None:
        address = self.address
        if not address.tls:
            return None
        context = ssl.create_default_context(cafile=address.tls_files.get("ssl_ca_certs"))
        if "ssl_certfile" in address.tls_files:
            context.load_cert_chain(address.tls_files["ssl_certfile"], address.tls_files.get("ssl_keyfile"))
        return context

    async def _introduce(self, wire: RedisConnection) -> None:
        address = self.address
        if address.password is not None or address.username is not None:
            name = () if address.username is None else (address.username,)
            await wire.ask("AUTH", *name, address.password or "")
        if address.database:
            await wire.ask("SELECT", address.database)


async def dial_once(address: RedisAddress, key: str, timeout_s: float = 1.0) -> RedisConnection:
    """A connection to the server that has `key`, without a client of one's own. Raises one of `script.FAILURES`."""
    client = connect(address)
    try:
        return await Dialer(address, client, key, timeout_s)()
    finally:
        await disconnect(client)
