from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from veneer.observe.writer import LineWriter, MessageHandler


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_all(reader: int, writer: int) -> list[bytes]:
    os.close(writer)
    with os.fdopen(os.dup(reader), "rb") as file:
        return file.read().splitlines()


def fill(descriptor: int) -> int:
    """Fill a pipe to the brim; returns how many bytes went in."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    count = 0
    try:
        while True:
            count += os.write(descriptor, b"#" * 4096)
    except BlockingIOError:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return count


def test_everything_offered_is_written_in_order(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    for number in range(1_000):
        lines.offer(b"%d\n" % number)
    lines.close()
    assert read_all(*pipe) == [b"%d" % number for number in range(1_000)]
    assert lines.dropped == 0


def test_lines_are_written_before_closing_too(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    lines.offer(b"7\n")
    assert os.read(pipe[0], 100) == b"7\n"
    lines.offer(b"8\n")
    assert os.read(pipe[0], 100) == b"8\n"
    lines.close()


def test_a_blocked_reader_costs_lines_and_not_time(pipe: tuple[int, int]) -> None:
    fill(pipe[1])
    lines = LineWriter(pipe[1], most=100)
    for number in range(1_000):
        lines.offer(b"%d\n" % number)
    assert lines.dropped >= 1_000 - 100 - 64  # what waits, and the batch that is being written
    lines.close(patience_s=0.01)
    os.close(pipe[0])  # lets the thread go
    lines.close()
    assert lines.dropped == 1_000


def test_a_reader_that_left_is_no_failure(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    lines = LineWriter(pipe[1])
    lines.offer(b"1\n")
    lines.close()
    assert lines.dropped == 1


def test_a_non_blocking_descriptor_loses_nothing(pipe: tuple[int, int]) -> None:
    filled = fill(pipe[1])
    fcntl.fcntl(pipe[1], fcntl.F_SETFL, os.O_NONBLOCK)
    lines = LineWriter(pipe[1])
    lines.offer(b"1\n")
    closer = threading.Thread(target=lines.close)
    closer.start()
    left = filled
    while left:
        left -= len(os.read(pipe[0], left))
    closer.join()
    assert read_all(*pipe) == [b"1"]


def test_many_lines_offered_at_once_stay_in_order(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    lines.offer(b"0\n")
    for start in range(1, 1_000, 3):
        lines.offer(*(b"%d\n" % number for number in range(start, start + 3)))
    lines.close()
    assert read_all(*pipe) == [b"%d" % number for number in range(1_000)]


def test_after_closing_offers_are_dropped(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    lines.close()
    lines.offer(b"1\n")
    lines.close()
    assert lines.dropped == 1


def test_messages_are_formatted_when_they_are_made(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    handler = MessageHandler(lines, logging.Formatter("%(levelname)s %(message)s"))
    state = ["before"]
    handler.handle(logging.LogRecord("test", logging.WARNING, "f", 1, "it was %s", (state,), None))
    state[0] = "after"
    lines.close()
    assert read_all(*pipe) == [b"WARNING it was ['before']"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_its_thread_gives_way_and_no_other_does(pipe: tuple[int, int]) -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    others = set(threading.enumerate())
    writer = LineWriter(pipe[1])
    writer.offer(b"a\n")
    assert os.read(pipe[0], 100) == b"a\n"
    (thread,) = set(threading.enumerate()) - others
    assert thread.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == min(19, before + 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    writer.close()


class FullDisk:
    """write(2) on a disk that takes so many bytes at a time and is full in between."""

    def __init__(self, *rooms: int) -> None:
        self.rooms = list(rooms)
        self.written = b""
        self.full = threading.Event()

    def write(self, _descriptor: int, data: memoryview) -> int:
        if not self.rooms:
            room = len(data)
        else:
            room = min(self.rooms.pop(0), len(data))
            if room == 0:
                self.full.set()
                raise OSError(28, "No space left on device")
        self.written += bytes(data[:room])
        return room


def test_a_line_that_broke_off_does_not_run_into_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FullDisk(10, 0)
    monkeypatch.setattr("veneer.observe.writer.os.write", disk.write)
    lines = LineWriter(99, name="access log")
    lines.offer(b'{"a":1}\n', b'{"b":2}\n', b'{"c":3}\n')
    assert disk.full.wait(10)
    lines.offer(b'{"d":4}\n')
    lines.close()
    assert disk.written == b'{"a":1}\n{"\n{"d":4}\n'
    assert lines.dropped == 2
    assert [record.getMessage() for record in caplog.records] == [
        "2 lines of the access log were lost: its reader was slow or gone, or its disk full"
    ]


def test_a_disk_that_stays_full_counts_each_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(3, 0, 0)
    monkeypatch.setattr("veneer.observe.writer.os.write", disk.write)
    lines = LineWriter(99)
    lines.offer(b"aaaa\n")
    assert disk.full.wait(10)
    disk.full.clear()
    lines.offer(b"bbbb\n")
    assert disk.full.wait(10)
    lines.offer(b"cccc\n")
    lines.close()
    assert disk.written == b"aaa\ncccc\n"
    assert lines.dropped == 2
