"""The staleness audit: a share of hits is compared with a fresh response, in the background.

A difference that no invalidation explains means that the backend changed something without naming it. Nothing is
changed by an audit: the stored response stays, the difference is logged and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from veneer.core.entry import Entry
from veneer.core.forwarding import to_origin
from veneer.core.invalidation import Validity
from veneer.core.messages import RequestHead
from veneer.core.overload import in_background
from veneer.core.tags import tags_of
from veneer.core.validation import unconditional_request
from veneer.core.validators import is_weak, origin_etag_of
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import Audit
from veneer.ports import Demand, UpstreamError, UpstreamResponse

GRACE_S = 3.0
"""Longer than any lease: by then the invalidation of a write that was on its way has been applied here."""

MAX_AT_ONCE = 8
MAX_ROUTES = 2_000

Sleep = Callable[[float], Awaitable[None]]
logger = logging.getLogger(__name__)


class Auditor:
    """Chooses hits evenly, without chance: with a share of 0.01 every hundredth hit of a route."""

    def __init__(self, services: Services, sleep: Sleep = asyncio.sleep) -> None:
        self._services = services
        self._sleep = sleep
        self._owed: dict[str, float] = {}
        self._running = 0

    def consider(self, exchange: Exchange, wanted: RequestHead, entry: Entry) -> None:
        """Audit this hit in the background when it is its turn and few others are being audited."""
        share = exchange.match.route.audit_share
        if share <= 0 or wanted.method != "GET" or "range" in wanted.fields or entry.span is not None:
            return
        name = exchange.match.route.name
        if name not in self._owed and len(self._owed) >= MAX_ROUTES:
            self._owed.clear()
        owed = self._owed.get(name, 0.0) + share
        self._owed[name] = min(owed, 1.0)
        if owed < 1 or self._running >= MAX_AT_ONCE or self._services.tasks.full:
            return
        self._owed[name] = owed - 1
        self._running += 1
        task = self._services.tasks.start(self._audit(exchange, wanted, entry), f"audit {exchange.request_id}")
        task.add_done_callback(self._ended)

    def _ended(self, _task: object) -> None:
        self._running -= 1

    async def _audit(self, exchange: Exchange, wanted: RequestHead, entry: Entry) -> None:
        services, route = self._services, exchange.match.route
        request = to_origin(unconditional_request(wanted), exchange.peer, via=services.instance)
        try:
            response = await services.upstreams[route.upstream].exchange(
                request, None, read_timeout_s=route.read_timeout_s, demand=Demand(in_background(route.claim))
            )
            try:
                same = await _same(entry, response, route.cache.max_body_bytes)
            finally:
                await response.aclose()
        except UpstreamError:
            return
        if same is None:
            return
        if same:
            services.recorder.audited(Audit(route.name, differs=False))
            return
        await self._sleep(GRACE_S)
        if services.log.validity(entry) is not Validity.VALID:
            return
        services.recorder.audited(Audit(route.name, differs=True))
        logger.warning(
            "stale answer on route %s: %s changed without an invalidation; it has the tags %s, the fresh response %s",
            route.name,
            wanted.target,
            ", ".join(entry.tags) or "none",
            ", ".join(tags_of(response.head.fields) or ()) or "none",
        )


async def _same(entry: Entry, response: UpstreamResponse, most_bytes: int) -> bool | None:
    """Whether the fresh response says what the stored one does; None when it cannot be told."""
    head = response.head
    if head.status >= 500:
        return None
    mine, theirs = origin_etag_of(entry.fields), origin_etag_of(head.fields)
    if mine is not None and theirs is not None and not is_weak(mine) and not is_weak(theirs):
        return mine == theirs and entry.status == head.status
    pieces: list[bytes] = []
    length = 0
    async for piece in response.body():
        length += len(piece)
        if length > most_bytes:
            return None
        pieces.append(piece)
    return entry.status == head.status and entry.body == b"".join(pieces)
