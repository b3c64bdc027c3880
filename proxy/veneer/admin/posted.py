"""Events of changes that are posted to the admin listener."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from veneer.changes.follower import MOST_TAGS
from veneer.changes.opening import decoder_of, sum_of
from veneer.changes.posted import PostedEventsError, read_posted
from veneer.core.invalidation import Invalidation
from veneer.policy.model_changes import ChangeSettings
from veneer.ports import InvalidationLog, Receipt

logger = logging.getLogger(__name__)

EVENTS_PATH = "/changes/events/{source}"
MEDIA_TYPES: Final = frozenset({"application/json", "application/x-ndjson", "application/ndjson"})
"""None of them can be sent by a web page to another origin without asking first."""


class PostedAnswer(msgspec.Struct, frozen=True):
    """Every live node has applied what the events name. `position` is the last that an event named.

    `gaps` say why more was invalidated than the events told; `acknowledged` and `expired` are as in a purge's receipt.
    """

    source: str
    events: int
    tags: int
    position: str
    gaps: tuple[str, ...]
    acknowledged: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class PostedEventsAdmin:
    """Takes them. `sources` are those of the policy in force."""

    log: InvalidationLog
    sources: Callable[[], tuple[ChangeSettings, ...]]

    async def take(self, name: str, media_type: str, body: bytes) -> tuple[PostedAnswer, int]:
        """Put into the log what the body's events name; all of them or none. The answer, and its status.

        503 means that only this node has applied them. Raises HTTPBadRequest, HTTPNotFound and
        HTTPUnsupportedMediaType.
        """
        settings = self._named(name)
        if media_type not in MEDIA_TYPES:
            raise web.HTTPUnsupportedMediaType(text="send them as application/json, or application/x-ndjson by lines")
        try:
            read = read_posted(body, decoder_of(settings), sum_of(settings))
        except PostedEventsError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        for gap in read.gaps:
            logger.warning("changes %s: %s, as posted: all that its tags name is invalidated", name, gap)
        receipts = [
            await self.log.append(Invalidation(tags=read.tags[at : at + MOST_TAGS]), strict=True)
            for at in range(0, len(read.tags), MOST_TAGS)
        ]
        answer = PostedAnswer(name, read.events, len(read.tags), read.position, read.gaps, *_summed(receipts))
        return answer, 200 if all(receipt.shared for receipt in receipts) else 503

    def _named(self, name: str) -> ChangeSettings:
        posted = {one.name: one for one in self.sources() if one.is_posted}
        if name not in posted:
            known = ", ".join(sorted(posted)) or "none"
            raise web.HTTPNotFound(text=f'"{name[:64]}" is no source whose events are posted; the policy has {known}')
        return posted[name]


def _summed(receipts: list[Receipt]) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    """Who has acknowledged all of them, whose lease ran out meanwhile, and how long they took."""
    if not receipts:
        return (), (), 0.0
    expired = {node for receipt in receipts for node in receipt.expired}
    acknowledged = {node for receipt in receipts for node in receipt.acknowledged} - expired
    return tuple(sorted(acknowledged)), tuple(sorted(expired)), sum(receipt.duration_ms for receipt in receipts)
