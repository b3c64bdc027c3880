"""Requests of one iteration are shown together, answered in order, and lost by nothing that comes in between."""

from __future__ import annotations

import asyncio

from tests.unit.veneer.server.front_row import FrontRow
from veneer.server.batching import MAX_BATCH


async def test_one_request_alone_is_answered_at_the_end_of_the_iteration() -> None:
    row = FrontRow()
    (one,) = row.connections(1)
    one.data_received(b"GET a")
    assert row.events == []
    assert row.end_iteration() == ["asked GET a", "sent GET A"]


async def test_those_of_an_iteration_are_shown_together_then_answered_then_sent() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    for _ in range(2):
        other.data_received(b"GET b")
        one.data_received(b"GET a")
        assert row.end_iteration() == ["shown GET b GET a", "asked GET b", "asked GET a", "sent GET B", "sent GET A"]


async def test_many_do_not_wait_for_the_end_of_the_iteration() -> None:
    row = FrontRow()
    connections = row.connections(MAX_BATCH + 1)
    for connection in connections[:-1]:
        assert row.events == []
        connection.data_received(b"GET a")
    assert [event for event in row.events if event.startswith("asked")] == ["asked GET a"] * MAX_BATCH
    connections[-1].data_received(b"GET z")
    assert row.end_iteration()[-2:] == ["asked GET z", "sent GET Z"]


async def test_what_comes_in_two_pieces_in_one_iteration_is_one() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"GET a")
    other.data_received(b"GET b")
    one.data_received(b"c")
    assert row.end_iteration() == ["shown GET ac GET b", "asked GET ac", "asked GET b", "sent GET AC", "sent GET B"]


async def test_what_nobody_answers_at_once_goes_to_the_fallback_and_the_rest_of_it_too() -> None:
    row = FrontRow()
    connection, fallback = row.connection()
    connection.data_received(b"GET not a")
    assert fallback.taken == []
    row.end_iteration()
    connection.data_received(b"rest")
    assert fallback.taken == [b"GET not a", b"rest"]


async def test_the_end_of_the_stream_does_not_overtake_a_request() -> None:
    row = FrontRow()
    connection, fallback = row.connection()
    connection.data_received(b"GET a")
    connection.eof_received()
    assert fallback.ended
    assert row.events == ["asked GET a", "sent GET A"]
    assert row.end_iteration() == ["asked GET a", "sent GET A"]


async def test_a_request_that_came_before_the_proxy_stops_is_answered() -> None:
    row = FrontRow()
    connection, fallback = row.connection()
    connection.data_received(b"GET a")
    connection.close()
    fallback.idle = False
    connection.data_received(b"GET b")
    assert row.end_iteration() == ["asked GET a", "sent GET A"]
    assert fallback.taken == [b"GET b"]


async def test_a_connection_that_is_lost_is_asked_nothing_and_the_others_are() -> None:
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"GET a")
    other.data_received(b"GET b")
    one.connection_lost(None)
    assert row.end_iteration() == ["shown GET b", "asked GET b", "sent GET B"]


async def test_an_error_of_our_own_ends_its_connection_and_no_other() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    row = FrontRow()
    one, other = row.connections(2)
    one.data_received(b"GET fail")
    other.data_received(b"GET b")
    assert row.end_iteration() == ["shown GET fail GET b", "aborted", "asked GET b", "sent GET B"]
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_a_connection_is_in_use_from_the_moment_that_a_request_arrives() -> None:
    row = FrontRow()
    (one,) = row.connections(1)
    assert one.last_activity_s == 0
    one.data_received(b"GET a")
    assert one.last_activity_s > 0


async def test_only_what_the_fastpath_may_answer_is_shown_to_it_and_asked_of_it() -> None:
    row = FrontRow()
    (one, fallback), (other, _), (third, _) = row.connection(), row.connection(), row.connection()
    one.data_received(b"OPTIONS a\r\n\r\n{}")
    other.data_received(b"GET b")
    third.data_received(b"PATCH c")
    assert row.end_iteration() == ["shown GET b", "asked GET b", "asked PATCH c", "sent GET B", "sent PATCH C"]
    assert fallback.taken == [b"OPTIONS a\r\n\r\n{}"]
