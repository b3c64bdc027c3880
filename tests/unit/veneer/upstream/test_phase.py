"""A connection goes the ways of its table, all of them, and no others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import pytest

from tests.support.diagrams import drawn, state_diagram
from veneer.core.messages import ResponseHead
from veneer.loop.batched_writes import WriteBatch
from veneer.ports import FirstBytesHandler, UpstreamError, UpstreamFailure
from veneer.upstream.buffer import ReadBuffer
from veneer.upstream.connection import Connection, ConnectionOwner
from veneer.upstream.phase import ENDED, TRANSITIONS, UNDER_WAY, ExchangeEvent, ExchangePhase, PhaseError
from veneer.upstream.settings import Endpoint, PoolSettings

P, E = ExchangePhase, ExchangeEvent
EVERY = [(phase, event) for phase in P for event in E]
ALLOWED = [(phase, event) for phase, event in EVERY if event in TRANSITIONS[phase]]


class Transport(asyncio.Transport):
    """One that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Owner(ConnectionOwner):
    """Takes connections back as a pool does."""

    def closed(self, connection: Connection) -> None:
        pass

    def released(self, connection: Connection, reusable: bool) -> None:
        connection.finish()


def opened() -> Connection:
    """A connection whose transport is still to come."""
    loop = asyncio.get_running_loop()
    settings = PoolSettings(Endpoint.parse("http://site"))
    return Connection(settings, loop, WriteBatch(loop.call_soon), ReadBuffer(), Owner())


BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"


def respond(connection: Connection) -> None:
    """What is left of a response."""
    connection.data_received(WHOLE if connection.parser.final is None else b"llo")


ACTS: dict[ExchangeEvent, Callable[[Connection], object]] = {
    E.CONNECTED: lambda connection: connection.connection_made(Transport()),
    E.REQUEST_BEGUN: lambda connection: connection.start(b"x", upgrading=True, whole=False),
    E.REQUEST_WRITTEN: lambda connection: connection.start(b"x", upgrading=True),
    E.REQUEST_ENDED: Connection.request_sent,
    E.HEAD: lambda connection: connection.data_received(BODY),
    E.RESPONSE_ENDED: respond,
    E.SWITCHED: lambda connection: connection.data_received(SWITCHED),
    E.RELEASED: Connection.finish,
    E.EOF: Connection.eof_received,
    E.ABORTED: Connection.abort,
    E.LOST: lambda connection: connection.connection_lost(None),
}
"""How each event comes about."""


def paths() -> dict[ExchangePhase, list[ExchangeEvent]]:
    """The shortest way to each phase."""
    found: dict[ExchangePhase, list[ExchangeEvent]] = {P.CONNECTING: []}
    left = deque([P.CONNECTING])
    while left:
        phase = left.popleft()
        for event, following in TRANSITIONS[phase].items():
            if following not in found:
                found[following] = [*found[phase], event]
                left.append(following)
    return found


def brought(phase: ExchangePhase) -> Connection:
    connection = opened()
    for event in paths()[phase]:
        ACTS[event](connection)
    assert connection.phase is phase
    return connection


def test_every_phase_can_be_reached_and_left() -> None:
    assert paths().keys() == TRANSITIONS.keys() == set(P)
    assert ENDED.isdisjoint(UNDER_WAY)
    assert all(E.LOST in TRANSITIONS[phase] for phase in P if phase is not P.CLOSED)


@pytest.mark.parametrize(("phase", "event"), ALLOWED, ids=lambda one: one.value)
async def test_what_happens_leads_where_the_table_says(phase: ExchangePhase, event: ExchangeEvent) -> None:
    connection = brought(phase)
    ACTS[event](connection)
    assert connection.phase is TRANSITIONS[phase][event]


@pytest.mark.parametrize(("phase", "event"), sorted(set(EVERY) - set(ALLOWED), key=str), ids=lambda one: one.value)
async def test_nothing_else_can_happen(phase: ExchangePhase, event: ExchangeEvent) -> None:
    connection = brought(phase)
    with pytest.raises(PhaseError, match=event.value):
        connection._move(event)
    assert connection.phase is phase


@pytest.mark.parametrize("phase", sorted(ENDED, key=str), ids=lambda phase: phase.value)
async def test_nothing_is_sent_over_a_connection_that_has_ended(phase: ExchangePhase) -> None:
    connection = brought(phase)
    assert not connection.usable()
    with pytest.raises(UpstreamError) as caught:
        connection.start(b"x")
    assert (caught.value.failure, caught.value.sent) == (UpstreamFailure.RESET, False)


@pytest.mark.parametrize("phase", sorted(UNDER_WAY, key=str), ids=lambda phase: phase.value)
async def test_who_waits_is_told_of_a_connection_that_is_lost(phase: ExchangePhase) -> None:
    connection = brought(phase)
    waiting = connection.wait_for_progress()
    connection.connection_lost(None)
    assert waiting.done()
    with pytest.raises(UpstreamError):
        connection.check()


@pytest.mark.parametrize("phase", [P.IDLE, P.WHOLE, P.WHOLE_EARLY], ids=lambda phase: phase.value)
async def test_a_connection_that_owes_nothing_is_lost_without_an_error(phase: ExchangePhase) -> None:
    connection = brought(phase)
    connection.connection_lost(None)
    connection.check()


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    connection = brought(P.IDLE)
    connection.data_received(WHOLE)
    assert connection.phase is P.CLOSING
    assert cast("Transport", connection.transport).aborted


async def test_only_a_connection_that_is_whole_is_reusable() -> None:
    assert [phase for phase in P if brought(phase).reusable] == [P.WHOLE]


class Taker(FirstBytesHandler):
    """Takes the first bytes."""

    def take(self, raw: bytes) -> bool:
        return raw == WHOLE

    def pass_on(self) -> None:
        self.passed_on = True

    def interim(self, head: ResponseHead) -> None:
        pass


@pytest.mark.parametrize(("data", "phase"), [(WHOLE, P.IDLE), (BODY, P.RECEIVING)])
async def test_a_response_is_taken_at_once_or_read(data: bytes, phase: ExchangePhase) -> None:
    connection, taker = brought(P.IDLE), Taker()
    connection.start(b"x", first=taker)
    connection.data_received(data)
    assert connection.phase is phase
    assert hasattr(taker, "passed_on") is (data is BODY)


def test_the_page_draws_the_table() -> None:
    assert drawn("architecture.md", "The states of a backend connection") == state_diagram(P.CONNECTING, TRANSITIONS)
