"""Sockets in the file system: who may connect, what a dead process leaves, and what is removed."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from veneer.core.listen_address import Address, UnixAddress
from veneer.server.sockets import ListenError, UnixSocket, shared_tcp_socket


def address_in(folder: Path) -> UnixAddress:
    return UnixAddress(str(folder / "a.sock"))


def test_the_file_has_its_mode_and_goes_with_the_listener(tmp_path: Path) -> None:
    address = address_in(tmp_path)
    found = UnixSocket.listening(address, 0o600)
    file = Path(address.path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found.remove()
    assert not file.exists()
    found.remove()


def test_what_a_dead_process_has_left_is_replaced(tmp_path: Path) -> None:
    address = address_in(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(address.path)
        dead.listen()
    found = UnixSocket.listening(address, 0o660)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(address.path)
    found.remove()


def test_a_living_one_and_other_files_are_left_alone(tmp_path: Path) -> None:
    address = address_in(tmp_path)
    living = UnixSocket.listening(address, 0o660)
    with pytest.raises(ListenError, match="another process listens there"):
        UnixSocket.listening(address, 0o660)
    living.remove()
    Path(address.path).write_text("mine", "utf-8")
    with pytest.raises(ListenError, match="no socket"):
        UnixSocket.listening(address, 0o660)
    with pytest.raises(ListenError, match="No such file"):
        UnixSocket.listening(UnixAddress(str(tmp_path / "none" / "a.sock")), 0o660)


def test_a_successors_file_is_not_removed(tmp_path: Path) -> None:
    address = address_in(tmp_path)
    first = UnixSocket.listening(address, 0o660)
    Path(address.path).rename(tmp_path / "elsewhere")
    second = UnixSocket.listening(address, 0o660)
    first.remove()
    assert Path(address.path).is_socket()
    second.remove()


def test_a_port_is_shared_and_a_bad_host_is_told() -> None:
    with shared_tcp_socket(Address("127.0.0.1", 0)) as first:
        port = int(first.getsockname()[1])
        shared_tcp_socket(Address("127.0.0.1", port)).close()
    with pytest.raises(ListenError, match="cannot listen on"):
        shared_tcp_socket(Address("192.0.2.1", 1))
