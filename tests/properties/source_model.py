"""How changes behind the proxy reach a node, as a small machine: every order of its steps can be tried.

A database tells one commit and heartbeats, in order; what it has committed is visible a little later. A reader asks the
shared clock, has a heartbeat written, reads, places what was committed in the log, tells how far the source has come,
and lets the source forget what it has seen; it may die between any two steps, and its successor reads from where the
source was told to forget. A node renews its lease in three steps (sent, carried out, answered), applies events, fetches
what the commit changes, and stores it. Time moves in ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

LAG = 1
COMMIT = -1
"""In the stream; a heartbeat is the moment by the shared clock that it carries."""


class Mutation(Enum):
    """One rule of the protocol left out or changed."""

    NONE = "none"
    CONFIRM_FIRST = "let the source forget a commit before it is in the log"
    TELL_FIRST = "tell of a heartbeat before what came before it is in the log"
    BEAT_AT_ARRIVAL = "count a heartbeat from when it was read"
    CLOCK_AFTER = "ask the clock after the heartbeat was written"
    NO_HEARTBEAT = "answer whatever the heartbeats say"
    FROM_REPLY = "count how late the source is from when the renewal was answered"
    NO_TAIL = "believe a renewal before everything up to its tail was applied"
    BORN_AFTER = "take the birth when the response has arrived"
    INVISIBLE = "place a commit before it is visible"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may happen, and how often."""

    ticks: int
    beats: int
    renewals: int
    deaths: int = 0


class Renewal(NamedTuple):
    """A renewal under way; `tail` is set once Redis has carried it out, with how long ago all was known then."""

    sent_at: int
    tail: int | None = None
    age: int | None = None


class Reader(NamedTuple):
    """The process that reads: `clock` is what it was told last, `placing` says that it has read the commit."""

    at: int = 0
    clock: int | None = None
    placing: bool = False
    heard: int | None = None
    untold: int | None = None


class State(NamedTuple):
    """Everything. `granted` is word of the source that waits until its tail is applied."""

    now: int = 0
    committed: bool = False
    visible_at: int | None = None
    stream: tuple[int, ...] = ()
    confirmed: int = 0
    beats: int = 0
    deaths: int = 0
    reader: Reader = Reader()
    log: int = 0
    told: int | None = None
    renewal: Renewal | None = None
    renewals: int = 0
    applied: int = 0
    as_of: int | None = None
    granted: tuple[int, int] | None = None
    born: int | None = None
    fetched: int | None = None
    entry: tuple[int, int] | None = None

    def to(self, **changes: object) -> State:
        """As `_replace`, in half its time: millions are made."""
        values: list[object] = [*self]
        for name, value in changes.items():
            values[_PLACES[name]] = value
        return tuple.__new__(State, values)


_PLACES: Final = {name: place for place, name in enumerate(State._fields)}


def steps(state: State, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    """Every state that one step leads to."""
    if state.now < bounds.ticks:
        yield state.to(now=state.now + 1)
    if not state.committed:
        yield state.to(committed=True, stream=(*state.stream, COMMIT))
    elif state.visible_at is None:
        yield state.to(visible_at=state.now)
    yield from _read(state, bounds, mutation)
    yield from _renew(state, bounds, mutation)
    yield from _fetch(state, mutation)
    if state.deaths < bounds.deaths:
        yield state.to(deaths=state.deaths + 1, reader=Reader(at=state.confirmed))


def violates(state: State, mutation: Mutation) -> bool:
    """What was read before the commit is served later after it than the source may be late."""
    if state.entry is None or state.visible_at is None:
        return False
    version, born = state.entry
    late = state.as_of is None or state.now - state.as_of > LAG
    if version or state.applied > born or (late and mutation is not Mutation.NO_HEARTBEAT):
        return False
    return state.now - state.visible_at > LAG


def _read(state: State, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    reader = state.reader
    if reader.clock != state.now and state.beats < bounds.beats:
        yield state.to(reader=reader._replace(clock=state.now))
    if reader.clock is not None and state.beats < bounds.beats:
        moment = state.now if mutation is Mutation.CLOCK_AFTER else reader.clock
        if mutation is Mutation.CLOCK_AFTER and reader.clock == state.now:
            moment = state.now + 1  # it was written then, and the clock asked a moment later
        yield state.to(stream=(*state.stream, moment), beats=state.beats + 1)
    if reader.placing and mutation is Mutation.CONFIRM_FIRST and state.confirmed < reader.at:
        yield state.to(confirmed=reader.at)
    if reader.placing and (state.visible_at is not None or mutation is Mutation.INVISIBLE):
        yield state.to(
            log=state.log + 1,
            confirmed=max(state.confirmed, reader.at),
            reader=reader._replace(placing=False, untold=reader.heard, heard=None),
        )
    elif not reader.placing and reader.untold is not None:
        yield state.to(told=max(state.told or 0, reader.untold), reader=reader._replace(untold=None))
    if reader.at < len(state.stream):
        yield from _next(state, state.stream[reader.at], mutation)


def _next(state: State, item: int, mutation: Mutation) -> Iterator[State]:
    """Read the next item; a heartbeat that comes while a commit is being placed waits until it is."""
    reader = state.reader._replace(at=state.reader.at + 1)
    if item == COMMIT:
        if not reader.placing:
            yield state.to(reader=reader._replace(placing=True))
        return
    moment = state.now if mutation is Mutation.BEAT_AT_ARRIVAL else item
    if reader.placing and mutation is not Mutation.TELL_FIRST:
        yield state.to(reader=reader._replace(heard=moment))
    elif mutation is Mutation.TELL_FIRST:
        yield state.to(told=max(state.told or 0, moment), reader=reader)
    else:
        yield state.to(confirmed=reader.at, reader=reader._replace(untold=moment))


def _renew(state: State, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    renewal = state.renewal
    if renewal is None and state.renewals < bounds.renewals:
        yield state.to(renewal=Renewal(state.now), renewals=state.renewals + 1)
    if renewal is not None and renewal.tail is None:
        age = None if state.told is None else max(0, state.now - state.told)
        yield state.to(renewal=Renewal(renewal.sent_at, state.log, age))
    if renewal is not None and renewal.tail is not None:
        counted_from = state.now if mutation is Mutation.FROM_REPLY else renewal.sent_at
        granted = None if renewal.age is None else (renewal.tail, counted_from - renewal.age)
        yield _believed(state.to(renewal=None, granted=granted), mutation)
    if state.applied < state.log:
        yield _believed(state.to(applied=state.applied + 1), mutation)


def _believed(state: State, mutation: Mutation) -> State:
    """Word of the source counts once what it brought was applied."""
    if state.granted is None or (state.granted[0] > state.applied and mutation is not Mutation.NO_TAIL):
        return state
    return state.to(as_of=state.granted[1], granted=None)


def _fetch(state: State, mutation: Mutation) -> Iterator[State]:
    version = int(state.visible_at is not None)
    if state.born is None:
        yield state.to(born=state.applied)
    elif state.fetched is None:
        yield state.to(fetched=version)
    elif state.entry is None:
        yield state.to(entry=(state.fetched, state.applied if mutation is Mutation.BORN_AFTER else state.born))
