"""Calls whose answers go to callbacks, without a task; all of one iteration of the loop leave together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from veneer.redis.patience import MAX_EXTENSIONS, NOTICEABLE_S
from veneer.redis.script import OnReply, Reply
from veneer.redis.wire import RedisConnection

logger = logging.getLogger(__name__)

ELSEWHERE = ("MOVED ", "ASK ", "READONLY ", "CLUSTERDOWN ", "MASTERDOWN ", "LOADING ")
"""How answers begin that say: what you look for is not, or not yet, here."""
MAX_GATHERED_BYTES = 64 * 1024
"""What waits for the end of the iteration on one connection; more goes to the next."""


class Call:
    """One command under way, and who gets its answer.

    `heard` is what the connection it was sent over had heard by then; `again` says that it may be sent once more.
    """

    __slots__ = ("_calls", "again", "due_s", "extensions", "heard", "on_reply", "raw", "timeout_s", "wire")

    def __init__(self, calls: GatheredCalls, raw: bytes, on_reply: OnReply, timeout_s: float, due_s: float) -> None:
        self._calls = calls
        self.raw = raw
        self.on_reply = on_reply
        self.timeout_s = timeout_s
        self.due_s = due_s
        self.extensions = 0
        self.again = True
        self.wire: RedisConnection | None = None
        self.heard = 0

    def __call__(self, reply: Reply | Exception) -> None:
        """The answer, or the loss of the connection it was awaited from."""
        self._calls.answered(self, reply)


class GatheredCalls:
    """The calls under way on one connection. `wire` is the connection while there is one; `open_one` has it opened.

    After `open_one` either `opened` or `failed` is called. Time is measured as by `LagTolerantTimeout`, with one timer
    for all: an answer that this process was too busy to read is no fault of Redis.
    """

    def __init__(self, wire: Callable[[], RedisConnection | None], open_one: Callable[[], None]) -> None:
        self._wire = wire
        self._open_one = open_one
        self._under_way: dict[Call, None] = {}
        self._leaving: list[Call] = []
        self._leaving_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def gathers(self) -> bool:
        """Whether something waits for the end of the iteration, and more may join it."""
        return 0 < self._leaving_bytes < MAX_GATHERED_BYTES

    def add(self, raw: bytes, on_reply: OnReply, timeout_s: float) -> None:
        """Send these bytes of one command at the end of the iteration; `on_reply` is called once, in a later one."""
        due_s = asyncio.get_running_loop().time() + timeout_s
        call = Call(self, raw, on_reply, timeout_s, due_s)
        self._under_way[call] = None
        self._watch(due_s)
        self._gather(call)

    def _gather(self, call: Call) -> None:
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self.leave)
        self._leaving.append(call)
        self._leaving_bytes += len(call.raw)

    def leave(self) -> None:
        """Send what has been gathered, without waiting for the end of the iteration."""
        wire = self._wire()
        if wire is not None:
            self.opened(wire)
        elif self._leaving:
            self._open_one()

    def opened(self, wire: RedisConnection) -> None:
        """There is a connection: what has been gathered leaves."""
        calls, self._leaving, self._leaving_bytes = self._leaving, [], 0
        calls = [call for call in calls if call in self._under_way]
        if not calls:
            return
        for call in calls:
            call.wire, call.heard = wire, wire.heard
        try:
            wire.say(b"".join([call.raw for call in calls]), *calls)
        except RedisConnectionError as error:
            for call in calls:
                self.answered(call, error)

    def failed(self, error: Exception) -> None:
        """There is no connection, and what has been gathered fails."""
        calls, self._leaving, self._leaving_bytes = self._leaving, [], 0
        for call in calls:
            if call in self._under_way:
                self._settle(call, error)

    def answered(self, call: Call, reply: Reply | Exception) -> None:
        """Hand an answer on, unless it was waited for too long, or the call is worth a second try elsewhere."""
        if call not in self._under_way:
            return
        if isinstance(reply, Exception) and call.again:
            elsewhere = isinstance(reply, ResponseError) and str(reply).startswith(ELSEWHERE)
            if elsewhere or isinstance(reply, RedisConnectionError):
                if elsewhere and call.wire is not None:
                    call.wire.drop()
                call.again = False
                self._gather(call)
                return
        if isinstance(reply, ResponseError) and str(reply).startswith(ELSEWHERE):
            reply = RedisConnectionError(str(reply))
        self._settle(call, reply)

    def _settle(self, call: Call, reply: Reply | Exception) -> None:
        self._under_way.pop(call, None)
        try:
            call.on_reply(reply)
        except Exception:
            logger.exception("an answer of Redis could not be taken")

    # ------------------------------------------------------------ time

    def _watch(self, due_s: float) -> None:
        if self._timer is not None:
            if self._timer_s <= due_s:
                return
            self._timer.cancel()
        self._timer_s = due_s
        self._timer = asyncio.get_running_loop().call_at(due_s, self._look)

    def _look(self) -> None:
        """Give up what is due. A connection that has said nothing since the oldest of it left is dropped."""
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        late_s = now_s - self._timer_s
        over: list[Call] = []
        for call in self._under_way:
            if call.due_s > now_s:
                continue
            if late_s < NOTICEABLE_S or call.extensions >= MAX_EXTENSIONS:
                over.append(call)
            else:
                call.extensions += 1
                call.due_s = now_s + min(late_s, call.timeout_s)
        for call in over:
            self._settle(call, TimeoutError("Redis has not answered in time"))
        for wire in {call.wire for call in over if call.wire is not None and call.heard == call.wire.heard}:
            wire.drop()
        if self._under_way and self._timer is None:
            self._watch(min([call.due_s for call in self._under_way]))

    def close(self) -> None:
        """Tell everybody that nothing comes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for call in list(self._under_way):
            self._settle(call, RedisConnectionError("closed"))
        self._leaving, self._leaving_bytes = [], 0
