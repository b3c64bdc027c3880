"""Writes wait for the end of the loop's iteration, in order, and never for long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from veneer.loop.batched_writes import MAX_BYTES, MAX_WAITING, WriteBatch, WriteBuffer


class Loop:
    """A loop whose iteration ends when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> object:
        self.calls.append(callback)
        return callback

    def end_turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Transport:
    """Takes bytes down; those of one call together."""

    def __init__(self, name: str, sent: list[tuple[str, bytes | list[bytes]]]) -> None:
        self._name = name
        self._sent = sent

    def write(self, data: bytes) -> None:
        self._sent.append((self._name, data))

    def writelines(self, pieces: list[bytes]) -> None:
        self._sent.append((self._name, list(pieces)))


class Stage:
    """Connections on one loop, and what has left on them."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.batch = WriteBatch(self.loop.call_soon)
        self.sent: list[tuple[str, bytes | list[bytes]]] = []

    def connection(self, name: str = "a") -> WriteBuffer:
        outgoing = WriteBuffer(self.batch)
        outgoing.open(Transport(name, self.sent))
        return outgoing


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_nothing_leaves_before_the_end_of_the_turn(stage: Stage) -> None:
    stage.connection().send([b"one"])
    assert stage.sent == []
    stage.loop.end_turn()
    assert stage.sent == [("a", b"one")]


def test_connections_are_served_in_the_order_in_which_they_were_written_to(stage: Stage) -> None:
    first, second = stage.connection("first"), stage.connection("second")
    second.send([b"1"])
    first.send([b"2"])
    stage.loop.end_turn()
    assert stage.sent == [("second", b"1"), ("first", b"2")]


def test_what_is_written_on_one_connection_in_one_turn_leaves_as_one(stage: Stage) -> None:
    connection = stage.connection()
    for data in (b"one", b"two", b"three"):
        connection.send([data])
    stage.loop.end_turn()
    assert stage.sent == [("a", b"onetwothree")]


def test_the_loop_is_asked_once_a_turn(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.connection(name).send([b"one"])
    assert len(stage.loop.calls) == 1
    stage.loop.end_turn()
    stage.connection("c").send([b"two"])
    assert len(stage.loop.calls) == 1


def test_many_connections_do_not_wait_for_the_end(stage: Stage) -> None:
    for number in range(MAX_WAITING):
        stage.connection(str(number)).send([b"one"])
    assert len(stage.sent) == MAX_WAITING
    stage.connection("later").send([b"two"])
    stage.loop.end_turn()
    assert stage.sent[MAX_WAITING:] == [("later", b"two")]


def test_much_on_one_connection_does_not_wait_and_is_not_copied(stage: Stage) -> None:
    connection = stage.connection()
    large = bytes(MAX_BYTES)
    connection.send([b"one"])
    connection.send([b"head", large])
    assert stage.sent == [("a", [b"one", b"head", large])]
    assert stage.sent[0][1][2] is large
    stage.loop.end_turn()
    assert len(stage.sent) == 1


def test_what_was_flushed_does_not_leave_again(stage: Stage) -> None:
    connection = stage.connection()
    connection.send([b"one"])
    connection.flush()
    assert stage.sent == [("a", b"one")]
    connection.send([b"two"])
    stage.loop.end_turn()
    assert stage.sent == [("a", b"one"), ("a", b"two")]


def test_on_a_lost_connection_nothing_leaves(stage: Stage) -> None:
    lost, other = stage.connection("lost"), stage.connection("other")
    lost.send([b"one"])
    other.send([b"two"])
    lost.close()
    lost.send([b"three"])
    stage.loop.end_turn()
    assert stage.sent == [("other", b"two")]


def test_what_a_write_brings_about_waits_for_the_next_turn(stage: Stage) -> None:
    answer = stage.connection("answer")

    class Echo(Transport):
        def write(self, data: bytes) -> None:
            answer.send([data.upper()])

    question = WriteBuffer(stage.batch)
    question.open(Echo("question", stage.sent))
    question.send([b"one"])
    stage.loop.end_turn()
    assert stage.sent == []
    stage.loop.end_turn()
    assert stage.sent == [("answer", b"ONE")]
