"""The protocol of the shared log as a small machine: every order of its steps can be tried.

Two nodes, A and B. A sends one write on; B fetches what the write changes, at any time, and stores it where both look.
Leases are renewed in three steps (sent, carried out, answered), B may be stopped and continued, Redis may be restarted.
Time moves in ticks. Every event names the entry, so it is dead where one after its birth was applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

LEASE = 1
A, B = 0, 1


class Mutation(Enum):
    """One rule of the protocol left out or changed."""

    NONE = "none"
    NO_LEASE = "serve without a lease"
    NO_WAIT = "release the answer without waiting"
    LEASE_FROM_REPLY = "count the lease from when its renewal was answered"
    NO_TAIL = "use a lease before everything up to its tail was applied"
    BORN_AFTER = "take the birth when the response has arrived"
    ACKNOWLEDGE_FIRST = "acknowledge before applying"
    SAME_EPOCH = "go on in the same epoch after a restart of Redis"
    NO_QUARANTINE = "do not wait for leases of the epoch before"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may happen, and how often; `renewals` are those of A and of B."""

    ticks: int
    renewals: tuple[int, int]
    pause: bool = False
    restart: bool = False


class Renewal(NamedTuple):
    """A renewal under way; `tail` is set once Redis has carried it out."""

    sent_at: int
    epoch: int = 0
    tail: int | None = None


class Node(NamedTuple):
    """What a node knows. `early` is its own event, known before its log brings it."""

    epoch: int = 0
    applied: int = 0
    until: int = LEASE
    renewal: Renewal | None = None
    renewals: int = 0
    early: tuple[int, int] | None = None
    acknowledged: tuple[int, int] = (0, 0)


class Entry(NamedTuple):
    """What was stored: which version, and its birth."""

    version: int
    epoch: int
    born: int


class State(NamedTuple):
    """Everything. `writing`: 0 not begun, 1 carried out, 2 in the log, 3 answered. `born` is the fetch's."""

    now: int = 0
    epoch: int = 0
    began: int = -LEASE
    log: int = 0
    expires: tuple[int | None, int | None] = (LEASE, LEASE)
    nodes: tuple[Node, Node] = (Node(), Node())
    writing: int = 0
    place: tuple[int, int] = (0, 0)
    deadline: int = 0
    hidden: int = 0
    version: int = 0
    born: tuple[int, int] | None = None
    fetched: int | None = None
    entry: Entry | None = None
    paused: int = 0
    restarted: bool = False


