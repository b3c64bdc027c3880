"""The scripted origin: `PUT /config/TOKEN` loads a test, `/test/TOKEN` plays it, `GET /state/TOKEN` tells the rest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from checks.conformance.script import CONTINUE, Reply, Request, Script, plain
from checks.conformance.suite import Step
from checks.conformance.wire import (
    HEAD_LIMIT,
    Trace,
    WireError,
    content_length,
    is_chunked,
    read_chunked,
    read_exactly,
    read_head,
)

IDLE_S = 6.0
"""How long an idle connection stays open; Node says 5 s in Keep-Alive and closes a second later."""


class Origin:
    """An HTTP/1.1 server whose every byte is scripted."""

    def __init__(self, now_ms: Callable[[], int], trace: Trace | None = None, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._now_ms = now_ms
        self._trace = trace or Trace()
        self._scripts: dict[str, Script] = {}
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on `listener`, which stays the caller's to close."""
        self._server = await asyncio.start_server(self._serve, sock=listener.dup(), limit=HEAD_LIMIT)

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0)  # a connection accepted just now is served from the next turn on
            serving = list(self._open.values())
            for writer in self._open:
                writer.transport.abort()
            await asyncio.gather(*serving, return_exceptions=True)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, TimeoutError, WireError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; returns whether the connection stays open."""
        async with asyncio.timeout(self._idle_s):
            head = await read_head(reader)
        if head is None:
            return False
        method, _, rest = head.start.partition(" ")
        target, _, version = rest.rpartition(" ")
        if (head.lines.get("expect") or "").lower() == "100-continue":
            writer.write(CONTINUE)
        if is_chunked(head.lines):
            body = await read_chunked(reader)
        else:
            body = await read_exactly(reader, content_length(head.lines) or 0)
        is_test = target.startswith("/test/")
        if is_test:
            self._trace.note("proxy -> origin", head.raw + body)
        reply = await self._answer(Request(method, target, version, head.lines, body))
        if is_test:
            self._trace.note("origin -> proxy", b"(hangs up)" if reply.hang_up else reply.raw)
        if reply.hang_up:
            writer.transport.abort()
            return False
        writer.write(reply.raw)
        await writer.drain()
        return not reply.close

    async def _answer(self, request: Request) -> Reply:
        path = request.target.partition("?")[0]
        room, _, rest = path.lstrip("/").partition("/")
        token = rest.partition("/")[0]
        if room == "test":
            return await self._play(token, request)
        if room == "config":
            return self._load(token, request)
        if room == "state" and (script := self._scripts.get(token)) is not None and script.seen:
            state = msgspec.json.encode(script.seen).decode()
            return plain(request, 200, "OK", state, self._now_ms())
        return plain(request, 404, "Not Found", f"{path} is not here\n", self._now_ms())

    def _load(self, token: str, request: Request) -> Reply:
        if request.method != "PUT":
            return plain(request, 405, "Method Not Allowed", "PUT a test's steps here\n", self._now_ms())
        if token in self._scripts:
            return plain(request, 409, "Conflict", f"{token} is loaded already\n", self._now_ms())
        try:
            steps = msgspec.json.decode(request.body, type=list[Step])
        except msgspec.DecodeError as error:
            return plain(request, 400, "Bad Request", f"not a test's steps: {error}\n", self._now_ms())
        self._scripts[token] = Script(token, steps)
        return plain(request, 201, "Created", "OK", self._now_ms())

    async def _play(self, token: str, request: Request) -> Reply:
        script = self._scripts.get(token)
        step = script.step_for(request) if script is not None else None
        if script is None or step is None:
            return plain(
                request, 409, "Conflict", f"no step of {token or 'no test'} for this request\n", self._now_ms()
            )
        if step.response_pause:
            await asyncio.sleep(step.response_pause)
        return script.answer(request, self._now_ms())
