"""Where changes of the data are told that do not pass through this proxy: a database, a stream of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from veneer.core.invalidation import Invalidation


@dataclass(frozen=True, slots=True)
class Committed:
    """What was changed at once, in the order of commits. Its tags may end in ":*" (the tag and all below it) or be "*".

    `position` is the source's own (an LSN). `gap` says, for the log and a counter, why more is named than was
    changed: what happened could not be read, was too much, or was missed.
    """

    position: str
    tags: tuple[str, ...]
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat has come through: all that was committed before `content` was given to `beat` came before it."""

    position: str
    content: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """For a source without heartbeats: what was committed before `unix_ms` by its clock came before this."""

    position: str
    unix_ms: int


ChangeItem = Committed | Beat | AsOf


class SourceError(Exception):
    """The source cannot be followed now; the message says what is wrong, and what would be right.

    `sql` are statements that would mend it. With `lasting` it will not get better without somebody's help.
    """

    def __init__(self, message: str, *, sql: Sequence[str] = (), lasting: bool = False) -> None:
        super().__init__(message)
        self.sql = tuple(sql)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class StreamOrigin:
    """What the positions of a stream are positions in, and up to which one it was confirmed when it was opened.

    Positions of another `identity` cannot be compared with these. If more was confirmed than the reader knows of,
    somebody else has confirmed it, or the source has begun anew: what lies between will not be told.
    """

    identity: str
    confirmed: str


class ChangeStream(Protocol):
    """A source that is being read, from where it was confirmed last. One reader at a time."""

    @property
    def origin(self) -> StreamOrigin | None:
        """Where it goes on from; None where the stream itself tells that something is missing."""
        ...

    @property
    def kept_bytes(self) -> int | None:
        """What the source keeps until it is confirmed, as last seen; None where it cannot tell."""
        ...

    async def read(self) -> Sequence[ChangeItem]:
        """What has come, in order; waits until there is something. Raises SourceError when the source is lost."""
        ...

    async def beat(self, content: str) -> None:
        """Have `content` come through the stream after all that is committed before this call. Raises SourceError.

        Does nothing where the source has none; `AsOf` comes by itself then.
        """
        ...

    def confirm(self, position: str) -> None:
        """All up to `position` is in the log: the source may forget it. Never raises, and may be lost."""
        ...

    async def aclose(self) -> None:
        """Stop reading; idempotent."""
        ...


class ChangeSource(Protocol):
    """A source that can be read."""

    @property
    def name(self) -> str:
        """As the policy names it."""
        ...

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What names everything that changes of this source may invalidate."""
        ...

    async def open(self) -> ChangeStream:
        """Begin to read. Raises SourceError.

        Where the source cannot tell what happened since it was confirmed last (a slot that is new, lost or
        trimmed), the first item names `all_tags`.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceMoment:
    """All that was committed before `ms`, by the clock of that name (`SourceClaim`), has been placed in the log.

    `ms` is None where that is not known. So has all up to `position`, the source's own, in what `origin` identifies.
    """

    clock: str
    ms: int | None
    position: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class SourceClaim:
    """Who reads a source now. `now_ms` and `clock` are the moment by a clock that all nodes share, and which one.

    `known` is what was told of it last; None where nothing was, or all that was stored then is dead.
    """

    mine: bool
    reader: str
    clock: str
    now_ms: int
    known: SourceMoment | None = None


@dataclass(frozen=True, slots=True)
class SourceTold:
    """How far a source has come, as this node knows: all committed before `as_of_s` (monotonic) is applied here.

    `position` is the source's own, of about that moment; `reader` the node that reads it, empty where none does.
    """

    as_of_s: float
    position: str
    reader: str

    def lag_s(self, now_s: float) -> float:
        """How late the source is at `now_s` (monotonic), as far as this node knows."""
        return max(0.0, now_s - self.as_of_s)


class SourceLog(Protocol):
    """The log as it is for who follows a source: one node at a time, and all nodes hear how far it has come.

    Sources are named by their keys, "name@digest": the right to read is the name's, whatever its settings are; what is
    told holds for these settings, and takes the place of what was told for others.
    """

    async def claim(self, source: str, as_of: SourceMoment | None = None) -> SourceClaim:
        """Take, or go on having, the right to read a source; raises ConnectionError where nobody can be asked.

        It lasts as long as a lease. `as_of` is told to all nodes, unless its clock is another one by now.
        """
        ...

    async def release(self, source: str) -> None:
        """Let another node read it. Never raises."""
        ...

    def place_soon(self, invalidation: Invalidation, on_placed: Callable[[], None]) -> None:
        """Put an event into the order and apply it here; `on_placed` hears that it is in the log, however late.

        It is in order among others of the same caller, and nobody waits until other nodes have applied it.
        """
        ...

    def told(self, source: str) -> SourceTold | None:
        """How far the source has come; None where nobody has said so."""
        ...
