"""A source of changes whose events are entries of a Redis stream, one stream in the order of commits.

How far it has been read is a key beside the stream: where Redis forgets one it forgets the other, and a position that
is not known means everything. So does one whose entry is no longer there while later ones are: what was trimmed
behind it nobody can tell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from veneer.changes.events import UNREADABLE, EventDecoder, EventSum
from veneer.core.change_events import MAX_EVENT_BYTES, UnreadableEventError
from veneer.core.sources import stream_id
from veneer.ports import ChangeItem, SourceError
from veneer.redis.keys import stream_position_key
from veneer.redis.line import Dial
from veneer.redis.patience import LagTolerantTimeout
from veneer.redis.script import FAILURES, Argument, Reply, Script
from veneer.redis.wire import RedisConnection, command

logger = logging.getLogger(__name__)

READ_AT_ONCE: Final = 500
READ_BYTES: Final = 8 * 1024 * 1024

_GAPS: Final = {
    "new": "no position is known of the stream",
    "ahead": "the stream is another one than was read",
    "trimmed": "the stream was trimmed before it was read",
    "deleted": "entries of the stream were deleted before they were read",
}
"""What `follow.lua` finds wrong."""


@dataclass(frozen=True, slots=True)
class RedisStreamSettings:
    """Which stream, and how long Redis may take: `block_s` is how long it waits for news by itself."""

    stream: str
    block_s: float = 1.0
    timeout_s: float = 1.0


class RedisStreamSource:
    """As ChangeSource. `decoder` makes the decoder of one reading, `summing` what sums events up."""

    def __init__(
        self,
        name: str,
        dial: Dial,
        decoder: Callable[[], EventDecoder],
        summing: Callable[[], EventSum],
        settings: RedisStreamSettings,
    ) -> None:
        self._name = name
        self._dial = dial
        self._decoder = decoder
        self._summing = summing
        self._settings = settings
        self._all_tags = summing().all_tags

    @property
    def name(self) -> str:
        """As the policy names it."""
        return self._name

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What names everything that its events may invalidate."""
        return self._all_tags

    async def open(self) -> RedisChangeStream:
        """Begin to read where it was confirmed last. Raises SourceError."""
        try:
            async with LagTolerantTimeout(self._settings.timeout_s):
                wire = await self._dial()
        except FAILURES as error:
            raise _lost(error) from error
        stream = RedisChangeStream(self._name, wire, self._decoder(), self._summing(), self._settings)
        try:
            await stream.begin()
        except BaseException:
            wire.drop()
            raise
        return stream


