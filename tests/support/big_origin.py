"""An origin for bodies larger than memory should be: sends and swallows bytes without keeping them."""

from __future__ import annotations

import re
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

PIECE = bytes(range(256)) * 4096  # 1 MiB


@dataclass(frozen=True, slots=True)
class Received:
    """What came in: how many bytes, and their CRC-32."""

    size: int
    checksum: int


def checksum(pieces: int) -> int:
    """The CRC-32 of that many pieces."""
    value = 0
    for _ in range(pieces):
        value = zlib.crc32(PIECE, value)
    return value


def receive(connection: socket.socket, already: bytes, size: int) -> Received:
    """Read exactly `size` bytes of a body, of which some were read with its head."""
    buffer = bytearray(len(PIECE))
    value, count = zlib.crc32(already), len(already)
    while count < size:
        got = connection.recv_into(buffer, min(len(buffer), size - count))
        if not got:
            break
        value = zlib.crc32(memoryview(buffer)[:got], value)
        count += got
    return Received(count, value)


def read_head(connection: socket.socket) -> tuple[str, bytes]:
    """Read a message head; return it with the bytes that came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"the peer closed before its head ended: {data!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def content_length(head: str) -> int:
    """The Content-Length of a head; 0 where there is none."""
    found = re.search(r"(?im)^content-length:\s*(\d+)", head)
    return int(found[1]) if found else 0


@contextmanager
def big_origin() -> Iterator[str]:
    """Serve until the block ends: GET /N sends N pieces, PUT answers with `size checksum`. Yields the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, suppress(ConnectionError):
        head, rest = read_head(connection)
        method, target, _ = head.split(" ", 2)
        if method == "GET" and target.lstrip("/").isdigit():
            _send_pieces(connection, int(target.lstrip("/")))
            return
        if "100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        received = receive(connection, rest, content_length(head))
        _reply(connection, f"{received.size} {received.checksum}".encode())


def _send_pieces(connection: socket.socket, pieces: int) -> None:
    size = pieces * len(PIECE)
    # Storable as far as its headers go, so that only its size can keep it out of a cache.
    connection.sendall(
        f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nCache-Control: max-age=60\r\n"
        f"Content-Length: {size}\r\nConnection: close\r\n\r\n".encode()
    )
    for _ in range(pieces):
        connection.sendall(PIECE)


def _reply(connection: socket.socket, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)
