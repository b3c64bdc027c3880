"""What a client leaves behind when it goes in the middle of an exchange: nothing that waits for the cycle collector.

It comes round seldom (app.tuning), and what waits for it may be whole bodies. It is off here, and objects are counted.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from devstack.process import free_port
from tests.support.origin import OriginConnection, read_body, running_origin
from tests.unit.veneer.observe.records import quiet_observer
from veneer.compiling.form import BuildKind, form
from veneer.core.listen_address import Address
from veneer.core.rate import RateVerdict
from veneer.fastpath.miss import FastMiss
from veneer.main.node import Node
from veneer.main.options import AdminOff, ServeOptions
from veneer.observe.observation import Observation
from veneer.pipeline.exchange import ExchangeRecord
from veneer.policy.load import parse_policy
from veneer.ports import LeasedConnection

SIZE = 3_000_000
ROUNDS = 3
OURS = ("veneer.fastpath.", "veneer.pipeline.", "veneer.server.", "veneer.upstream.", "veneer.ports.")
OTHERS = (memoryview, asyncio.Task, asyncio.CancelledError)


@dataclass
class Scene:
    """A node, its port, and what it has recorded."""

    node: Node
    port: int
    seen: list[ExchangeRecord] = field(default_factory=list)

    async def abort(self, *lines: str, body: bytes = b"", read: bool = True) -> None:
        """Ask, take a little of the answer, and cut the connection; return when all that was begun has ended."""
        before, running = len(self.seen), len(self.node._tasks)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the answer is not to fit into what lies between
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=narrow, limit=1000)
        writer.write("\r\n".join([*lines, "Host: a", "", ""]).encode() + body)
        await reader.read(1000) if read else await asyncio.sleep(0.01)
        writer.transport.abort()
        async with asyncio.timeout(10):
            while len(self.seen) == before or len(self.node._tasks) > running:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)

    async def ask(self, target: str) -> None:
        """Ask, and take all of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def script(connection: OriginConnection) -> None:
    """Answer with much, as the path says."""
    while True:
        head = await connection.request_head()
        await read_body(connection, head)
        if b"/cut" in head:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + bytes(500_000))
            return
        if b"/none" in head:
            return
        if b"/small" in head:
            await connection.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\n\r\nsmall")
            continue
        said = b"no-store" if b"/private" in head else b"max-age=600"
        fields = b"Content-Type: video/mp4\r\nCache-Control: %b\r\nContent-Length: %d\r\n" % (said, SIZE)
        await connection.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + bytes(SIZE))


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A node before an origin, both in this loop."""
    seen: list[ExchangeRecord] = []
    observation = Observation(quiet_observer(seen.append), None, metrics=False, dropped=dict)
    async with running_origin(script) as origin:
        policy = parse_policy(f"version: 1\nupstreams: {{a: {{url: '{origin.url}'}}}}\n", "test")
        port = free_port()
        options = ServeOptions(None, (Address("127.0.0.1", port),), None, None, AdminOff.OFF, 1, "json")
        async with Node(options, policy, lambda: policy, observation) as node:
            yield Scene(node, port, seen)


def count() -> Counter[str]:
    """What there is of what belongs to exchanges."""
    found: Counter[str] = Counter()
    # First by type: there are millions of objects where other tests have run before, and few types.
    for kind, many in Counter(map(type, gc.get_objects())).items():
        if kind in OTHERS or str(kind.__module__).startswith(OURS):
            found[f"{kind.__module__}.{kind.__qualname__}"] += many
    return found


PLAIN, READ_BY_AIOHTTP = "X-Way: plain", "TE: trailers"


@pytest.mark.parametrize("way", [PLAIN, READ_BY_AIOHTTP], ids=["plain", "aiohttp"])
@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ("GET /hit", ["Range: bytes=100-"]),
        ("GET /hit", ["Range: bytes=0-999999,1500000-2500000"]),
        ("GET /hit", ["Cache-Control: max-age=600"]),  # which the fast path leaves to the pipeline
        ("GET /miss{}", []),
        ("GET /private", []),
        ("GET /cut{}", []),
        ("GET /none{}", []),
        ("POST /form", ["Content-Length: 900000"]),
    ],
    ids=["range", "ranges", "hit", "miss", "private", "cut short", "no answer", "upload"],
)
async def test_an_aborted_exchange_leaves_nothing(asked: str, more: list[str], way: str) -> None:
    async with scene() as here:
        await here.abort("GET /hit HTTP/1.1")
        upload = asked.startswith("POST")

        async def rounds(first: int) -> None:
            for number in range(first, first + ROUNDS):
                line = f"{asked.format(number)} HTTP/1.1"
                await here.abort(line, way, *more, body=bytes(300_000) if upload else b"", read=not upload)

        await rounds(0)
        gc.collect()
        gc.disable()
        try:
            before = count()
            await rounds(ROUNDS)
            grown = {kind: more for kind, more in (count() - before).items() if more >= ROUNDS}
        finally:
            gc.enable()
        assert not grown


@pytest.mark.parametrize("asked", ["/miss{}", "/cut{}", "/none{}"])
async def test_an_aborted_exchange_that_the_fast_path_had_begun_leaves_nothing(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    send = FastMiss.send

    def sent(miss: FastMiss, lease: LeasedConnection, rate: RateVerdict | None, started_s: float) -> None:
        begun.append(miss.request.values[0])
        send(miss, lease, rate, started_s)

    monkeypatch.setattr(FastMiss, "send", sent)
    async with scene() as here:

        async def rounds(first: int) -> None:
            for number in range(first, first + ROUNDS):
                await here.ask(f"/small{number}")  # which leaves a connection to the backend that may be leased
                await here.abort(f"GET {asked.format(number)} HTTP/1.1", read=asked != "/none{}")

        await rounds(0)
        gc.collect()
        gc.disable()
        try:
            before = count()
            begun.clear()
            await rounds(ROUNDS)
            grown = {kind: more for kind, more in (count() - before).items() if more >= ROUNDS}
        finally:
            gc.enable()
        if form() is not BuildKind.COMPILED:  # where calls within compiled modules cannot be watched
            assert len([target for target in begun if b"small" not in target]) == ROUNDS
        assert not grown
