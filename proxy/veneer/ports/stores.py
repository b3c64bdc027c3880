"""Stored responses, the order of invalidations, and the locks of fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from veneer.core.entry import CodedBody, Entry, Position
from veneer.core.invalidation import Invalidation, Validity
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules


class EvictionListener(Protocol):
    """What somebody keeps beside a stored response for as long as it is stored.

    `used` says that the response was answered from without a `lookup`; the store takes note and clears it.
    """

    used: bool

    def part(self) -> None:
        """It is over: the response is gone, or no longer alone. Called once; must be quick and never raise."""
        ...


class SharedLookups(Protocol):
    """What of a store lies beyond this process, for who cannot wait in a task."""

    @property
    def vary_names(self) -> Iterable[str]:
        """The request fields, in lower case, whose values a look-up sends along."""
        ...

    def look(
        self, key: str, request: RequestHead, rules: CacheRules, attempt: LockAttempt | None, on_looked: OnLooked
    ) -> None:
        """As `EntryStore.lookup` of what this process lacks; `on_looked` is called once, be it at once.

        What is found is local then, if it can be; else it has to be looked up once more.
        """
        ...


OnLooked = Callable[[bool], bool]
"""Given whether a look-up has found anything, says whether the same will be looked up once more."""


class LocalStore(Protocol):
    """What of a store is in this process: nothing has to be waited for."""

    @property
    def beyond(self) -> SharedLookups | None:
        """What is not; None where all is here."""
        ...

    def get_local(self, key: str) -> Sequence[Entry]:
        """As `EntryStore.lookup`, of what is here."""
        ...

    def put_now(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None) -> None:
        """As `EntryStore.put`, of an entry that is not large."""
        ...


class EntryStore(Protocol):
    """Stored responses by cache key. Never raises for a store's failure: a failing store is a miss and a warning."""

    @property
    def local(self) -> LocalStore | None:
        """What of it is in this process; None where nothing is."""
        ...

    async def lookup(
        self, key: str, request: RequestHead, rules: CacheRules, wish: LockWish | None = None
    ) -> Sequence[Entry]:
        """Every stored response under `key` that may match `request` under the route's `rules`, newest first.

        Which of them does match is for core.vary to decide. Where other nodes have to be asked, `wish` is: the lock it
        gives is taken in the same call when nothing is found.
        """
        ...

    def add_listener(self, key: str, entry: Entry, listener: EvictionListener) -> bool:
        """Tell `listener` when memory no longer holds `entry`, and it alone, under `key`.

        Until then whoever answers from `entry` may do so without a `lookup`, and sets `used`. False where memory does
        not hold it so, or keeps nothing. An entry has a few listeners at most; the oldest gives way and is told.
        """
        ...

    async def put(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None = None) -> None:
        """Store `entry`, replacing the one with equal `vary` and `span`; it may be forgotten after `keep_s` seconds.

        Other nodes drop what they hold in memory under `key` when something was replaced. Nobody waits for a shared
        store, but what is asked of `key` later here is asked of it in that order. `lock`, in which the response was
        fetched, may be given back by the same call; it has to be released all the same.
        """
        ...

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:
        """Keep a coded body with `entry` where it is still stored; in memory only, a hint that may be dropped.

        Whether it is kept. It takes the place of what is kept in the same coding.
        """
        ...

    def used_since(self, key: str, entry: Entry) -> bool | None:
        """Whether what memory holds under `key` was used since this was asked last; None once it lacks `entry`."""
        ...

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry`, here and in the shared store; what was stored in its place later may stay.

        The other variants and parts under `key` stay. Other nodes drop what they hold in memory under `key`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of an invalidation: its position, who applied it, and whose lease had to run out.

    `shared` is False when the shared log could not be reached within a bound, so that only this node has applied the
    event and others may still answer with what it names, or where nobody waited for that. It is shared as soon as the
    log can be reached.
    """

    position: Position
    acknowledged: tuple[str, ...]
    expired: tuple[str, ...]
    duration_ms: float
    shared: bool = True


OnReceipt = Callable[[Receipt], None]
"""Told once that an invalidation is known to all who have to know of it, or could not be shared in time."""


class LeaseState(Enum):
    """Whether this node may answer from its stores without asking the backend."""

    HELD = "held"  # alone, or with a fresh lease
    EXPIRED = "expired"  # the lease ran out or the shared store is away: nothing stored may be trusted


class LocalLog(Protocol):
    """A log of which nobody else has to be told: nothing has to be waited for."""

    @property
    def position(self) -> Position:
        """As `InvalidationLog.position`."""
        ...

    def append_now(self, invalidation: Invalidation, settles_s: float = 0.0) -> None:
        """As `InvalidationLog.append`; it is shared with all there are."""
        ...


class InvalidationLog(Protocol):
    """The total order of invalidations, as far as this node has applied it, and the lease that makes it strict."""

    @property
    def local(self) -> LocalLog | None:
        """This log, where this process is alone: then a write has nobody to be made known to."""
        ...

    @property
    def position(self) -> Position:
        """The last position applied here. Taken before a fetch begins, it becomes the entry's `born`."""
        ...

    def lease_state(self) -> LeaseState:
        """One comparison: is the lease fresh?"""
        ...

    def as_of(self, source: str) -> float:
        """Monotonic seconds: what was committed at this source of changes before then is applied here."""
        ...

    def validity(self, entry: Entry) -> Validity:
        """Has anything that names `entry` happened after it was born? Constant time when nothing happened at all."""
        ...

    def validity_generation(self, now_s: float) -> int:
        """A number that changes whenever the answer of `validity` may change; -1 if this node does not lead at `now_s`.

        `now_s` is monotonic. What was found valid is valid as long as the number is the same.
        """
        ...

    async def begin_write(self, settles_s: float, *, strict: bool) -> bool:
        """Make known that this node is about to send a write; whether it may. If so, `end_write` follows.

        Should the node vanish before that, the others take all that is stored for suspect, then and `settles_s` later.
        With `strict` this waits, within a bound, until the node leads and they would: a write sent by a node that is
        cut off cannot be made known to the others, so that its answer would have to be kept from the client.
        """
        ...

    def may_write_now(self, settles_s: float, *, strict: bool) -> bool:
        """Whether `begin_write` would say at once that the write may be sent."""
        ...

    def begin_write_now(self, settles_s: float) -> None:
        """As `begin_write`, in the moment in which `may_write_now` has said so."""
        ...

    def end_write(self) -> None:
        """The write is over, and what it may have changed was given to `append`."""
        ...

    async def append(self, invalidation: Invalidation, *, strict: bool, settles_s: float = 0.0) -> Receipt:
        """Put an event into the order and apply it here.

        With `strict` returns only when every live node has applied it or its lease has run out; without it at once,
        with a receipt that says whether the others know already. `settles_s` is for a write in doubt: for so many
        seconds all that the event names is dead at every node, however young it is, and then the event is repeated.
        """
        ...

    def append_soon(
        self, invalidation: Invalidation, on_receipt: OnReceipt, *, strict: bool, settles_s: float = 0.0
    ) -> None:
        """As `append`, for who cannot wait in a task; `on_receipt` is called once, be it at once."""
        ...

    async def spares(self, entry: Entry, until: Position) -> bool:
        """Whether nothing that names `entry` lies between its birth and `until`, both exclusive.

        False where that is no longer, or not soon enough, known. What a write's own response may be stored as: its
        own invalidation stands at `until`.
        """
        ...


class FetchLock(Protocol):
    """The right to fetch a key from the backend while other nodes wait."""

    def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """The fetch is over, on whatever path; `stored` when its response is in the shared store. Never raises.

        `varies` are the request fields by which that response varies, in lower case: those who waited learn whether it
        may be for them. Nothing happens where it has been given back before.
        """
        ...


class LockAttempt(Protocol):
    """A lock that a look-up may take along. Who has made it gives it to `acquire`, or drops it."""

    def drop(self) -> None:
        """No lock is needed. Idempotent, and nothing once `acquire` had it."""
        ...


LockWish = Callable[[], LockAttempt | None]
"""The lock that is needed should nothing be found; called at most once, when a shared store is about to be asked."""


@dataclass(frozen=True, slots=True)
class LockReleased:
    """Another node's fetch is over and stored: it is worth looking again; `varies` as in `FetchLock.release`."""

    varies: tuple[str, ...] = ()


class FetchLocks(Protocol):
    """One upstream fetch per key, over all nodes.

    Locks are by `group` (core.key.flight_key): of requests for one cache key, `key`, those that may share a response.
    """

    @property
    def alone(self) -> bool:
        """Whether no other node takes locks, so that each is free."""
        ...

    def attempt(self, key: str, group: str) -> LockAttempt | None:
        """The lock of `group`, to be taken along by a look-up of `key`; None where locks are free."""
        ...

    def taken(self, attempt: LockAttempt) -> FetchLock | None:
        """The lock, where the look-up that has taken it along got it; None, and nothing done, where it did not."""
        ...

    async def acquire(
        self, key: str, group: str, wait_s: float, *, again: bool = False, attempt: LockAttempt | None = None
    ) -> FetchLock | LockReleased:
        """The lock of `group`, or word that another node has fetched it.

        It is free at the latest after `wait_s`, or when nobody can be asked. `again` says that a response
        stored just now was looked at and is of no use. `attempt` is what the last look-up has taken along, if it has.
        """
        ...
