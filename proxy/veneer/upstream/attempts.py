"""One request to several targets: where it was sent, and what came of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from veneer.core.balancing import Sought
from veneer.core.messages import RequestHead
from veneer.core.silence import Owed
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.health import BACKEND_FAILURES
from veneer.upstream.response import BackendResponse
from veneer.upstream.target import Relay, UpstreamTarget

_ID: Final = "x-request-id"
_UNSENT: Final = frozenset({UpstreamFailure.CONNECT, UpstreamFailure.CONNECT_TIMEOUT, UpstreamFailure.OVERLOADED})
"""Nothing of the request, nor of its content, was sent or read."""
_MAY_BE_DONE_LATE: Final = frozenset({UpstreamFailure.READ_TIMEOUT, UpstreamFailure.WRITE_TIMEOUT})
"""A write that was given up may still be carried out, after newer ones: what else it may do, it must not do twice."""


@dataclass(slots=True, eq=False)
class Sent:
    """What one target was asked. `owed` is None for what another may not be asked as well.

    `waited_s` is how long it was waited for, where it is waited for no more and another is asked.
    """

    target: UpstreamTarget
    at_s: float
    owed: Owed | None
    waited_s: float | None = None
    give_up: Callable[[], None] | None = None


@dataclass(slots=True)
class Busy:
    """The answer of a target that wants to be left alone for `retry_s`; passed on where no other has a better one."""

    target: UpstreamTarget
    response: BackendResponse
    retry_s: float


@dataclass(slots=True, eq=False)
class Attempts:
    """All that was tried for one request of a `kind`; `repeatable` says that another target may be asked as well.

    `request` is its head, or what was written of it; `sends` counts how often it is sent.
    `sought` says which target it is for, where there is affinity.
    """

    kind: str
    repeatable: bool
    demand: Demand | None = None
    relay: Relay | None = None
    tried: list[UpstreamTarget] = field(default_factory=list[UpstreamTarget])
    moved: Sent | None = None
    busy: Busy | None = None
    denied: bool = False
    is_safe: bool = True
    request: RequestHead | bytes = b""
    sought: Sought | None = None
    sends: Iterator[int] = field(default_factory=itertools.count)

    @property
    def request_id(self) -> str:
        """By which the access log knows the request; empty where it has none."""
        if not isinstance(self.request, bytes):
            return self.request.fields.joined.get(_ID, "")
        head = self.request.partition(b"\r\n\r\n")[0].decode("latin-1")
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.lower() == _ID:
                return value.strip()
        return ""

    @property
    def movable(self) -> bool:
        """Whether another target may be asked while one has not answered; once for each request."""
        return self.repeatable and self.is_safe and self.moved is None

    @property
    def is_begun(self) -> bool:
        """Whether something was passed on to the client: nothing may be tried again."""
        return self.relay is not None and self.relay.used

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for what comes of it."""
        return self.demand is None or self.demand.wanted

    def could_go_on(self, error: UpstreamError) -> bool:
        """Whether a request that failed so may go to another target, as far as its method and the failure say."""
        overloaded = error.failure is UpstreamFailure.OVERLOADED
        untouched = not error.sent and error.failure in _UNSENT
        if not (untouched or self.repeatable) or not (overloaded or error.failure in BACKEND_FAILURES):
            return False
        return self.is_safe or error.failure not in _MAY_BE_DONE_LATE

    def take_busy(self) -> BackendResponse | None:
        """What a busy target has answered, for whom nothing better has come."""
        busy, self.busy = self.busy, None
        return None if busy is None else busy.response

    async def aclose(self) -> None:
        """Close what was not passed on."""
        busy = self.take_busy()
        if busy is not None:
            await busy.aclose()


async def unless_given_up(sent: Sent, send: Callable[[UpstreamTarget], Awaitable[BackendResponse]]) -> BackendResponse:
    """The response of the target. Raises UpstreamError, TimeoutError once it is waited for no more."""
    if sent.owed is None:
        return await send(sent.target)
    async with asyncio.timeout(None) as limit:
        sent.give_up = partial(limit.reschedule, 0.0)
        return await send(sent.target)
