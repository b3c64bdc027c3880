"""Backends that are restarted under load: nothing fails that need not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import free_port
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import OriginConnection, read_body

NewProxy = Callable[[ProxyOptions], ProxyServer]

POLICY = """
version: 1
defaults: {cache: {enabled: false}}
upstreams:
  default: {url: "http://127.0.0.1:%d", %s}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RESTARTS = 3
AWAY_S = 0.25


class Backend:
    """A server that can be stopped gracefully, and started again on its port: it lets exchanges end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: asyncio.Server | None = None
        self._idle: set[asyncio.StreamWriter] = set()
        self.answered = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Take no connections any more, answer what comes over those there are, and close them."""
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0.1)
        for writer in self._idle:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = OriginConnection(0, reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            server, last = self._server, b""
            while server is not None and not last:
                self._idle.add(writer)
                head = await connection.request_head()
                self._idle.discard(writer)
                await read_body(connection, head)
                self.answered += 1
                last = b"" if server.is_serving() else b"\r\nConnection: close"
                await connection.send(ANSWER.replace(b"\r\n\r\n", last + b"\r\n\r\n"))
        self._idle.discard(writer)
        writer.close()


@pytest.mark.parametrize("rules", ["breaker: null", "breaker: {}"])
async def test_graceful_restarts_fail_nothing(new_proxy: NewProxy, tmp_path: Path, rules: str) -> None:
    backend = Backend(free_port())
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICY % (backend.port, rules))
    proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies))
    await backend.start()
    going = True

    async def ask(number: int) -> list[int]:
        statuses = []
        while going:
            body = b"x" if number % 2 else None
            method = "GET" if body is None else "POST"
            answer = await asyncio.to_thread(fetch, f"{proxy.url}/{number}", method, body=body)
            statuses.append(answer.status)
            await asyncio.sleep(0.005)
        return statuses

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(number)) for number in range(4)]
        for _ in range(RESTARTS):
            await asyncio.sleep(0.3)
            await backend.stop()
            await asyncio.sleep(AWAY_S)
            await backend.start()
        await asyncio.sleep(0.3)
        going = False
    await backend.stop()
    statuses = [status for task in asking for status in task.result()]
    assert set(statuses) == {200}
    assert backend.answered == len(statuses), "each was sent once"
