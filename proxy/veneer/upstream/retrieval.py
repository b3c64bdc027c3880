"""Requests that are the proxy's own: whole answers, bounded in time and size."""

from __future__ import annotations

import asyncio
from typing import Final

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.loop.tasks import Tasks
from veneer.policy.tls import TlsSettings, UnusableFileError, tls_context
from veneer.ports import Clock, Resource, Retrieved, UpstreamError, UpstreamFailure
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings

MOST_CONNECTIONS: Final = 32
"""To one origin."""
MOST_ORIGINS: Final = 64

_Origin = tuple[str, TlsSettings]


class ResourceClient:
    """Implements `veneer.ports.Retriever` over a pool for each origin.

    Files of TLS are read again after an exchange that failed.
    """

    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self._clock = clock
        self._tasks = tasks
        self._pools: dict[_Origin, UpstreamPool] = {}
        self._answered: dict[str, str] = {}

    async def get(self, resource: Resource, fields: Fields, timeout_s: float, most_bytes: int) -> Retrieved:
        """As the port. Of several origins the one that has answered the last time is the first to be asked.

        Each has its share of the time that is left, so that the last is asked as well where all others hang.
        """
        last = self._answered.get(resource.origin)
        origins = sorted((resource.origin, *resource.others), key=lambda origin: origin != last)
        ends_s = self._clock.monotonic() + timeout_s
        while True:
            origin = origins.pop(0)
            share_s = (ends_s - self._clock.monotonic()) / (len(origins) + 1)
            try:
                found = await self._get(origin, resource, fields, share_s, most_bytes)
            except UpstreamError:
                if not origins:
                    raise
                continue
            if resource.others:
                self._remember(resource.origin, origin)
            return found

    def _remember(self, asked: str, answered: str) -> None:
        if len(self._answered) >= MOST_ORIGINS:
            self._answered.clear()
        self._answered[asked] = answered

    async def _get(self, url: str, resource: Resource, fields: Fields, timeout_s: float, most_bytes: int) -> Retrieved:
        tls = TlsSettings(resource.ca, resource.certificate, resource.key, resource.server_name)
        origin = (url, tls)
        path, _, query = resource.target.partition("?")
        request = RequestHead("GET", path, query or None, "", fields)
        try:
            async with asyncio.timeout(timeout_s):
                return await _whole(self._pool(origin), request, most_bytes)
        except TimeoutError:
            self._let_go(origin)
            detail = f"no whole answer within {timeout_s:g} s"
            raise UpstreamError(UpstreamFailure.READ_TIMEOUT, detail, sent=True) from None
        except UpstreamError:
            self._let_go(origin)
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, origin: _Origin) -> UpstreamPool:
        pool = self._pools.get(origin)
        if pool is None:
            if len(self._pools) >= MOST_ORIGINS:
                self._let_go(next(iter(self._pools)))
            pool = self._pools[origin] = UpstreamPool(_settings(*origin), self._clock, self._tasks)
        return pool

    def _let_go(self, origin: _Origin) -> None:
        pool = self._pools.pop(origin, None)
        if pool is not None:
            self._tasks.start(pool.aclose(), f"close connections to {pool}")


def _settings(url: str, tls: TlsSettings) -> PoolSettings:
    endpoint = Endpoint.parse(url)
    try:
        context = tls_context(tls) if endpoint.tls else None
    except UnusableFileError as error:
        raise UpstreamError(UpstreamFailure.CONNECT, str(error), sent=False) from error
    return PoolSettings(
        endpoint, max_connections=MOST_CONNECTIONS, preserve_host=False, tls=context, server_name=tls.server_name
    )


async def _whole(pool: UpstreamPool, request: RequestHead, most_bytes: int) -> Retrieved:
    response = await pool.exchange(request, None)
    try:
        body = b""
        async for piece in response.body():
            body += piece
            if len(body) > most_bytes:
                detail = f"the answer has more than {most_bytes} bytes"
                raise UpstreamError(UpstreamFailure.MALFORMED, detail, sent=True)
        return Retrieved(response.head.status, response.head.fields, body)
    finally:
        await response.aclose()
