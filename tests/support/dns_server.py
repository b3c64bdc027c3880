"""A name server that says what a test tells it, over UDP: records of services (SRV)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

TTL_S = 2


@dataclass
class NameServer:
    """Answers questions about services; `failing` says that it cannot. A name it does not know does not exist."""

    services: dict[str, list[str]] = field(default_factory=dict)
    """Records as zone files have them: priority, weight, port, host."""
    failing: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, question: bytes) -> bytes:
        """The response to a query."""
        query = dns.message.from_wire(question)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        name = query.question[0].name
        text = name.to_text(omit_final_dot=True)
        self.asked.append(text)
        if self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif text not in self.services:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif self.services[text]:
            response.answer.append(dns.rrset.from_text_list(name, TTL_S, "IN", "SRV", self.services[text]))
        return response.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(self._server.answer(data), addr)


@asynccontextmanager
async def running_name_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    """A name server that this process asks meanwhile, in place of the system's."""
    server = NameServer()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    resolver.lifetime = 2.0
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
    try:
        yield server
    finally:
        transport.close()
