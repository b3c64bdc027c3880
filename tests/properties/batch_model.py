"""Batches of a shared limit as a small machine: every order of its steps can be tried.

Two nodes take batches of one bucket, spend them, and give back what is left, at any time after. Calls are sent, carried
out and answered in three steps; answers and calls may be lost, and calls to give back carried out twice and late. Redis
may be emptied, and its clock set forward or back. Time moves in ticks; in one the bucket works off one request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tests.support.buckets import Bucket, admit, give_back, opened
from veneer.core.rate import RateLimit
from veneer.limits.held_batches import BatchTicket

START = 1_000
"""What Redis' clock says at first."""


class Mutation(Enum):
    """One rule of the protocol left out or changed."""

    NONE = "none"
    NOT_COUNTED = "spend a batch that was asked for, before Redis has counted it"
    NO_LIFE = "spend a batch for ever"
    LIFE_FROM_REPLY = "count the life of a batch from when it was answered"
    SPEND_ON = "go on spending what was given back"
    WORKED_OFF_TOO = "give back also what is worked off"
    IN_PLACE = "do not notice that what was given back has moved the batch up"
    TWICE = "take back again what is given back twice"
    ANY_LIFE = "take back what an earlier life of the bucket has granted"
    KEEP = "give nothing back"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may happen, and how often. `wants` are the sizes of the batches that each node may ask for, `life` theirs.

    Where all is `prompt`, time waits until calls are answered and expired batches given back, and nothing is lost.
    `step` is by how much Redis' clock is set once.
    """

    ticks: int
    wants: tuple[tuple[int, ...], tuple[int, ...]]
    life: int = 2
    burst: int = 4
    prompt: bool = False
    repeats: bool = False
    empties: bool = False
    step: int = 0

    @property
    def limit(self) -> RateLimit:
        """An interval is a microsecond, and that is a tick."""
        return _LIMITS[self.burst]


_LIMITS = {burst: RateLimit("p", 10, 1e-5, burst) for burst in range(1, 10)}


class Call(NamedTuple):
    """A batch that was asked for; `granted` is set once Redis has carried it out."""

    sent_at: int
    granted: int | None = None
    ticket: BatchTicket = BatchTicket(0, 0, 0)


class Held(NamedTuple):
    """What a node may spend."""

    left: int
    until: int
    ticket: BatchTicket
    given: bool = False


class Returned(NamedTuple):
    """What is on its way back; it is carried out once, or twice."""

    unspent: int
    ticket: BatchTicket
    repeated: bool = False


class Node(NamedTuple):
    """One node."""

    call: Call | None = None
    held: Held | None = None
    takes: int = 0


class State(NamedTuple):
    """Everything. `admitted` counts requests by tick; `spent_at_us` is the bucket if each counted when it was spent."""

    now: int = 0
    redis_us: int = START
    bucket: Bucket = Bucket()
    nodes: tuple[Node, Node] = (Node(), Node())
    returned: tuple[Returned, ...] = ()
    admitted: tuple[int, ...] = (0,)
    spent: Bucket = Bucket()
    stepped: int | None = None
    emptied: int | None = None


def steps(state: State, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    """Every state that one step leads to."""
    if state.now < bounds.ticks and not (bounds.prompt and _hurried(state)):
        yield state._replace(now=state.now + 1, redis_us=state.redis_us + 1, admitted=(*state.admitted, 0))
    for number, node in enumerate(state.nodes):
        yield from _take(state, number, node, bounds, mutation)
        if node.held is not None:
            yield from _hold(state, number, node, node.held, bounds, mutation)
    for place, one in enumerate(state.returned):
        yield from _give_back(state, place, one, bounds, mutation)
    if bounds.step and state.stepped is None:
        yield state._replace(stepped=state.now, redis_us=state.redis_us + bounds.step)
    if bounds.empties and state.emptied is None:
        yield state._replace(emptied=state.now, bucket=Bucket())


def too_many(state: State, bounds: Bounds) -> bool:
    """More was admitted in some window than burst and quota, and what the bucket works off in one life."""
    for start in range(len(state.admitted)):
        for end in range(start, len(state.admitted)):
            allowed = bounds.burst + (end - start) + bounds.life - 1
            # What is spent in the window was counted less than one life before it, or in it.
            if state.emptied is not None and start - bounds.life < state.emptied <= end:
                allowed += bounds.burst
            if state.stepped is not None and start - bounds.life < state.stepped <= end:
                allowed += max(0, bounds.step)
            if sum(state.admitted[start : end + 1]) > allowed:
                return True
    return False


def too_few(state: State, bounds: Bounds) -> bool:
    """More counts as sent than was sent, beyond what nodes hold and what the bucket works off in one life."""
    outstanding = sum(one.unspent for one in state.returned)
    for node in state.nodes:
        outstanding += 0 if node.held is None else node.held.left
        outstanding += 0 if node.call is None else node.call.granted or 0
    counted = opened(state.bucket, bounds.limit, state.redis_us)[1]
    return counted - outstanding - opened(state.spent, bounds.limit, state.redis_us)[1] > bounds.life


def _hurried(state: State) -> bool:
    expired = any(node.held is not None and state.now >= node.held.until for node in state.nodes)
    return expired or bool(state.returned) or any(node.call is not None for node in state.nodes)


def _take(state: State, number: int, node: Node, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    call = node.call
    if call is None:
        if node.held is None and node.takes < len(bounds.wants[number]):
            sent = Node(Call(state.now), None, node.takes + 1)
            if mutation is Mutation.NOT_COUNTED:
                sent = sent._replace(held=Held(1, state.now + bounds.life, BatchTicket(0, 0, 0)))
            yield _put(state, number, sent)
    elif call.granted is None:
        bucket, answer = admit(state.bucket, bounds.limit, state.redis_us, bounds.wants[number][node.takes - 1])
        done = node._replace(call=Call(call.sent_at, answer.granted, answer.ticket))
        after = _put(state._replace(bucket=bucket), number, done)
        yield _spent(after, bounds) if answer.granted else after  # the request that has asked
    else:
        left = call.granted - 1 - (mutation is Mutation.NOT_COUNTED)
        life_from = state.now if mutation is Mutation.LIFE_FROM_REPLY else call.sent_at
        held = Held(left, life_from + bounds.life, call.ticket) if left > 0 else None
        yield _put(state, number, node._replace(call=None, held=held))
        if not bounds.prompt:
            yield _put(state, number, node._replace(call=None))


def _hold(state: State, number: int, node: Node, held: Held, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    expired = state.now >= held.until
    if not expired or mutation is Mutation.NO_LIFE:
        rest = held._replace(left=held.left - 1)
        yield _spent(_put(state, number, node._replace(held=rest if rest.left else None)), bounds)
    if expired and mutation is Mutation.KEEP:
        yield _put(state, number, node._replace(held=None))
    elif (expired or mutation is Mutation.SPEND_ON) and not held.given:
        kept = held._replace(given=True) if mutation is Mutation.SPEND_ON else None
        given = state._replace(returned=tuple(sorted((*state.returned, Returned(held.left, held.ticket)))))
        yield _put(given, number, node._replace(held=kept))


def _give_back(state: State, place: int, one: Returned, bounds: Bounds, mutation: Mutation) -> Iterator[State]:
    others = state.returned[:place] + state.returned[place + 1 :]
    before, ticket = state.bucket, one.ticket
    if mutation is Mutation.WORKED_OFF_TOO:
        ticket = ticket._replace(whole_at_us=ticket.whole_at_us + 1_000)
    elif mutation is Mutation.IN_PLACE:
        ticket = ticket._replace(returned_us=before.returned_us)
    elif mutation is Mutation.TWICE:
        before = before._replace(batches=",")
    elif mutation is Mutation.ANY_LIFE:
        ticket = ticket._replace(since_us=opened(before, bounds.limit, state.redis_us)[0].since_us)
    bucket, _ = give_back(before, bounds.limit, state.redis_us, one.unspent, ticket)
    yield state._replace(bucket=bucket, returned=others)
    if bounds.repeats and not one.repeated:
        again = tuple(sorted((*others, one._replace(repeated=True))))
        yield state._replace(bucket=bucket, returned=again)
    if not bounds.prompt:
        yield state._replace(returned=others)


def _spent(state: State, bounds: Bounds) -> State:
    """One request is admitted now."""
    spent, backlog = opened(state.spent, bounds.limit, state.redis_us)
    after = spent._replace(whole_at_us=state.redis_us + backlog + bounds.limit.interval_us)
    return state._replace(admitted=(*state.admitted[:-1], state.admitted[-1] + 1), spent=after)


def _put(state: State, number: int, node: Node) -> State:
    return state._replace(nodes=(node, state.nodes[1]) if number == 0 else (state.nodes[0], node))
