"""sd_notify(3), received on a real datagram socket."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from veneer.loop.service_manager import ServiceManager
from veneer.loop.tasks import Tasks

PID = 4711


@pytest.fixture
def manager_socket(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


def address_of(receiver: socket.socket) -> str:
    return str(receiver.getsockname())


def test_states_are_datagrams_of_assignments(manager_socket: socket.socket) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": address_of(manager_socket)}, PID)
    manager.ready("serving")
    assert manager_socket.recv(512) == b"READY=1\nSTATUS=serving"
    manager.stopping()
    assert manager_socket.recv(512).startswith(b"STOPPING=1\n")


def test_a_reload_tells_the_monotonic_time_in_microseconds(manager_socket: socket.socket) -> None:
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    ServiceManager(address_of(manager_socket)).reloading()
    told = dict(line.split("=") for line in manager_socket.recv(512).decode().splitlines())
    assert told["RELOADING"] == "1"
    assert before_us <= int(told["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000


def test_what_ends_is_not_ready_again(manager_socket: socket.socket) -> None:
    manager = ServiceManager(address_of(manager_socket))
    manager.stopping()
    manager.reloading()
    manager.ready("serving")
    assert manager_socket.recv(512).startswith(b"STOPPING=1\n")
    manager_socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager_socket.recv(512)


def test_an_abstract_name_begins_with_an_at() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("")  # the system chooses an abstract name
        receiver.settimeout(5)
        name = receiver.getsockname()
        assert isinstance(name, bytes)
        ServiceManager.of({"NOTIFY_SOCKET": f"@{name[1:].decode()}"}, PID).ready("serving")
        assert receiver.recv(512).startswith(b"READY=1\n")


@pytest.mark.parametrize("asked", [{}, {"WATCHDOG_PID": str(PID)}])
async def test_signs_of_life_come_twice_as_often_as_needed(
    manager_socket: socket.socket, asked: dict[str, str]
) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": address_of(manager_socket), "WATCHDOG_USEC": "20000", **asked}, PID)
    tasks = Tasks()
    tasks.start(manager.keep_alive(), "keep alive")
    for _ in range(3):
        assert await asyncio.to_thread(manager_socket.recv, 512) == b"WATCHDOG=1"
    await tasks.aclose()


@pytest.mark.parametrize(
    "told", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}]
)
async def test_where_nobody_asks_for_signs_of_life_none_are_given(
    manager_socket: socket.socket, told: dict[str, str]
) -> None:
    await ServiceManager.of({"NOTIFY_SOCKET": address_of(manager_socket), **told}, PID).keep_alive()
    manager_socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager_socket.recv(512)


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_is_sent(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager.of(environment, PID)
    manager.ready("serving")
    manager.stopping()
    assert not caplog.records


def test_a_manager_that_hears_nothing_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager(str(tmp_path / "nobody"))
    with caplog.at_level(logging.WARNING):
        manager.ready("serving")
        manager.stopping()
    (record,) = caplog.records
    assert "No such file or directory" in record.getMessage()
