"""A connection that is opened when it is needed, and again when it has broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from redis import asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError

from veneer.loop.tasks import TaskGroupClosedError, Tasks
from veneer.redis.calls import GatheredCalls
from veneer.redis.connect import RedisClient
from veneer.redis.script import FAILURES, Argument, OnReply, RedisCaller, Reply, ViaRedisPy
from veneer.redis.wire import RedisConnection, command, into

Dial = Callable[[], Awaitable[RedisConnection]]


class ReconnectingConnection:
    """One connection at a time, shared by everybody who has something to say."""

    def __init__(self, dial: Dial, tasks: Tasks) -> None:
        self._dial = dial
        self._tasks = tasks
        self._wire: RedisConnection | None = None
        self._dialing: asyncio.Task[RedisConnection | Exception] | None = None

    @property
    def wire(self) -> RedisConnection | None:
        """The connection, where there is one."""
        return self._wire if self._wire is not None and self._wire.open else None

    async def opened(self) -> RedisConnection:
        """The connection, opened where there is none. Raises one of FAILURES.

        Opening goes on when the caller has had enough: finding a master may take longer than a call may.
        """
        wire = self.wire
        if wire is not None:
            return wire
        if self._dialing is None:
            try:
                self._dialing = self._tasks.start(self._open(), "redis: connect")
            except TaskGroupClosedError as error:
                raise RedisConnectionError("closed") from error
        outcome = await asyncio.shield(self._dialing)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _open(self) -> RedisConnection | Exception:
        try:
            self._wire = await self._dial()
        except FAILURES as error:
            return error
        else:
            return self._wire
        finally:
            self._dialing = None

    def drop(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._wire is not None:
            self._wire.drop()
            self._wire = None

    def close(self) -> None:
        """Close it, or stop opening it."""
        if self._dialing is not None:
            self._dialing.cancel()
        self.drop()


def caller_for(client: RedisClient, dial: Dial, tasks: Tasks, most: int = 4) -> RedisCaller:
    """How to reach single keys, over at most so many connections to one server.

    In a Cluster keys lie on several servers, and the client finds the one of each.
    """
    if isinstance(client, aioredis.RedisCluster):
        return ClusterCaller(ViaRedisPy(client), tasks)
    return RedisConnectionPool(dial, tasks, most)


class GatheringConnection:
    """A `RedisCaller` whose calls of one iteration of the loop leave together (`GatheredCalls`).

    Where the connection turns out to be gone, or to lead to a server that cannot help, a call is tried once more.
    """

    def __init__(self, dial: Dial, tasks: Tasks) -> None:
        self._line = ReconnectingConnection(dial, tasks)
        self._tasks = tasks
        self._opening = False
        self.calls = GatheredCalls(lambda: self._line.wire, self._open)

    @property
    def wire(self) -> RedisConnection | None:
        """The connection, where there is one."""
        return self._line.wire

    def call(self, on_reply: OnReply, timeout_s: float, *words: Argument) -> None:
        """As `RedisCaller.call`."""
        self.calls.add(command(*words), on_reply, timeout_s)

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """As `RedisCaller.ask`."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.call(into(answer), timeout_s, *words)
        return await answer

    def _open(self) -> None:
        if self._opening:
            return
        try:
            self._tasks.start(self._opened(), "redis: connect for calls")
        except TaskGroupClosedError:
            self.calls.failed(RedisConnectionError("closed"))
        else:
            self._opening = True

    async def _opened(self) -> None:
        try:
            wire = await self._line.opened()
        except FAILURES as error:
            self._opening = False
            self.calls.failed(error)
        else:
            self._opening = False
            self.calls.opened(wire)

    def close(self) -> None:
        """Close it; who still expects an answer is told."""
        self.calls.close()
        self._line.close()


class RedisConnectionPool:
    """A few connections to one server, for calls that carry much: one that takes long does not hold up the next."""

    def __init__(self, dial: Dial, tasks: Tasks, most: int = 4) -> None:
        self._lines = tuple(GatheringConnection(dial, tasks) for _ in range(most))
        self._last = self._lines[0]

    def call(self, on_reply: OnReply, timeout_s: float, *words: Argument) -> None:
        """One command. What comes in one iteration of the loop goes together, over the connection where least wait."""
        line = self._last
        if not line.calls.gathers:
            line = self._last = min(self._lines, key=_waiting)
        line.calls.add(command(*words), on_reply, timeout_s)

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """One command and its answer within `timeout_s`. Raises one of FAILURES."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.call(into(answer), timeout_s, *words)
        return await answer

    def close(self) -> None:
        """Close them all."""
        for line in self._lines:
            line.close()


def _waiting(line: GatheringConnection) -> int:
    return len(line.calls)


class ClusterCaller:
    """By the client library, which finds the server of each key, and needs a task for each call."""

    def __init__(self, asker: ViaRedisPy, tasks: Tasks) -> None:
        self._asker = asker
        self._tasks = tasks

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """As `RedisCaller.ask`."""
        return await self._asker.ask(timeout_s, *words)

    def call(self, on_reply: OnReply, timeout_s: float, *words: Argument) -> None:
        """As `RedisCaller.call`."""
        try:
            self._tasks.start(self._call(on_reply, timeout_s, words), "redis: call")
        except TaskGroupClosedError:
            asyncio.get_running_loop().call_soon(on_reply, RedisConnectionError("closed"))

    async def _call(self, on_reply: OnReply, timeout_s: float, words: tuple[Argument, ...]) -> None:
        try:
            reply: Reply | Exception = await self._asker.ask(timeout_s, *words)
        except asyncio.CancelledError:
            on_reply(RedisConnectionError("closed"))
            raise
        except FAILURES as error:
            reply = error
        on_reply(reply)

    def close(self) -> None:
        """Nothing: the client belongs to who made it."""
