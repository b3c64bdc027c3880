"""The long read of the log, on a connection of its own, and the word to writers that their events are applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from veneer.redis.keys import LogKeys
from veneer.redis.line import Dial
from veneer.redis.patience import LagTolerantTimeout
from veneer.redis.script import Reply
from veneer.redis.wire import RedisConnection, command
from veneer.stores.stream_decoder import ReadBatch, StreamDecoder

_READ_AT_MOST = 100
_INBOX_KEEPS = 1000
_INBOX_EXPIRES_MS = 60_000


@dataclass(frozen=True, slots=True)
class Applied:
    """Up to where a node has applied the log, and the writers who are to be told so, each with a position."""

    epoch_ms: int
    applied: int
    owed: Mapping[str, int] = field(default_factory=dict[str, int])

    def commands(self, keys: LogKeys, node: str) -> list[bytes]:
        """What tells the writers: those who listen at once, and all in their inboxes."""
        found: list[bytes] = []
        for writer, seq in self.owed.items():
            inbox, place = keys.inbox(writer), f"{self.epoch_ms}-{seq}"
            found.append(command("PUBLISH", inbox, f"{node}\n{place}"))
            found.append(command("XADD", inbox, "MAXLEN", "~", _INBOX_KEEPS, "*", "n", node, "p", place))
            found.append(command("PEXPIRE", inbox, _INBOX_EXPIRES_MS))
        return found


OnBatch = Callable[[ReadBatch], Applied | None]
"""Applies what was heard and says where to go on; None ends the reading."""

Known = Callable[[], tuple[int, int]]
"""The epoch, and up to where its events are applied already, so that they need not be heard."""


class LogReader:
    """Reads on and on. Writers wait for it: what came is applied, acknowledged and followed by the next read at once.

    Redis answers after `block_s` even without news; `silence_s` is how long that may take on its way.
    """

    def __init__(self, dial: Dial, keys: LogKeys, node: str, block_s: float, silence_s: float) -> None:
        self._dial = dial
        self._keys = keys
        self._node = node
        self._block_ms = round(block_s * 1000)
        self._patience_s = block_s + silence_s
        self.decoder = StreamDecoder(keys, node)

    async def listen(self, start: Applied, hear: OnBatch, known: Known) -> None:
        """Read from `start` until `hear` says None. Raises one of `script.FAILURES`."""
        async with LagTolerantTimeout(self._patience_s):
            wire = await self._dial()
        reading = _Reading(wire, self, hear, known)
        try:
            reading.go_on(start)
            while not reading.ended:
                async with LagTolerantTimeout(self._patience_s):
                    await reading.turned.wait()
                reading.turned.clear()
            reading.check()
        finally:
            reading.end()
            wire.drop()

    def commands(self, told: Applied) -> list[bytes]:
        """What tells the writers, and the command that waits for events after `told`, acknowledgements and notices."""
        keys, decoder = self._keys, self.decoder
        streams = (keys.stream, keys.inbox(self._node), keys.notices)
        places = (f"{told.epoch_ms}-{told.applied}", decoder.inbox_at, decoder.notices_at or "$")
        read = command("XREAD", "COUNT", _READ_AT_MOST, "BLOCK", self._block_ms, "STREAMS", *streams, *places)
        return [*told.commands(keys, self._node), read]


class _Reading:
    """The reads on one connection, each begun where the one before has ended, as soon as its answer is there."""

    def __init__(self, wire: RedisConnection, reader: LogReader, hear: OnBatch, known: Known) -> None:
        self._wire = wire
        self._reader = reader
        self._hear = hear
        self._known = known
        self._error: Exception | None = None
        self.turned = asyncio.Event()
        self.ended = False

    def go_on(self, told: Applied) -> None:
        """Tell the writers and read on, in one piece."""
        commands = self._reader.commands(told)
        self._wire.say(b"".join(commands), *(self._acknowledged,) * (len(commands) - 1), self._answered)

    def end(self, error: Exception | None = None) -> None:
        """Hear no more."""
        if not self.ended:
            self.ended, self._error = True, error
        self.turned.set()

    def check(self) -> None:
        """Raise what has ended it."""
        if self._error is not None:
            raise self._error

    def _acknowledged(self, reply: Reply | Exception) -> None:
        # A replica, for one, can be read and takes nothing. Where memory is full the writer waits for the lease, and
        # where nothing may be published for this node's next read.
        if isinstance(reply, Exception) and not str(reply).startswith(("OOM ", "NOPERM ")):
            self.end(reply)

    def _answered(self, reply: Reply | Exception) -> None:
        if self.ended:
            return
        if isinstance(reply, Exception):
            self.end(reply)
            return
        try:
            told = self._hear(self._reader.decoder.decode_batch(reply, self._known()))
            if told is None:
                self.end()
            else:
                self.go_on(told)
                self.turned.set()
        except Exception as error:  # noqa: BLE001 - raised again by `check`, where somebody waits for it
            self.end(error)
