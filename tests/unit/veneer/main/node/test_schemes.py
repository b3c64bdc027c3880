"""http and https in one process: told apart by what is stored, by what the fast path knows, and by the backend."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from devstack.process import free_port
from tests.support.certificates import new_pair
from tests.support.origin import answering, running_origin
from tests.unit.veneer.observe.records import quiet_observer
from veneer.core.listen_address import Address
from veneer.main.node import Node
from veneer.main.options import AdminOff, ServeOptions
from veneer.observe.observation import Observation
from veneer.policy.load import parse_policy

STORED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"
ASKED = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def ask(port: int, times: int, tls: ssl.SSLContext | None) -> None:
    """The same request again and again on one connection."""
    name = None if tls is None else "localhost"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    for _ in range(times):
        writer.write(ASKED)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_each_scheme_has_its_own_entries_and_its_own_fast_path(tmp_path: Path) -> None:
    observation = Observation(quiet_observer(lambda _: None), None, metrics=False, dropped=dict)
    pair, plain, secure = new_pair(tmp_path, "localhost"), free_port(), free_port()
    async with running_origin(answering(STORED)) as origin:
        policy = parse_policy(
            f"version: 1\nupstreams: {{a: {{url: '{origin.url}'}}}}\n"
            f"listeners: [{{address: '127.0.0.1:{secure}', tls: {pair.as_policy()}}}]\n",
            "test",
        )
        options = ServeOptions(None, (Address("127.0.0.1", plain),), None, None, AdminOff.OFF, 1, "json")
        async with Node(options, policy, lambda: policy, observation) as node:
            await ask(secure, 3, pair.trusting())
            assert node._front is not None
            learned = {name: fastpath for name, (_, fastpath) in node._front._gateways.items()}
            assert learned["https"] is not None
            assert len(learned["https"]) == 1, "a hit over TLS is learned"
            assert len(origin.heads) == 1
            await ask(plain, 3, None)
            assert learned["http"] is not None
            assert [len(learned["http"]), len(learned["https"])] == [1, 1]
        assert len(origin.heads) == 2, "what is stored for one scheme is not for the other"
        told = [head.lower() for head in origin.heads]
        assert [b"x-forwarded-proto: https" in head for head in told] == [True, False]
        assert [b"proto=https" in head for head in told] == [True, False]
