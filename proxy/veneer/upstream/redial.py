"""A backend that refuses connections is tried again for a while: most likely it is being restarted."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection

logger = logging.getLogger(__name__)

_DELAYS_S: Final = (0.0, 0.02, 0.05, 0.1)
"""How long after a refused attempt the next one follows; the last holds for all further ones."""
FORGET_S: Final = 10.0
"""An outage of which nothing was seen for so long is over; the next refusal is waited for again."""


class Redialler:
    """Opens connections; where the backend refuses them, for up to `patience_s` from its first refusal on.

    While it refuses, one of those who wait dials for all, so that the attempts are as many as if there were one.
    Nothing of a request has been sent then: any may wait. Once the time is over each is told at once, until the backend
    has taken a connection again. Without patience it only dials.
    """

    def __init__(
        self, dial: Callable[[], Awaitable[Connection]], monotonic: Callable[[], float], patience_s: float
    ) -> None:
        self._dial = dial
        self._monotonic = monotonic
        self.patience_s = patience_s
        self._since_s: float | None = None
        self._seen_s = 0.0
        self._probing: asyncio.Future[UpstreamError | None] | None = None
        self.attempts = 0
        """Connections that were tried again."""

    async def connect(self, demand: Demand | None) -> Connection:
        """A connection. Raises UpstreamError: what `dial` raised last, ABANDONED where nobody waits any more."""
        while True:
            if self._probing is None:
                try:
                    return self._opened(await self._dial())
                except UpstreamError as error:
                    if not self._is_worth_waiting(error):
                        raise
            if self._probing is None:
                return self._opened(await self._probe(demand))
            probing = self._probing
            await asyncio.wait([probing])
            failed = probing.result()
            if failed is not None:
                raise failed.again()
            _check(demand)

    def _opened(self, connection: Connection) -> Connection:
        self._since_s = None
        return connection

    def _is_worth_waiting(self, error: UpstreamError) -> bool:
        """Whether the backend may take connections soon."""
        if error.failure is not UpstreamFailure.CONNECT or not _is_refusal(error.__cause__):
            return False
        now_s = self._monotonic()
        if self._since_s is None or now_s - self._seen_s > FORGET_S:
            self._since_s = now_s
        self._seen_s = now_s
        return now_s - self._since_s < self.patience_s

    async def _probe(self, demand: Demand | None) -> Connection:
        """Dial until the backend answers, for all who wait."""
        probing = self._probing = asyncio.get_running_loop().create_future()
        failed: UpstreamError | None = None
        attempt = 0
        try:
            while True:
                await asyncio.sleep(_DELAYS_S[min(attempt, len(_DELAYS_S) - 1)])
                _check(demand)  # another one goes on in its place
                attempt += 1
                self.attempts += 1
                try:
                    connection = await self._dial()
                except UpstreamError as error:
                    if self._is_worth_waiting(error):
                        continue
                    failed = error
                    raise
                logger.info("the backend takes connections again, after %d more attempts", attempt)
                return connection
        finally:
            self._probing = None
            probing.set_result(None if failed is None else failed.again())


def _check(demand: Demand | None) -> None:
    if demand is not None and not demand.wanted:
        demand.dropped = True
        detail = "the client left before the backend took a connection"
        raise UpstreamError(UpstreamFailure.ABANDONED, detail, sent=False)


def _is_refusal(cause: BaseException | None) -> bool:
    """Whether nobody listens there now, which a restart explains; a wrong name or certificate it does not."""
    return isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | socket.gaierror)
