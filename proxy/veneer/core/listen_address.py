"""Where the proxy listens: a host and a port, or a socket in the file system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNIX: Final = "unix:"
MAX_PATH_BYTES: Final = 107
"""Of a socket in the file system (unix(7): `sun_path`, less the byte that ends it)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From "host:port", "[v6]:port" or ":port". Raises ValueError."""
        host, separator, port = text.rpartition(":")
        if not separator or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            message = f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080"
            raise ValueError(message)
        return cls(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The absolute path of a socket."""

    path: str

    def __str__(self) -> str:
        return f"{UNIX}{self.path}"


ListenAddress = Address | UnixAddress


def parse_listen_address(text: str) -> ListenAddress:
    """From "host:port" or "unix:/path". Raises ValueError, which says what would be right."""
    if not text.startswith(UNIX):
        return Address.parse(text)
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        message = f"{text!r} is not the absolute path of a socket, such as unix:/run/veneer.sock"
        raise ValueError(message)
    if len(path.encode()) > MAX_PATH_BYTES:
        message = f"{text!r} is too long: the path of a socket has at most {MAX_PATH_BYTES} bytes"
        raise ValueError(message)
    return UnixAddress(path)
