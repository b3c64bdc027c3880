"""A slot that is being read.

Messages are read when the socket is ready, for a millisecond at most in one iteration of the loop, which serves hits as
well. What a transaction tells waits until the transaction is visible (`visibility`), one question for all that wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import psycopg2
from psycopg2 import extras

from veneer.changes.postgres.heartbeats import Heartbeats
from veneer.changes.postgres.session import Replication, Session
from veneer.changes.postgres.transactions import ReadTransaction, TransactionReader
from veneer.changes.postgres.visibility import SNAPSHOT, TransactionSnapshot, parse_snapshot
from veneer.changes.postgres.watch import PublicationWatch
from veneer.core.postgres import parse_lsn
from veneer.loop.tasks import Tasks
from veneer.ports.changes import ChangeItem, Committed, SourceError, StreamOrigin

SLICE_S: Final = 0.001
"""How long messages are read in one iteration of the loop."""
CLOCK_EVERY: Final = 16
"""After how many messages the clock is looked at."""
FEEDBACK_EVERY_S: Final = 1.0
MAX_WAITING: Final = 50_000
"""With so many tags and items unread nothing more is taken from the socket; PostgreSQL keeps it."""
FIRST_LOOK_S: Final = 0.0005
LONGEST_LOOK_S: Final = 0.05
"""How long to wait before a transaction is looked for again that was not visible."""


class PostgresStream:
    """Reads until it is closed or lost (veneer.ports.changes.ChangeStream)."""

    def __init__(
        self,
        replication: Replication,
        reader: TransactionReader,
        sessions: tuple[Session, Heartbeats],
        watch: PublicationWatch,
        failure_of: Callable[[psycopg2.Error | SourceError], SourceError],
    ) -> None:
        self._origin: Final = StreamOrigin(replication.database, watch.confirmed_lsn)
        self._connection = replication.connection
        self._cursor = replication.cursor
        self._reader = reader
        self._asked, self._heartbeats = sessions
        self._watch = watch
        self._failure_of = failure_of
        self._loop = asyncio.get_running_loop()
        self._descriptor = replication.connection.fileno()
        self._tasks = Tasks()
        self._invisible: deque[ReadTransaction] = deque()
        self._to_look = asyncio.Event()
        self._items: list[ChangeItem] = []
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._lost: SourceError | None = None
        self._listening = False
        self._reading_on = False
        self._received = 0
        self._confirmed = 0
        self._tending: asyncio.TimerHandle | None = None

    @property
    def origin(self) -> StreamOrigin:
        """The cluster and its timeline, which changes when another server takes over, and what the slot has confirmed.

        The log of a server that has taken over may lack the end of the former's.
        """
        return self._origin

    @property
    def kept_bytes(self) -> int | None:
        """The write-ahead log that the slot keeps (ChangeStream.kept_bytes)."""
        return self._watch.kept_bytes

    def start(self, first: Committed | None) -> None:
        """Begin; `first` is told before anything that comes."""
        if first is not None:
            self._waiting += _weight((first,))
            self._deliver((first,))
        self._tasks.start(self._look(), name="visible transactions")
        self._tasks.start(self._keep_watch(), name="watch the publication")
        self._tend()
        self._resume()

    async def read(self) -> Sequence[ChangeItem]:
        """What has come (ChangeStream.read)."""
        while not self._items:
            if self._lost is not None:
                raise self._lost
            self._arrived.clear()
            await self._arrived.wait()
        items, self._items = self._items, []
        self._waiting -= _weight(items)
        self._resume()
        return items

    async def beat(self, content: str) -> None:
        """Send a heartbeat (ChangeStream.beat)."""
        await self._heartbeats.send(content)

    def confirm(self, position: str) -> None:
        """Let the slot go on (ChangeStream.confirm); PostgreSQL is told within FEEDBACK_EVERY_S."""
        lsn = parse_lsn(position)
        if lsn is not None:
            # One less is enough to skip the transaction that ends there. With the whole, psycopg2 would confirm by
            # itself what the next keepalive says, and nobody could tell that it was us (`origin`).
            self._confirmed = max(self._confirmed, lsn - 1)

    async def aclose(self) -> None:
        """Stop reading (ChangeStream.aclose)."""
        if self._lost is None:
            self._send_feedback()
        self._lose(SourceError("the stream is closed"))
        await self._tasks.aclose()
        self._asked.close()
        await self._heartbeats.aclose()

    def _resume(self) -> None:
        if self._lost is None and not self._listening and not self._is_full():
            self._listening = True
            self._loop.add_reader(self._descriptor, self._on_readable)
            self._read_on()  # what libpq has read already wakes nobody

    def _pause(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._descriptor)

    def _is_full(self) -> bool:
        return self._waiting >= MAX_WAITING

    def _on_readable(self) -> None:
        if not self._reading_on:
            self._read()

    def _read_on(self) -> None:
        if not self._reading_on:
            self._reading_on = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._reading_on = False
        self._read()

    def _read(self) -> None:
        """Read for a while; what is left is read in the next iteration."""
        if not self._listening:
            return
        ends = self._loop.time() + SLICE_S
        try:
            while True:
                for _ in range(CLOCK_EVERY):
                    message = self._cursor.read_message()
                    if message is None:
                        return
                    self._take(message)
                if self._is_full():
                    self._pause()
                    return
                if self._loop.time() >= ends:
                    self._read_on()
                    return
        except psycopg2.Error as error:
            self._lose(self._failure_of(error))

    def _take(self, message: extras.ReplicationMessage) -> None:
        start = message.data_start
        self._received = max(self._received, start)
        told = self._reader.feed(message.payload, start)
        if told is not None and told.items:
            self._invisible.append(told)
            self._waiting += _weight(told.items)
            self._to_look.set()

    async def _look(self) -> None:
        """Deliver what has become visible, in order."""
        try:
            while True:
                await self._to_look.wait()
                pause_s = FIRST_LOOK_S
                while self._invisible:
                    if not self._deliver_visible(await self._snapshot()):
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
                    else:
                        pause_s = FIRST_LOOK_S
                self._to_look.clear()
        except SourceError as error:
            self._lose(error)

    async def _keep_watch(self) -> None:
        try:
            await self._watch.run()
        except SourceError as error:
            self._lose(self._failure_of(error))

    async def _snapshot(self) -> TransactionSnapshot:
        found = await self._asked.query(SNAPSHOT)
        return parse_snapshot(str(found[0][0]))

    def _deliver_visible(self, snapshot: TransactionSnapshot) -> bool:
        """Deliver up to the first that is not visible; whether there was any."""
        before = len(self._invisible)
        while self._invisible and snapshot.sees(self._invisible[0].xid):
            self._deliver(self._invisible.popleft().items)
        return len(self._invisible) < before

    def _deliver(self, items: tuple[ChangeItem, ...]) -> None:
        self._items += items
        self._arrived.set()

    def _tend(self) -> None:
        """Tell PostgreSQL how far all is: it forgets what it need not keep, and knows that somebody is there."""
        if self._send_feedback():
            self._tending = self._loop.call_later(FEEDBACK_EVERY_S, self._tend)

    def _send_feedback(self) -> bool:
        try:
            self._cursor.send_feedback(  # type: ignore[no-untyped-call]
                write_lsn=max(self._received, self._confirmed), flush_lsn=self._confirmed, force=True
            )
        except psycopg2.Error as error:
            self._lose(self._failure_of(error))
            return False
        return True

    def _lose(self, why: SourceError) -> None:
        """Tell nothing more, once what came before has been told."""
        if self._lost is not None:
            return
        self._lost = why
        self._pause()
        if self._tending is not None:
            self._tending.cancel()
        with suppress(psycopg2.Error):
            self._connection.close()
        self._arrived.set()


def _weight(items: Sequence[ChangeItem]) -> int:
    """How much memory items take, in tags."""
    return len(items) + sum(len(item.tags) for item in items if isinstance(item, Committed))