def steps(state: State, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    """Every state that one step leads to."""
    if state.now < bounds.ticks:
        yield state._replace(now=state.now + 1)
    yield from _write(state, mutation)
    for number in (A, B):
        yield from _renew(state, number, bounds, mutation)
    if state.paused != 1:
        yield from _fetch(state, mutation)
    if bounds.pause and state.paused < 2:
        yield state._replace(paused=state.paused + 1)
    if bounds.restart and not state.restarted:
        yield _restart(state, mutation)


def violates(state: State, mutation: Mutation) -> bool:
    """The write was answered, and a node would still serve what is older."""
    entry = state.entry
    if state.writing < 3 or entry is None or entry.version:
        return False
    return any(_serves(state, number, entry, mutation) for number in (A, B) if number == A or state.paused != 1)


def _serves(state: State, number: int, entry: Entry, mutation: Mutation) -> bool:
    node = state.nodes[number]
    if mutation is not Mutation.NO_LEASE and state.now >= node.until:
        return False
    if entry.epoch != node.epoch or node.applied > entry.born:
        return False
    return not (node.early is not None and node.early[0] == entry.epoch and node.early[1] > entry.born)


def _bury(state: State, own: int) -> State:
    other = 1 - own
    expires = state.expires[other]
    if expires is None or expires > state.now:
        return state
    return state._replace(log=state.log + 1, expires=_put(state.expires, other, None))


def _write(state: State, mutation: Mutation) -> Iterator[State]:
    if state.writing == 0:
        yield state._replace(writing=1, version=1)
    elif state.writing == 1:
        buried = _bury(state, A)
        seq = buried.log + 1
        left = buried.expires[B]
        waits = [state.now if left is None else min(left, state.now + LEASE)]
        if mutation is not Mutation.NO_QUARANTINE:
            waits.append(min(buried.began, state.now) + LEASE)
        known = buried.nodes[A]._replace(early=(buried.epoch, seq))
        yield buried._replace(
            writing=2,
            log=seq,
            place=(buried.epoch, seq),
            deadline=max(waits),
            hidden=max(waits[1:], default=0),
            nodes=(known, buried.nodes[B]),
        )
    elif state.writing == 2:
        acknowledged = state.nodes[B].acknowledged >= state.place and state.now >= state.hidden
        if mutation is Mutation.NO_WAIT or acknowledged or state.now >= state.deadline:
            yield state._replace(writing=3)


def _renew(state: State, number: int, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    node = state.nodes[number]
    runs = number == A or state.paused != 1
    if node.renewal is not None and node.renewal.tail is None:
        buried = _bury(state, number)
        carried_out = node._replace(renewal=Renewal(node.renewal.sent_at, buried.epoch, buried.log))
        expires = _put(buried.expires, number, state.now + LEASE)
        yield _with(buried, number, carried_out)._replace(expires=expires)
    if not runs:
        return
    if node.renewal is None and node.renewals < bounds.renewals[number]:
        yield _with(state, number, node._replace(renewal=Renewal(state.now), renewals=node.renewals + 1))
    if node.renewal is not None and node.renewal.tail is not None:
        yield _with(state, number, _granted(node, node.renewal, state.now, mutation))
    if node.epoch == state.epoch and node.applied < state.log:
        yield _with(state, number, _told(node._replace(applied=node.applied + 1)))
        if mutation is Mutation.ACKNOWLEDGE_FIRST:
            yield _with(state, number, node._replace(acknowledged=(node.epoch, node.applied + 1)))


def _granted(node: Node, renewal: Renewal, now: int, mutation: Mutation) -> Node:
    counted_from = now if mutation is Mutation.LEASE_FROM_REPLY else renewal.sent_at
    tail = renewal.tail or 0
    if renewal.epoch != node.epoch:
        return _told(Node(renewal.epoch, tail, counted_from + LEASE, None, node.renewals, node.early))
    applied = node.applied if mutation is Mutation.NO_TAIL else max(node.applied, tail)
    until = max(node.until, counted_from + LEASE)
    return _told(node._replace(renewal=None, until=until, applied=applied))


def _told(node: Node) -> Node:
    return node._replace(acknowledged=max(node.acknowledged, (node.epoch, node.applied)))


def _fetch(state: State, mutation: Mutation) -> Iterator[State]:
    node = state.nodes[B]
    if state.born is None:
        yield state._replace(born=(node.epoch, node.applied))
    elif state.fetched is None:
        yield state._replace(fetched=state.version)
    elif state.entry is None:
        epoch, born = (node.epoch, node.applied) if mutation is Mutation.BORN_AFTER else state.born
        yield state._replace(entry=Entry(state.fetched, epoch, born))


def _restart(state: State, mutation: Mutation) -> State:
    """Redis comes back without the nodes; the next script finds that out and begins an epoch."""
    forgotten = state._replace(restarted=True, expires=(None, None))
    if mutation is Mutation.SAME_EPOCH:
        return forgotten._replace(log=0)
    return forgotten._replace(epoch=state.epoch + 1, began=state.now, log=0)


def _with(state: State, number: int, node: Node) -> State:
    return state._replace(nodes=(node, state.nodes[B]) if number == A else (state.nodes[A], node))


def _put(pair: tuple[int | None, int | None], number: int, value: int | None) -> tuple[int | None, int | None]:
    return (value, pair[1]) if number == 0 else (pair[0], value)
