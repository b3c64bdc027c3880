"""One pipelined connection to Redis: what is said leaves at once, an answer is handed on as soon as it is read.

A write waits for several answers in a row, at several nodes. The client library takes a lock, a connection and a
pair of streams for each command, and its answer reaches who waits for it some iterations of the loop later.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import cast

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from veneer.redis.script import Argument, OnReply, Reply

OnPublished = Callable[[bytes, bytes], None]
"""Called with a channel and what was published on it, as it is read."""


def command(*words: Argument) -> bytes:
    """A command's bytes."""
    raw: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return raw


_IN_SCRIPT = re.compile(r"^ERR Error running script .*?: -([A-Z]+ .*)$", re.DOTALL)
"""How Redis before 7.0 wraps what a command inside of a script was refused with."""


def refusal(text: str) -> ResponseError:
    """What Redis refused, by its own first word, also where a script met with it."""
    wrapped = _IN_SCRIPT.match(text)
    if wrapped is not None:
        text = wrapped[1]
    return NoScriptError(text) if text.startswith("NOSCRIPT ") else ResponseError(text)


def into(answer: asyncio.Future[Reply]) -> OnReply:
    """Settles a future, if it is still waited for."""

    def settle(reply: Reply | Exception) -> None:
        if answer.done():
            return
        if isinstance(reply, Exception):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    return settle


class RedisConnection:
    """A connection that speaks RESP2. It does not come back: who needs another one opens it.

    It is an asyncio.Protocol to the loop, which looks at the methods: compiled, nothing inherits from what is not.
    """

    def __init__(self) -> None:
        self.on_published: OnPublished | None = None
        """Gets what is published on channels that this connection has subscribed to."""
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=refusal)
        self._expected: deque[OnReply] = deque()
        self._transport: asyncio.Transport | None = None
        self.heard = 0
        """How often something has come."""

    @property
    def open(self) -> bool:
        """Whether anything can be said."""
        return self._transport is not None and not self._transport.is_closing()

    def say(self, raw: bytes, *expected: OnReply) -> None:
        """Send whole commands, one for each of `expected`. Raises ConnectionError of Redis when it is closed."""
        if self._transport is None or self._transport.is_closing():
            raise RedisConnectionError("the connection is closed")
        self._expected.extend(expected)
        self._transport.write(raw)

    async def ask(self, *words: Argument) -> Reply:
        """One command and its answer. Raises ResponseError, InvalidResponse or ConnectionError of Redis."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.say(command(*words), into(answer))
        return await answer

    def drop(self) -> None:
        """Close at once; who still expects an answer is told."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one
        # Otherwise uvloop writes at the end of its iteration, which is long when it is busy.
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Hand on every answer that is whole."""
        self.heard += 1
        try:
            self._reader.feed(data)
            reply = self._reader.gets()
            while reply is not False:
                self._hand_on(reply)
                reply = self._reader.gets()
        except InvalidResponse as error:
            self._tell_all(error)
            self.drop()

    def _hand_on(self, reply: Reply | Exception) -> None:
        if self.on_published is not None:
            match reply:
                case [b"message", bytes(channel), bytes(payload)]:
                    self.on_published(channel, payload)
                    return
                case _:
                    pass
        if not self._expected:
            raise InvalidResponse("an answer that nobody asked for")
        self._expected.popleft()(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who still expects an answer."""
        self._tell_all(RedisConnectionError(f"the connection was lost: {error or 'closed by Redis'}"))
        self._transport = None

    def eof_received(self) -> bool:
        """Redis says no more: the connection closes."""
        return False

    def pause_writing(self) -> None:
        """Redis reads slowly: what is said waits in the transport, bounded by who says it."""

    def resume_writing(self) -> None:
        """It reads on."""

    def _tell_all(self, error: Exception) -> None:
        while self._expected:
            self._expected.popleft()(error)
