"""Which sockets a slot has by itself, and which all share."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from veneer.core.listen_address import Address, UnixAddress
from veneer.server.sockets import ListenError
from veneer.workers.bindings import Binding, Bindings


def test_a_port_has_a_socket_for_each_slot_and_a_path_one_for_all(tmp_path: Path) -> None:
    path = UnixAddress(str(tmp_path / "a.sock"))
    bindings = Bindings([Binding(Address("127.0.0.1", 0)), Binding(path)])
    first, second = bindings.open(), bindings.open()
    assert list(first) == ["127.0.0.1:0", str(path)]
    assert first["127.0.0.1:0"] is not second["127.0.0.1:0"]
    assert first["127.0.0.1:0"].getsockname() == second["127.0.0.1:0"].getsockname()
    assert first[str(path)] is second[str(path)]
    bindings.close(first)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(path.path)
    bindings.close(second)
    bindings.end()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path.path)
    with pytest.raises(ListenError, match="stops"):
        bindings.open()
    bindings.remove()
    assert not Path(path.path).exists()


def test_what_was_opened_before_one_that_cannot_be_is_closed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        bindings = Bindings([Binding(UnixAddress(str(tmp_path / "a.sock"))), Binding(Address("127.0.0.1", port))])
        with pytest.raises(ListenError, match="in use"):
            bindings.open()
        bindings.remove()
    assert not (tmp_path / "a.sock").exists()
