"""Conversations between a client, the real proxy and a scripted origin, written as they happen.

The origin's answers are given in the order in which requests reach it. A dialogue that ends with an answer left over,
or with a request nobody had an answer for, fails.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from checks.conformance.client import Client, Response
from checks.conformance.magic import http_date
from checks.conformance.wire import (
    HEAD_LIMIT,
    Lines,
    WireError,
    content_length,
    is_chunked,
    read_chunked,
    read_exactly,
    read_head,
)


class HangUp:
    """The origin closes the connection instead of answering."""


HANG_UP = HangUp()
Answer = str | bytes | list[bytes | asyncio.Event] | HangUp
"""Text to be framed, bytes as they are, bytes with events to wait for in between, or no answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it reached the origin; `path` is what the test called it."""

    method: str
    path: str
    lines: Lines
    body: bytes


class Dialogue:
    """One test's conversation, over resources that no other test asks for."""

    def __init__(self, proxy_port: int, listener: socket.socket) -> None:
        self.port = proxy_port
        self._listener = listener
        self._room = f"/{uuid.uuid4()}"
        self._answers: deque[Answer] = deque()
        self._surprises: list[str] = []
        self._clients: list[Client] = []
        self._serving: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._arrival = asyncio.Condition()
        self.answered_by: Callable[[Asked], Answer] | None = None
        """What gives the answers where no order of requests is foreseen."""
        self.begun: list[str] = []
        self.asked: list[Asked] = []

    async def __aenter__(self) -> Dialogue:
        self._server = await asyncio.start_server(self._serve, sock=self._listener.dup(), limit=HEAD_LIMIT)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._server is not None
        for client in self._clients:
            client.close()
        self._server.close()
        await asyncio.sleep(0)
        serving = list(self._serving.values())
        for writer in self._serving:
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()
        if kind is None:
            assert not self._surprises, f"nobody had an answer for {self._surprises}"
            assert not self._answers, f"the origin was never asked for {list(self._answers)}"

    # ---------------------------------------------------------------- the client's side

    def at(self, path: str) -> str:
        """The target of `path` in this conversation."""
        return self._room + path

    def client(self) -> Client:
        """Another connection to the proxy."""
        client = Client("127.0.0.1", self.port)
        self._clients.append(client)
        return client

    async def ask(
        self, request: str, *fields: str, body: bytes | None = None, client: Client | None = None
    ) -> Response:
        """Send `request`, like "GET /a", with `fields`, like "Accept: text/plain", and read the answer."""
        method, _, path = request.partition(" ")
        lines = [f"{method} {self.at(path)} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return await (client or self._first()).exchange(method, head + (body or b""))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection to the proxy."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send_raw(self, raw: bytes) -> bytes:
        """Send bytes on a connection of their own; returns what comes until the proxy closes."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    def _first(self) -> Client:
        return self._clients[0] if self._clients else self.client()

    # ---------------------------------------------------------------- the origin's side

    def answers(self, *answers: Answer) -> None:
        """What the origin says next: "200\\nName: value\\n\\nbody", bytes as they are, or HANG_UP."""
        self._answers.extend(answers)

    async def reached(self, count: int) -> None:
        """Wait until that many requests have reached the origin."""
        async with asyncio.timeout(10), self._arrival:
            await self._arrival.wait_for(lambda: len(self.asked) >= count)

    async def reached_path(self, path: str) -> None:
        """Wait until a request for `path` has reached the origin."""
        async with asyncio.timeout(10), self._arrival:
            await self._arrival.wait_for(lambda: any(asked.path == path for asked in self.asked))

    async def began(self, count: int) -> None:
        """Wait until the heads of that many requests have reached the origin, whatever of their bodies has."""
        async with asyncio.timeout(10), self._arrival:
            await self._arrival.wait_for(lambda: len(self.begun) >= count)

    def stand_aside(self) -> None:
        """Let another server answer on the origin's socket."""
        assert self._server is not None
        self._server.close()

    def socket(self) -> socket.socket:
        """The origin's socket, for another server."""
        return self._listener.dup()

    def socket_port(self) -> int:
        """The port of the origin's socket."""
        return int(self._listener.getsockname()[1])

    async def let_go(self) -> None:
        """Wait until the proxy has closed its connections to the origin."""
        async with asyncio.timeout(10):
            while self._serving:
                await asyncio.wait(self._serving.values())

    def forget_answers(self) -> None:
        """Drop the answers that are left: the test did not say how many would be needed."""
        self._answers.clear()

    def paths(self) -> list[str]:
        """Method and path of every request that reached the origin."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[writer] = task
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, WireError):
            pass
        finally:
            del self._serving[writer]
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await read_head(reader)
        if head is None:
            return False
        method, target, _ = head.start.split(" ", 2)
        async with self._arrival:
            self.begun.append(f"{method} {target.removeprefix(self._room)}")
            self._arrival.notify_all()
        if (head.lines.get("expect") or "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunked = is_chunked(head.lines)
        body = await (read_chunked(reader) if chunked else read_exactly(reader, content_length(head.lines) or 0))
        asked = Asked(method, target.removeprefix(self._room), head.lines, body)
        async with self._arrival:
            self.asked.append(asked)
            self._arrival.notify_all()
        if self.answered_by is None and not self._answers:
            self._surprises.append(head.start)
            return False
        answer = self._answers.popleft() if self.answered_by is None else self.answered_by(asked)
        if isinstance(answer, HangUp):
            writer.transport.abort()
            return False
        pieces = (
            answer if isinstance(answer, list) else [answer if isinstance(answer, bytes) else framed(answer, method)]
        )
        for piece in pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                writer.write(piece)
                await writer.drain()
        return not any(isinstance(piece, bytes) and b"\r\nConnection: close\r\n" in piece for piece in pieces)


def framed(answer: str, method: str = "GET") -> bytes:
    """An answer's bytes: Date and Content-Length are added where they are not given."""
    head, _, body = answer.partition("\n\n")
    status, *fields = head.split("\n")
    named = {field.partition(":")[0].lower() for field in fields}
    if "date" not in named:
        fields.append(f"Date: {http_date(time.time_ns() // 1_000_000, 0)}")
    bodiless = status in ("204", "304")
    if not bodiless and not named & {"content-length", "transfer-encoding"}:
        fields.append(f"Content-Length: {len(body.encode())}")
    text = "\r\n".join([f"HTTP/1.1 {status} As-Scripted", *fields, "", ""])
    return text.encode("latin-1") + (b"" if bodiless or method == "HEAD" else body.encode())


def ago(seconds: int) -> str:
    """The moment that many seconds ago, as an HTTP-date."""
    return http_date(time.time_ns() // 1_000_000, -seconds)
