"""The backend as the pipeline sees it: a bounded pool of kept-alive connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from veneer.core.connection_bound import LEAST
from veneer.core.forwarding import located
from veneer.core.messages import RequestHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.core.streams import is_stream
from veneer.http1.parser import MessagePart
from veneer.http1.serialise import WrittenHead, write_head
from veneer.loop.batched_writes import WriteBatch
from veneer.loop.tasks import Tasks
from veneer.ports import Clock, Content, Demand, InterimSink, UpstreamError, UpstreamFailure
from veneer.upstream.buffer import ReadBuffer
from veneer.upstream.connection import Connection
from veneer.upstream.dial import dial
from veneer.upstream.gate import Gate, Load, Place
from veneer.upstream.lease import ConnectionLender, PoolLease, believed_s, is_repeatable
from veneer.upstream.names import Names
from veneer.upstream.outgoing import Outgoing, outgoing_for, repeated
from veneer.upstream.redial import Redialler
from veneer.upstream.repeats import Repeats
from veneer.upstream.response import BackendResponse
from veneer.upstream.settings import PoolSettings
from veneer.upstream.traced import Resend, SpannedRequest
from veneer.upstream.unwanted import Unwanted
from veneer.upstream.waiting import WaitingQueue, Wanted


class UpstreamPool(ConnectionLender):
    """Implements `veneer.ports.Upstream` for one backend.

    A request is sent again only when all of it is at hand, it may be repeated, and its connection ended before one byte
    of an answer (`upstream.repeats`).
    """

    def __init__(self, settings: PoolSettings, clock: Clock, tasks: Tasks, names: Names | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._keepalive_s = settings.keepalive_s
        self._authority = settings.endpoint.authority
        self._monotonic = clock.monotonic
        self._names = names or Names(settings.endpoint, clock)
        dials = partial(dial, settings, self._make_connection, self._names)
        self.redialler = Redialler(dials, clock.monotonic, settings.refused_s)
        self._tasks = tasks
        self._buffer = ReadBuffer()
        self._batch: WriteBatch | None = None
        self._idle: list[Connection] = []  # the one used last at the end
        self._taken = 0  # connections leased, idle or being opened, but for those of streams
        self._streams: set[Connection] = set()
        self.gate = Gate(settings)
        self._repeats = Repeats(settings, clock.monotonic)
        self._waiting = WaitingQueue(settings, self.gate, clock, self._give_back, self._serve)
        self._unwanted = Unwanted()
        self._sweeper: asyncio.TimerHandle | None = None
        self._beside: UpstreamPool | None = None
        self._closed = False

    def __str__(self) -> str:
        return str(self._settings.endpoint)

    @property
    def open_connections(self) -> int:
        """Connections leased, idle or being opened."""
        return self._taken + len(self._streams)

    def load(self) -> Load:
        """How the backend stands."""
        most = self._repeats.bound.at(self._monotonic())
        return self._waiting.load(self._taken, most, len(self._streams))

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
        sends: Iterator[int] | None = None,
        again: Resend | None = None,
    ) -> BackendResponse:
        """Send the request, streaming its body, and return when the final head has arrived.

        Raises UpstreamError, and whatever `body` raised. `sends` and `again` are for spans (`upstream.traced`).
        """
        if again is None and (spans := self._settings.spans) is not None:
            send = partial(self.exchange, read_timeout_s=read_timeout_s, demand=demand)
            return await SpannedRequest(spans, self._settings.endpoint, request, sends).send(send, body, on_interim)
        outgoing = outgoing_for(request, body, self._written, is_repeatable(request, demand), again)
        outgoing.read_timeout_s = read_timeout_s
        return await self.send(outgoing, on_interim, demand)

    async def look(self, request: RequestHead) -> BackendResponse:
        """An exchange for who watches the backend: over a connection of its own, so that requests keep none from it.

        A backend whose connections are all in use is busy, and may be well. Raises UpstreamError.
        """
        if self._beside is None:
            settings = replace(self._settings, max_connections=1, refused_s=0.0, spans=None)
            self._beside = UpstreamPool(settings, self._clock, self._tasks, self._names)
        return await self._beside.exchange(request, None)

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """The head of a request, as `exchange` sends it."""
        return self._written(request, has_body).raw

    def _written(self, request: RequestHead, has_body: bool) -> WrittenHead:
        prefix, preserve = self._settings.endpoint.prefix, self._settings.preserve_host
        return write_head(request, self._authority, prefix, preserve_host=preserve, has_body=has_body)

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> PoolLease | None:
        """An idle connection, and a place at the backend; None where one of them is not there for it."""
        gate = self.gate
        if self._waiting.count or not gate.admits(claim, now_s):
            return None
        connection = self._take_idle(now_s)
        if connection is None:
            return None
        connection.place = gate.enter(claim, now_s)
        return PoolLease(self, connection)

    def give_back(self, connection: Connection) -> None:
        """Take back a connection that was leased for nothing."""
        self._leave(connection)
        self._hand_back(connection)

    async def await_response(
        self, connection: Connection, again: WrittenHead | None, on_interim: InterimSink, demand: Demand | None
    ) -> BackendResponse:
        """The response to what was sent over a lease. Raises UpstreamError."""
        try:
            return await self._response(connection, None)
        except UpstreamError as error:
            self._discard(connection)
            outgoing = None if again is None else repeated(again, connection)
            if outgoing is None or not self._repeats.may(outgoing, connection, error, demand):
                raise
        except BaseException:
            self._discard(connection)
            raise
        return await self.send(outgoing, on_interim, demand)

    async def send(self, outgoing: Outgoing, on_interim: InterimSink | None, demand: Demand | None) -> BackendResponse:
        """The response to what is written, which is sent again where that may be. Raises UpstreamError."""
        while True:
            try:
                connection = await self._acquire(demand, outgoing.wanted)
            except UpstreamError as failed:
                if not outgoing.was_sent:
                    raise
                raise UpstreamError(failed.failure, failed.detail, sent=True, retry_s=failed.retry_s) from failed
            if outgoing.follows is not None and connection.place is not None:
                self._leave(connection)  # how long it takes to send it is up to the client
            connection.timer.set_limit(outgoing.read_timeout_s)
            if demand is not None and outgoing.gives_way:
                self.watch(connection, demand)
            served = connection.served
            try:
                response = await self._attempt(connection, outgoing, on_interim)
            except UpstreamError as error:
                if not self._repeats.may(outgoing, connection, error, demand):
                    raise
            else:
                self._repeats.answered(outgoing, served)
                return response

    async def aclose(self) -> None:
        """Close idle connections now and leased ones as they come back.

        Requests that began with this pool, and wait for a connection or come for one yet, are served by it: another
        policy is in force, but not for them.
        """
        self._closed = True
        if self._beside is not None:
            await self._beside.aclose()
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._idle:
            self._discard(self._idle.pop())

    async def _attempt(
        self, connection: Connection, outgoing: Outgoing, on_interim: InterimSink | None
    ) -> BackendResponse:
        sender: asyncio.Task[None] | None = None
        if connection.place is not None:
            connection.place.sent_s = self._monotonic()
        try:
            sender = outgoing.start(connection, on_interim, self._tasks)
            return await self._response(connection, sender)
        except BaseException as error:
            if sender is not None:
                sender.cancel()
            self._repeats.failed(outgoing, connection, error, self._taken - 1)
            self._discard(connection)
            raise

    async def _response(self, connection: Connection, sender: asyncio.Task[None] | None) -> BackendResponse:
        while (final := connection.parser.final) is None:
            connection.check()
            await connection.wait_for_progress()
        self._leave(connection, self._monotonic())
        if self._waiting.count and connection.parser.part is not MessagePart.DONE:
            self._serve()
        if self._settings.rewrite_location and "location" in final.head.fields.joined:
            final = final.saying(located(final.head, self._settings.endpoint.origin))
        if connection.parser.part is MessagePart.TUNNEL:
            self._set_apart(connection)
        elif is_stream(final.head.fields) and connection.parser.part is not MessagePart.DONE:
            self._set_apart(connection)
            connection.timer.extend(self._settings.stream_idle_s)
        return BackendResponse(connection, final, self.released, sender)

    def _set_apart(self, connection: Connection) -> None:
        """Count one that will last with its like: another request has its place. Raises UpstreamError STREAMS_FULL."""
        most = self._settings.max_streams
        if len(self._streams) >= most:
            detail = f"{most} tunnels and streams are open already"
            raise UpstreamError(UpstreamFailure.STREAMS_FULL, detail, sent=True)
        self._unwanted.exchange_done(connection)
        self._streams.add(connection)
        self._hand_back(None)

    # ---- leases

    def watch(self, connection: Connection, demand: Demand) -> None:
        """Let the exchange on the connection give way to others when nobody waits for it."""
        give_way = partial(self._may_give_way, connection, connection.served, demand)
        demand.when_unwanted(give_way)
        if not demand.wanted:
            give_way()

    def _may_give_way(self, connection: Connection, served: int, demand: Demand) -> None:
        """Nobody waits for what the connection carries, if it still carries the exchange that was its `served`-th."""
        if connection.served == served and not connection.ended and connection not in self._streams:
            self._unwanted.add(connection, demand)
            self._unwanted.make_room(self._waiting.count)

    def _take_idle(self, now_s: float) -> Connection | None:
        """The most recently used idle connection that still works."""
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_until_s > now_s and connection.usable():
                return connection
            self._discard(connection)
        return None

    async def _acquire(self, demand: Demand | None, wanted: Wanted) -> Connection:
        """Lease a connection, with a place at the backend: an idle or a new one, or the next that comes back."""
        now_s, claim = self._monotonic(), ANY_CLAIM if demand is None else demand.claim
        found: Connection | None = None
        place: Place | None = None
        if not self._waiting.any_before(claim.priority) and self.gate.admits(claim, now_s):
            found = self._take_idle(now_s)
            if found is not None or self._may_open(now_s, wanted):
                self._taken += found is None
                place = self.gate.enter(claim, now_s)
        if place is None:
            place, found = await self._waiting.wait(claim, demand, self._make_room, wanted)
        if found is not None:
            if wanted is not Wanted.NEW and found.usable():
                found.place = place
                return found
            found.abort()
        try:
            connection = await self.redialler.connect(demand)
        except BaseException:
            self.gate.leave(place)
            self._hand_back(None)
            raise
        connection.place = place
        connection.retire_s = self._monotonic() + self._settings.max_age_s
        return connection

    def _may_open(self, now_s: float, wanted: Wanted) -> bool:
        """Whether there may be one more connection; where it is to be used, but there are hardly any, too."""
        if wanted is Wanted.USED and self._taken >= LEAST:
            return False
        return self._taken < self._repeats.bound.at(now_s)

    def _make_room(self, waiting: int) -> None:
        """Others wait, `waiting` in all: the newest may be one that need not, as for its route there is room."""
        self._unwanted.make_room(waiting)
        self._serve()

    def _give_back(self, place: Place, connection: Connection | None) -> None:
        """Nobody is there any more for whom these were."""
        self.gate.leave(place)
        self._hand_back(connection)

    def _leave(self, connection: Connection, answered_s: float | None = None) -> None:
        """What the connection carries holds no place any more; `answered_s` is when the final head came, if it did."""
        place, connection.place = connection.place, None
        if place is not None and answered_s is not None:
            self.gate.answered(place, answered_s)
        elif place is not None:
            self.gate.leave(place)

    def _serve(self) -> None:
        """Let those go who wait, as far as there are places and connections for them."""
        now_s, waiting = self._monotonic(), self._waiting
        while waiting.count:
            connection = self._take_idle(now_s)
            if connection is None and self._taken >= self._repeats.bound.at(now_s):
                return
            self._taken += connection is None
            is_used = connection is not None or self._taken <= LEAST
            waiter = waiting.next(now_s, is_used=is_used)
            if waiter is None:
                self._taken -= connection is None
                self._idle += [] if connection is None else [connection]
                return
            waiter.place = self.gate.enter(waiter.claim, now_s)
            waiter.future.set_result(connection)

    def _make_connection(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._batch is None:
            self._batch = WriteBatch(loop.call_soon)
        return Connection(self._settings, loop, self._batch, self._buffer, self)

    def released(self, connection: Connection, reusable: bool) -> None:
        """An exchange is over; where it is `reusable` the connection may carry another."""
        now_s = self._monotonic()
        self._leave(connection, now_s)
        if not reusable or self._closed or connection in self._streams or now_s >= connection.retire_s:
            self._discard(connection)
            return
        connection.finish()
        if self._unwanted.any:
            self._unwanted.exchange_done(connection)
        self._keep(connection, now_s)

    def _hand_back(self, connection: Connection | None) -> None:
        """Keep a connection that still works, or free a slot, for whoever is next."""
        if connection is None:
            self._taken -= 1
            self._serve()
        elif connection.ended or self._closed:
            self._discard(connection)
        else:
            self._keep(connection, self._monotonic())

    def _keep(self, connection: Connection, now_s: float) -> None:
        final = connection.parser.final
        stays_s = self._keepalive_s if final is None or final.idle_s is None else believed_s(final.idle_s)
        connection.idle_until_s = now_s + stays_s
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._keepalive_s, self._sweep)
        if self._waiting.count:
            self._serve()

    def _discard(self, connection: Connection) -> None:
        connection.abort()
        self._leave(connection)
        self._unwanted.exchange_done(connection)
        if connection in self._streams:
            self._streams.remove(connection)
        else:
            self._hand_back(None)

    def closed(self, connection: Connection) -> None:
        """The backend closed an idle connection."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._hand_back(None)

    def _sweep(self) -> None:
        """Close what has been idle too long, and come back while anything is idle."""
        self._sweeper = None
        now_s, idle = self._monotonic(), self._idle
        self._idle = [connection for connection in idle if connection.idle_until_s > now_s]
        for connection in idle:
            if connection.idle_until_s <= now_s:
                self._discard(connection)
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(self._keepalive_s, self._sweep)
