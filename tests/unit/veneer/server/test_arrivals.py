"""Requests of one turn are foreseen together, answered in order, and lost by nothing that comes in between."""

from __future__ import annotations

import asyncio

from tests.unit.veneer.server.front_row import FrontRow
from veneer.server.arrivals import MAX_BATCH


async def test_one_request_alone_is_answered_at_the_end_of_the_turn() -> None:
    row = FrontRow()
    (one,) = row.connections(1)
    one.data_received(b"a")
    assert row.events == []
    assert row.end_turn() == ["asked a", "sent A"]


async def test_those_of_a_turn_are_foreseen_together_then_answered_then_sent() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    for _ in range(2):
        other.data_received(b"b")
        one.data_received(b"a")
        assert row.end_turn() == ["foreseen b a", "asked b", "asked a", "sent B", "sent A"]


async def test_many_do_not_wait_for_the_end_of_the_turn() -> None:
    row = FrontRow()
    connections = row.connections(MAX_BATCH + 1)
    for connection in connections[:-1]:
        assert row.events == []
        connection.data_received(b"a")
    assert [event for event in row.events if event.startswith("asked")] == ["asked a"] * MAX_BATCH
    connections[-1].data_received(b"z")
    assert row.end_turn()[-2:] == ["asked z", "sent Z"]


async def test_what_comes_in_two_pieces_in_one_turn_is_one() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"a")
    other.data_received(b"b")
    one.data_received(b"c")
    assert row.end_turn() == ["foreseen ac b", "asked ac", "asked b", "sent AC", "sent B"]


async def test_what_nobody_answers_quickly_goes_behind_at_the_end_of_the_turn_and_the_rest_of_it_at_once() -> None:
    row = FrontRow()
    connection, behind = row.connection()
    connection.data_received(b"not a")
    assert behind.taken == []
    row.end_turn()
    connection.data_received(b"rest")
    assert behind.taken == [b"not a", b"rest"]


async def test_the_end_of_the_stream_does_not_overtake_a_request() -> None:
    row = FrontRow()
    connection, behind = row.connection()
    connection.data_received(b"a")
    connection.eof_received()
    assert behind.ended
    assert row.events == ["asked a", "sent A"]
    assert row.end_turn() == ["asked a", "sent A"]


async def test_a_request_that_came_before_the_proxy_stops_is_answered() -> None:
    row = FrontRow()
    connection, behind = row.connection()
    connection.data_received(b"a")
    connection.close()
    behind.idle = False
    connection.data_received(b"b")
    assert row.end_turn() == ["asked a", "sent A"]
    assert behind.taken == [b"b"]


async def test_a_connection_that_is_lost_is_asked_nothing_and_the_others_are() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"a")
    other.data_received(b"b")
    one.connection_lost(None)
    assert row.end_turn() == ["foreseen b", "asked b", "sent B"]


async def test_an_error_of_our_own_ends_its_connection_and_no_other() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"fail")
    other.data_received(b"b")
    assert row.end_turn() == ["foreseen fail b", "aborted", "asked b", "sent B"]
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_a_connection_is_in_use_from_the_moment_that_a_request_arrives() -> None:
    row = FrontRow()
    (one,) = row.connections(1)
    assert one.last_activity_s == 0
    one.data_received(b"a")
    assert one.last_activity_s > 0
