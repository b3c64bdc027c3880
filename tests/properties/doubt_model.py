"""Writes in doubt as a small machine: holds in a log, two nodes that apply it, a commit that comes late.

A write is given up, its hold is opened, its client is told. The backend carries it out before the bound
 has passed.
Nodes A and B apply the log at their own pace; a node that has not applied the opening has no lease by the time that the
client is told (Lemma 2, which has a model of its own). B fetches and stores at any time, twice. A, which has opened the
hold, may stop. Time moves in ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

SETTLES = 2
OPEN, CLOSE = "open", "close"


class Mutation(Enum):
    """One rule of the protocol left out or changed."""

    NONE = "none"
    NO_HOLD = "invalidate once and hold nothing"
    NO_REPEAT = "end the hold without repeating the event"
    EARLY_CLOSE = "close before the bound"
    OWN_TIMER = "the node that opened the hold alone closes it, and forgets it when it stops"
    FORGET_ON_STOP = "a node that stops takes its holds with it"
    NEWCOMER_BLIND = "a node that joins is not told of holds"
    CLOSE_ANY = "a closing event ends also a hold that was opened after it"


class Entry(NamedTuple):
    """What a node has stored: which version, and its birth."""

    version: int
    born: int


class Node(NamedTuple):
    """What a node has applied, the position that opened its hold or 0, and the last event that named the entry."""

    applied: int = 0
    held: int = 0
    last: int = 0


class State(NamedTuple):
    """Everything. `given_up` counts writes given up, `told` whether their client knows, `ends` when the hold ends."""

    now: int = 0
    log: tuple[str, ...] = ()
    nodes: tuple[Node, Node] = (Node(), Node())
    given_up: int = 0
    told: bool = False
    due: int = 0
    ends: int | None = None
    version: int = 0
    born: int | None = None
    fetched: int | None = None
    entry: Entry | None = None
    fetches: int = 0
    stopped: bool = False
    rejoined: bool = False


def steps(state: State, ticks: int, mutation: Mutation) -> Iterator[State]:
    """Every state that one step leads to."""
    if state.now < ticks and not _late(state):
        yield state._replace(now=state.now + 1)
    yield from _write(state, mutation)
    for number in (0, 1):
        if state.nodes[number].applied < len(state.log):
            yield _put(state, number, _applied(state, state.nodes[number], mutation))
    yield from _fetch(state)
    yield from _close(state, mutation)
    if not state.stopped and state.told:
        forgets = mutation in (Mutation.FORGET_ON_STOP, Mutation.OWN_TIMER)
        yield state._replace(stopped=True, ends=None if forgets else state.ends)
    if not state.rejoined and state.told:
        yield _rejoin(state, mutation)


def _late(state: State) -> bool:
    """The backend ends each write within its bound: time waits for it."""
    return state.version < state.given_up and state.now >= state.due


def _write(state: State, mutation: Mutation) -> Iterator[State]:
    if state.given_up < 2 and state.version == state.given_up and not state.stopped:
        log = (*state.log, OPEN)
        ends = 0 if mutation is Mutation.EARLY_CLOSE else SETTLES
        yield state._replace(
            given_up=state.given_up + 1,
            told=False,
            log=log,
            due=state.now + SETTLES - 1,
            ends=max(state.ends or 0, state.now + ends),
        )
    if state.given_up and not state.told and all(_knows(node, state) for node in state.nodes):
        yield state._replace(told=True)
    if state.version < state.given_up:
        yield state._replace(version=state.version + 1)


def _knows(node: Node, state: State) -> bool:
    opened = max(place for place, event in enumerate(state.log, 1) if event == OPEN)
    return node.applied >= opened


def _applied(state: State, node: Node, mutation: Mutation) -> Node:
    place = node.applied + 1
    if state.log[place - 1] == OPEN:
        held = 0 if mutation is Mutation.NO_HOLD else place
        return Node(place, held, place)
    # With CLOSE_ANY a node that knows of an opening further on (it is its own) ends that as well.
    reaches = len(state.log) if mutation is Mutation.CLOSE_ANY else place
    later = [at for at, event in enumerate(state.log, 1) if event == OPEN and place < at <= reaches]
    skipped = place if not later else later[-1]
    last = node.last if mutation is Mutation.NO_REPEAT else place
    return Node(skipped, 0, last) if later else Node(place, 0, last)


def _close(state: State, mutation: Mutation) -> Iterator[State]:
    alone = mutation is Mutation.OWN_TIMER and state.stopped
    if state.ends is not None and state.now >= state.ends and not alone:
        yield state._replace(log=(*state.log, CLOSE), ends=None)
    if mutation in (Mutation.FORGET_ON_STOP, Mutation.OWN_TIMER) and state.stopped and state.log[-1:] == (OPEN,):
        yield state._replace(log=(*state.log, CLOSE))


def _fetch(state: State) -> Iterator[State]:
    if state.born is None and state.fetches < 2:
        yield state._replace(born=state.nodes[1].applied, fetches=state.fetches + 1)
    elif state.born is not None and state.fetched is None:
        yield state._replace(fetched=state.version)
    elif state.born is not None and state.fetched is not None:
        yield state._replace(entry=Entry(state.fetched, state.born), born=None, fetched=None)


def _rejoin(state: State, mutation: Mutation) -> State:
    """B starts again: it knows the position, and the hold that Redis names. The entry is in the shared store."""
    held = len(state.log) if state.ends is not None and mutation is not Mutation.NEWCOMER_BLIND else 0
    last = max((place for place, _ in enumerate(state.log, 1)), default=0)
    return _put(state, 1, Node(len(state.log), held, last))._replace(rejoined=True)


def violates(state: State) -> bool:
    """The client of every write was told, each was carried out, and a node would serve what is older."""
    entry = state.entry
    if not state.told or entry is None or entry.version >= state.version:
        return False
    return any(not node.held and node.last <= entry.born for node in state.nodes)


def _put(state: State, number: int, node: Node) -> State:
    return state._replace(nodes=(node, state.nodes[1]) if number == 0 else (state.nodes[0], node))
