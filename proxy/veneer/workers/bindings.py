"""The listening sockets of all workers: of each port one for each slot, of each path one that all of them inherit."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from veneer.core.listen_address import Address, ListenAddress, UnixAddress
from veneer.server.sockets import ListenError, UnixSocket, shared_tcp_socket


@dataclass(frozen=True, slots=True)
class Binding:
    """Where to listen; `mode` is that of the file of a socket."""

    address: ListenAddress
    mode: int = 0o660


class Bindings:
    """Opens the sockets that are wanted. Those of paths stay open until `remove`; SO_REUSEPORT is for ports alone."""

    def __init__(self, wanted: Sequence[Binding]) -> None:
        self._wanted = wanted
        self._unix: dict[str, UnixSocket] = {}
        self._ports: dict[str, Address] = {}
        self._ended = False

    def open(self) -> dict[str, socket.socket]:
        """The sockets of one slot, by the addresses as they are wanted. Raises ListenError, and leaves none open."""
        if self._ended:
            raise ListenError("no more connections are taken: the proxy stops")
        found: dict[str, socket.socket] = {}
        try:
            for binding in self._wanted:
                name, address = str(binding.address), binding.address
                if isinstance(address, UnixAddress):
                    if name not in self._unix:
                        self._unix[name] = UnixSocket.listening(address, binding.mode)
                    found[name] = self._unix[name].socket
                else:
                    found[name] = shared_tcp_socket(self._ports.get(name, address))
                    self._ports[name] = Address(address.host, int(found[name].getsockname()[1]))
        except ListenError:
            self.close(found)
            raise
        return found

    def close(self, listeners: dict[str, socket.socket]) -> None:
        """Close what a slot has by itself: what waits there is for others, or refused."""
        for name, listener in listeners.items():
            if name not in self._unix:
                listener.close()

    def addresses(self) -> list[ListenAddress]:
        """Where clients connect, with the ports in use."""
        return [self._ports.get(str(binding.address), binding.address) for binding in self._wanted]

    def end(self) -> None:
        """Hold the sockets of paths no more: once no worker does, clients are refused there."""
        self._ended = True
        for found in self._unix.values():
            found.socket.close()

    def remove(self) -> None:
        """Close the sockets of paths and remove their files."""
        for found in self._unix.values():
            found.remove()
        self._unix.clear()