class RedisChangeStream:
    """As ChangeStream, over one connection of its own."""

    def __init__(
        self, name: str, wire: RedisConnection, decoder: EventDecoder, summed: EventSum, settings: RedisStreamSettings
    ) -> None:
        self._name = name
        self._wire = wire
        self._decoder = decoder
        self._sum = summed
        self._settings = settings
        self._script = Script.load("follow")
        self._key = stream_position_key(name, settings.stream)
        self._at = ""
        self._begun: list[ChangeItem] = []
        self._confirmed = self._kept = ""

    @property
    def kept_bytes(self) -> None:
        """Not known: the stream is bounded by who writes it."""
        return

    @property
    def origin(self) -> None:
        """Its position is kept beside the stream, and what was trimmed before it was read is told by the stream."""
        return

    async def begin(self) -> None:
        """Find out where to begin, and that the stream is there. Raises SourceError."""
        kept = await self._asked("GET", self._key)
        at = kept.decode("latin-1") if isinstance(kept, bytes) else ""
        self._at = at if stream_id(at) else ""
        self._begun = await self._follow()

    async def read(self) -> Sequence[ChangeItem]:
        """As ChangeStream.read."""
        items, self._begun = self._begun, []
        while not items:
            self._keep()
            block_ms = round(self._settings.block_s * 1000)
            stream = self._settings.stream
            # Only to hear that there is something: what there is, and whether it is all, the script says.
            read = ("XREAD", "COUNT", 1, "BLOCK", block_ms, "STREAMS", stream, self._at)
            await self._asked(*read, patience_s=self._settings.block_s)
            items = await self._follow()
        return items

    async def beat(self, content: str) -> None:
        """Nothing: events say themselves what they are as of."""

    def confirm(self, position: str) -> None:
        """Kept in Redis with the next read, where it is one of the stream's and no older than before."""
        place = _place(position)
        if place > _place(self._confirmed):
            self._confirmed = position

    async def aclose(self) -> None:
        """Let go of the connection."""
        self._keep()
        self._wire.drop()

    # ------------------------------------------------------------ Redis

    def _keep(self) -> None:
        """Have Redis keep what is confirmed. What it says to it does not matter: an older position holds as well."""
        if self._confirmed == self._kept or not self._wire.open:
            return
        self._wire.say(command("SET", self._key, self._confirmed), _ignored)
        self._kept = self._confirmed

    async def _follow(self) -> list[ChangeItem]:
        """What there is after the position, if anything. Raises SourceError."""
        bounds = (READ_AT_ONCE, MAX_EVENT_BYTES, READ_BYTES)
        try:
            reply = await self._script.run(
                _Asker(self._wire), (self._settings.stream,), (self._at, *bounds), self._settings.timeout_s
            )
        except FAILURES as error:
            raise _lost(error) from error
        match reply:
            case [bytes(wrong), bytes(last), list(entries)]:
                return self._understood(wrong.decode(), last.decode(), entries)
        raise SourceError("Redis has answered something that is no part of a stream")

    def _understood(self, wrong: str, last: str, entries: list[Reply]) -> list[ChangeItem]:
        if wrong == "gone":
            msg = f'there is no stream "{self._settings.stream}" in Redis yet; whoever writes it makes it'
            raise SourceError(msg)
        if wrong:
            self._sum.everything(_GAPS.get(wrong, wrong), last)
        for entry in entries:
            match entry:
                case [bytes(place), fields]:
                    self._add(place.decode(), fields, instead=last if wrong else "")
                case _:
                    raise SourceError("Redis has answered something that is no entry of a stream")
        self._at = last if wrong else self._at
        return self._sum.take()

    def _add(self, place: str, fields: Reply, instead: str) -> None:
        """Count an entry in; after a gap the last one, for what it is as of, at the stream's end."""
        try:
            event = self._decoder.entry(_fields(fields))
        except UnreadableEventError as error:
            logger.warning("changes %s: the event at %s cannot be read: %s", self._name, place, error)
            self._sum.everything(UNREADABLE, instead or place)
        else:
            self._sum.add(event, instead or place)
        self._at = place

    async def _asked(self, *words: Argument, patience_s: float = 0.0) -> Reply:
        try:
            return await _Asker(self._wire).ask(self._settings.timeout_s + patience_s, *words)
        except FAILURES as error:
            raise _lost(error) from error


class _Asker:
    """A RedisAsker of one connection."""

    def __init__(self, wire: RedisConnection) -> None:
        self._wire = wire

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """As RedisAsker."""
        async with LagTolerantTimeout(timeout_s):
            return await self._wire.ask(*words)


def _place(position: str) -> tuple[int, int]:
    """An id of a stream to compare with another one; less than all of them where it is none."""
    return stream_id(position) or (-1, 0)


def _fields(told: Reply) -> dict[bytes, bytes]:
    """The fields of an entry. Raises UnreadableEventError."""
    if not isinstance(told, list):
        msg = f"it is longer than the {MAX_EVENT_BYTES} bytes that are read"
        raise UnreadableEventError(msg)
    texts = [text for text in told if isinstance(text, bytes)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _lost(error: Exception) -> SourceError:
    """Redis cannot be asked, or refuses, which it will go on doing until somebody gives the right or the right key."""
    if isinstance(error, ResponseError):
        return SourceError(f"Redis refuses to tell the stream: {error}", lasting=True)
    return SourceError(f"Redis cannot be asked for the stream: {error!r}")


def _ignored(_: Reply | Exception) -> None:
    pass
