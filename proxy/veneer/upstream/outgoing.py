"""One request to one backend: what is written, and on what terms it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from veneer.core.messages import RequestHead
from veneer.http1.serialise import WrittenHead
from veneer.loop.tasks import Tasks
from veneer.ports import Content, InterimSink, UpstreamError
from veneer.upstream.connection import Connection
from veneer.upstream.sender import send_body, split
from veneer.upstream.traced import Resend
from veneer.upstream.waiting import Wanted

MOST_SENDS: Final = 3
"""A request that makes its backend die is not to do so again and again."""

WriteHead = Callable[[RequestHead, bool], WrittenHead]
"""Writes the head of a request that has content or not."""


@dataclass(slots=True)
class Outgoing:
    """What is written of a request, and how it is sent.

    All of it leaves at once unless something `follows`. One that is `repeatable` may be sent again though it may have
    been carried out (`core.retry_budget`). One that `gives_way` does so when nobody waits for it. With `was_sent` it
    was sent before, be it to another backend. `wanted` is the connection for it. `written_again` writes what leaves the
    next time, where that differs.
    """

    written: WrittenHead
    follows: AsyncIterator[bytes] | None = None
    repeatable: bool = False
    gives_way: bool = False
    for_head: bool = False
    read_timeout_s: float | None = None
    was_sent: bool = False
    wanted: Wanted = Wanted.ANY
    written_again: Callable[[UpstreamError], WrittenHead] | None = None
    closed_among: int | None = None
    """How many other connections there were when a new one was closed, as it seems because the backend is full."""
    _sends: int = 0

    def start(self, connection: Connection, on_interim: InterimSink | None, tasks: Tasks) -> asyncio.Task[None] | None:
        """Send it; the task is what sends what follows. Raises UpstreamError where the connection was lost before."""
        written, follows = self.written, self.follows
        connection.start(
            written.raw,
            for_head=self.for_head,
            upgrading=written.upgrading,
            whole=follows is None,
            on_interim=on_interim,
        )
        if follows is None:
            return None
        return tasks.start(send_body(connection, written, follows), "upstream request body")

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again, and is at hand."""
        return self.repeatable and self.follows is None

    def repeats(self, error: UpstreamError, wanted: Wanted) -> bool:
        """Whether it is sent once more, over a connection that is `wanted`; then it is as it is to be sent."""
        self._sends += 1
        if self.follows is not None or (error.sent and not self.repeatable) or self._sends >= MOST_SENDS:
            return False
        if self.written_again is not None:
            self.written = self.written_again(error)
        self.wanted = wanted
        self.was_sent = self.was_sent or error.sent
        return True


def outgoing_for(
    request: RequestHead, body: Content | None, write: WriteHead, repeatable: bool, again: Resend | None = None
) -> Outgoing:
    """A request with its content; before it is sent once more, `again` is asked how."""
    written, follows = split(write(request, body is not None), body)
    outgoing = Outgoing(written, follows, repeatable, for_head=request.method == "HEAD")
    outgoing.gives_way = request.is_safe and not isinstance(body, bytes)
    if again is not None:
        outgoing.written_again = lambda error: split(write(again(error), body is not None), body)[0]
    return outgoing


def repeated(written: WrittenHead, connection: Connection) -> Outgoing:
    """The same once more as was sent over a lease of this connection, on the same terms."""
    return Outgoing(written, repeatable=True, gives_way=True, read_timeout_s=connection.timer.limit_s)
