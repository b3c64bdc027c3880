"""Tokens whose keys the issuer publishes, as it renews them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from checks.conformance.client import Response
from devstack.process import free_port
from tests.scenarios.dialogue import Dialogue
from tests.support.origin import OriginConnection, running_origin
from tests.support.tokens import PrivateKey, bearer, jwk, key_set, named_bearer, pem, signed_with_public_key

ISSUER_PORT = free_port()
POLICIES = f"""\
version: 1
identities:
  api:
    jwt:
      keys: [{{jwks: "http://127.0.0.1:{ISSUER_PORT}/keys", refresh: 1s}}]
      values: {{tenant: company}}
routes: [{{name: all, match: {{path: "/{{rest:path}}"}}, cache: {{share: identity.tenant, ttl: 1h}}}}]
"""
FIRST, SECOND = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
OTHER_KIND = rsa.generate_private_key(65537, 2048)


class Issuer:
    """Publishes keys, or says something else."""

    def __init__(self) -> None:
        self.answer = b""
        self._asked = 0
        self._arrival = asyncio.Condition()

    async def serve(self, connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            async with self._arrival:
                self._asked += 1
                self._arrival.notify_all()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.answer)}\r\n\r\n".encode()
            await connection.send(head + self.answer)

    def publishes(self, *keys: tuple[PrivateKey, str]) -> None:
        self.answer = key_set(*[jwk(key, name) for key, name in keys])

    async def heard(self) -> None:
        """Wait until the proxy has the answer that is given now: it fetches one after the other."""
        count = self._asked
        async with asyncio.timeout(10), self._arrival:
            await self._arrival.wait_for(lambda: self._asked >= count + 2)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    found = Issuer()
    found.publishes((FIRST, "one"))
    async with running_origin(found.serve, at=("127.0.0.1", ISSUER_PORT)):
        await found.heard()
        yield found


A, B = named_bearer(FIRST, "one", company="a"), named_bearer(FIRST, "one", company="b")


def is_hit(answer: Response) -> bool:
    return "hit" in (answer.lines.get("cache-status") or "")


async def test_who_proves_a_company_by_a_published_key_shares_with_it(talk: Dialogue, issuer: Issuer) -> None:
    talk.answers("200\n\na's", "200\n\nb's")
    for _ in range(4):
        assert (await talk.ask("GET /x", A)).text() == "a's"
        assert (await talk.ask("GET /x", B)).text() == "b's"


async def test_a_key_that_was_taken_back_proves_nothing_any_more(talk: Dialogue, issuer: Issuer) -> None:
    """Also where the fast path has learned the answer and remembers the token."""
    talk.answers("200\n\na's", "200\n\nhis own", "200\n\nhis own")
    for _ in range(5):
        assert (await talk.ask("GET /x", A)).text() == "a's"
    issuer.publishes((SECOND, "two"))
    await issuer.heard()
    assert (await talk.ask("GET /x", A)).text() == "his own"
    assert (await talk.ask("GET /x", A)).text() == "his own"
    assert (await talk.ask("GET /x", named_bearer(SECOND, "two", company="a"))).text() == "a's"


@pytest.mark.parametrize("said", [b"<html>", b'{"keys": 1}', b"x" * 300_000], ids=["html", "odd", "large"])
async def test_known_keys_go_on_while_the_issuer_says_something_else(
    talk: Dialogue, issuer: Issuer, said: bytes
) -> None:
    talk.answers("200\n\na's")
    assert (await talk.ask("GET /x", A)).text() == "a's"
    issuer.answer = said
    await issuer.heard()
    assert is_hit(await talk.ask("GET /x", A))


async def test_a_secret_that_is_published_proves_nothing(talk: Dialogue, issuer: Issuer) -> None:
    issuer.answer = key_set(
        {"kty": "oct", "k": "YS1zZWNyZXQtb2YtdGVzdHMtdGhhdC1oYXMtYXQtbGVhc3QtMzItYnl0ZXM", "alg": "HS256"},
        jwk(OTHER_KIND, "rsa"),
    )
    await issuer.heard()
    good = named_bearer(OTHER_KIND, "rsa", "RS256", company="a")
    forged = "Authorization: Bearer " + signed_with_public_key(pem(OTHER_KIND), company="a")
    talk.answers("200\n\na's", *["200\n\nhis own"] * 3)
    assert (await talk.ask("GET /x", good)).text() == "a's"
    for line in (bearer(company="a"), forged, named_bearer(FIRST, "rsa", company="a")):
        assert (await talk.ask("GET /x", line)).text() == "his own"
    assert is_hit(await talk.ask("GET /x", good))
