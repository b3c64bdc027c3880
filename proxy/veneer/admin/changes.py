"""What the admin listener tells of sources of changes, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from aiohttp import web

from veneer.admin.posted import PostedEventsAdmin
from veneer.changes.follower import Follower
from veneer.changes.waiting import SourceWaiter, StillWaitingError

PATH = "/changes"
WAIT_PATH = "/changes/wait"
LONGEST_WAIT_S = 25.0
"""Whoever has to wait for longer asks again."""


class WaitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /changes/wait. Without `lsn` all is waited for that was committed before the request came.

    `source` may be left out where the policy has one; `timeout` is in seconds.
    """

    source: str = ""
    lsn: str = ""
    timeout: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 10.0


class WaitAnswer(msgspec.Struct, frozen=True):
    """Every live node has applied it: who has said so, and whose lease had to run out."""

    source: str
    lsn: str
    acknowledged: tuple[str, ...]
    expired: tuple[str, ...]
    duration_ms: float


class SourceStatus(msgspec.Struct, frozen=True):
    """One source as this process sees it. `lag_s` and `lsn` are what it knows; None and "" where nobody has told."""

    source: str
    state: str
    why: str
    reader: str
    lag_s: float | None
    lsn: str
    commits: int
    tags: int
    gaps: dict[str, int]


class Changes(msgspec.Struct, frozen=True):
    """The answer of GET /changes."""

    sources: tuple[SourceStatus, ...]


@dataclass(frozen=True, slots=True)
class ChangesAdmin:
    """The handlers. `followed` are the sources of the policy in force; `posted` takes the events of the others."""

    waiter: SourceWaiter
    followed: Callable[[], Mapping[str, Follower]]
    posted: PostedEventsAdmin

    def status(self) -> Changes:
        """How each source stands."""
        return Changes(tuple(self._status(one) for one in self.followed().values()))

    def _status(self, one: Follower) -> SourceStatus:
        told, now_s = self.waiter.sources.told(one.key), self.waiter.clock.monotonic()
        return SourceStatus(
            one.name,
            one.state.value,
            one.why,
            one.reader if told is None else told.reader,
            None if told is None else round(told.lag_s(now_s), 3),
            "" if told is None else told.position,
            one.counts.commits,
            one.counts.tags,
            dict(one.counts.gaps),
        )

    async def wait(self, body: bytes) -> WaitAnswer:
        """Wait as the body says. Raises HTTPBadRequest, HTTPNotFound and HTTPGatewayTimeout."""
        try:
            asked = msgspec.json.decode(body or b"{}", type=WaitRequest)
        except msgspec.MsgspecError as error:
            right = 'right is, for example, {"source": "db", "lsn": "16/B374D848"}'
            raise web.HTTPBadRequest(text=f"{error}; {right}") from error
        source = self._source(asked.source)
        try:
            waited = await self.waiter.wait(self.followed()[source].key, asked.lsn, asked.timeout)
        except StillWaitingError as error:
            raise web.HTTPGatewayTimeout(text=self._why_not(source, error)) from error
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        receipt = waited.receipt
        return WaitAnswer(source, waited.position, receipt.acknowledged, receipt.expired, receipt.duration_ms)

    def _source(self, named: str) -> str:
        known = sorted(self.followed())
        if not named and len(known) == 1:
            return known[0]
        if named in known:
            return named
        listed = "the policy has " + (", ".join(known) if known else "no `changes`")
        if not named:
            raise web.HTTPBadRequest(text=f'say which "source": {listed}')
        raise web.HTTPNotFound(text=f'there is no source "{named[:64]}": {listed}')

    def _why_not(self, source: str, error: StillWaitingError) -> str:
        told, one = error.told, self.followed().get(source)
        why = f" ({one.why})" if one is not None and one.why else ""
        if told is None:
            return f"nobody has told how far the source {source} has come{why}"
        lag_s = told.lag_s(self.waiter.clock.monotonic())
        return f"the source {source} is at {told.position}, {lag_s:.1f} s behind{why}"
