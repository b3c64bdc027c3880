"""Listening sockets: made before there is a loop, handed to workers, and their files removed at the end."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veneer.core.listen_address import Address, UnixAddress

BACKLOG: Final = 2048
"""Connections that may wait to be accepted; the system may allow less (net.core.somaxconn)."""
PROBE_S: Final = 1.0
"""How long a socket file that is there already is tried for somebody who listens on it."""


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to change."""


def cannot(address: Address | UnixAddress, error: OSError) -> ListenError:
    """The reason, in words."""
    return ListenError(f"cannot listen on {address}: {error.strerror or error}")


def shared_tcp_socket(address: Address) -> socket.socket:
    """A socket that listens beside others of the same port (SO_REUSEPORT). Raises ListenError."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
    except OSError as error:
        raise cannot(address, error) from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(place)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        raise cannot(address, error) from error
    return found


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A listening socket and its file, known by device and inode: another one's in its place is left alone."""

    address: UnixAddress
    socket: socket.socket
    file: tuple[int, int]

    @classmethod
    def listening(cls, address: UnixAddress, mode: int) -> UnixSocket:
        """Listen on the path. A file that nobody listens on any more is replaced. Raises ListenError."""
        path = Path(address.path)
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _remove_stale(address, path)
            found.bind(address.path)
            # Until it listens nobody can connect, whatever the mode is that the file was made with.
            path.chmod(mode)
            found.listen(BACKLOG)
            seen = path.stat()
        except OSError as error:
            found.close()
            raise cannot(address, error) from error
        except ListenError:
            found.close()
            raise
        return cls(address, found, (seen.st_dev, seen.st_ino))

    def remove(self) -> None:
        """Close it here, and remove its file; processes that have inherited the socket keep what they accept."""
        self.socket.close()
        path = Path(self.address.path)
        try:
            seen = path.lstat()
            if (seen.st_dev, seen.st_ino) == self.file:
                path.unlink()
        except OSError:
            return  # It is gone, or was never ours to remove.


def _remove_stale(address: UnixAddress, path: Path) -> None:
    """Remove the file of a socket that nobody listens on. Raises ListenError where there is something else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        msg = f"cannot listen on {address}: a file that is no socket is there already"
        raise ListenError(msg)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PROBE_S)
        try:
            asking.connect(address.path)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise cannot(address, error) from error
    msg = f"cannot listen on {address}: another process listens there already"
    raise ListenError(msg)
