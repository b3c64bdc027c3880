"""A process that runs out of file descriptors says so once."""

from __future__ import annotations

import asyncio
import errno
import logging

import pytest

from tests.support.clock import ManualClock
from veneer.server.scarcity import CALM_S, Scarcity

NO_FILES = OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def scarcity(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> Scarcity:
    caplog.set_level(logging.INFO)
    return Scarcity(clock.monotonic)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_what_is_missing_is_told_once_and_so_is_the_end(
    number: int, scarcity: Scarcity, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        assert scarcity.is_scarce(OSError(number, "none left"))
        clock.advance(0.01)
        scarcity.accepted()
    (line,) = caplog.messages
    assert line.startswith("no more connections can be accepted for now: none left; raise the bound on open files")
    clock.advance(CALM_S)
    scarcity.accepted()
    scarcity.accepted()
    assert caplog.messages[1:] == ["connections can be accepted again"]


def test_nobody_waiting_is_no_scarcity(scarcity: Scarcity, caplog: pytest.LogCaptureFixture) -> None:
    assert not scarcity.is_scarce(BlockingIOError(errno.EAGAIN, "nobody waits"))
    scarcity.accepted()
    assert caplog.messages == []


async def test_what_the_loop_reports_for_each_connection_is_told_once(
    scarcity: Scarcity, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    scarcity.watch(loop)
    for _ in range(100):
        loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": NO_FILES})
    assert len(caplog.messages) == 1
    loop.call_exception_handler({"message": "something else", "exception": NO_FILES})
    loop.call_exception_handler({"message": "socket.accept() failed", "exception": ValueError("x")})
    assert len(caplog.messages) == 3
