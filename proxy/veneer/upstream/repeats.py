"""Whether requests whose connection ended before any answer are sent again, and what that says of their backend."""

from __future__ import annotations

import logging
from collections.abc import Callable

from veneer.core.connection_bound import ConnectionBound
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection
from veneer.upstream.outgoing import Outgoing
from veneer.upstream.settings import PoolSettings
from veneer.upstream.waiting import Wanted

logger = logging.getLogger(__name__)


class Repeats:
    """Those of one backend. `bound` is how many connections may be open to it."""

    def __init__(self, settings: PoolSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self.bound = ConnectionBound(settings.max_connections)

    def failed(self, outgoing: Outgoing, connection: Connection, error: BaseException, others: int) -> None:
        """See an exchange fail, before others get its connection's room; while `others` were open."""
        if not is_unanswered(connection, error) or not outgoing.is_repeatable:
            return
        now_s = self._monotonic()
        if not connection.served and self.bound.suspect(others, self._age_s(connection, now_s), now_s):
            outgoing.closed_among = others

    def answered(self, outgoing: Outgoing, served: int) -> None:
        """See an exchange answered over a connection that had served so many before."""
        others = outgoing.closed_among
        if others is not None and served and self.bound.confirmed(others, now_s := self._monotonic()):
            detail = "%s closes new connections unanswered; for now it gets no more than %d"
            logger.warning(detail, self._settings.endpoint, self.bound.at(now_s))

    def may(self, outgoing: Outgoing, connection: Connection, error: UpstreamError, demand: Demand | None) -> bool:
        """Whether it is sent once more; then it is as it is to be sent.

        One that was in use before may have been closed as idle (RFC 9112 section 9.3.1): the request goes out over a
        new one. One that was new, closed by a backend that may be full, is tried again as where it refuses
        connections, over one that it has.
        """
        if not is_unanswered(connection, error) or not (demand is None or demand.wanted):
            return False
        if connection.served:
            return outgoing.repeats(error, Wanted.NEW)
        within = self._age_s(connection, self._monotonic()) < self._settings.refused_s
        return outgoing.closed_among is not None and within and outgoing.repeats(error, Wanted.USED)

    def _age_s(self, connection: Connection, now_s: float) -> float:
        return now_s - connection.retire_s + self._settings.max_age_s


def is_unanswered(connection: Connection, error: BaseException) -> bool:
    """Whether the connection has ended before one byte of an answer."""
    reset = isinstance(error, UpstreamError) and error.failure is UpstreamFailure.RESET
    return reset and connection.parser.no_bytes_seen
