"""The origin of all contenders: as cheap as a Python process can be, and it counts what reaches it.

    python -m benchmarks.peers.origin

Prints the port it listens on. `GET /count` tells how many other requests came so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from typing import cast

import uvloop

from benchmarks.peers.bodies import documents

WRITTEN = 'HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{{"ok":true}}'
"""The answer to a write, at a moment."""
WRITE = b""
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Count:
    """How many requests came."""

    def __init__(self) -> None:
        self.requests = 0


class OriginProtocol(asyncio.Protocol):
    """Answers one request after another; a POST or PUT once its whole body (by Content-Length) is there."""

    def __init__(self, answers: Mapping[bytes, bytes], count: Count) -> None:
        self._answers = answers
        self._count = count
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; clients here do not pipeline."""
        if self._pending:
            data = self._pending + data
        end = data.find(b"\r\n\r\n")
        if end == -1 or (data[0] == 80 and len(data) < end + 4 + content_length(data[:end])):  # 80: POST, PUT
            self._pending = data
            return
        self._pending = b""
        if data.startswith(b"GET /count "):
            body = str(self._count.requests).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return
        self._count.requests += 1
        if data[0] == 80:
            self._transport.write(self._answers[WRITE])
        else:
            self._transport.write(self._answers.get(data[5 : data.find(b"/", 5)], UNKNOWN))


def content_length(head: bytes) -> int:
    """The Content-Length in a head; 0 without one."""
    value = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return int(value) if value else 0


async def serve() -> None:
    """Run the origin on a free port, which is printed."""
    found, count = documents(), Count()
    answers: dict[bytes, bytes] = {}
    loop = asyncio.get_running_loop()

    def date() -> None:
        now = formatdate(usegmt=True)
        answers[WRITE] = WRITTEN.format(now).encode()
        answers.update((name.encode(), document.response(now)) for name, document in found.items())
        loop.call_later(1.0, date)

    date()
    server = await loop.create_server(lambda: OriginProtocol(answers, count), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
