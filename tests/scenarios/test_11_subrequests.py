"""Who may share with whom where a service says whose a credential is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from checks.conformance.client import Response
from devstack.process import free_port
from tests.scenarios.dialogue import Dialogue
from tests.support.origin import OriginConnection, running_origin

SERVICE_PORT = free_port()
POLICIES = f"""\
version: 1
identities:
  asked:
    subrequest:
      url: http://127.0.0.1:{SERVICE_PORT}/who
      credentials: [Authorization, "cookie:sid"]
      values: {{tenant: X-Tenant}}
      lasts: 1s
      timeout: 200ms
  other: {{session: {{cookies: [other], value: session}}}}
routes:
  - {{name: other, match: {{path: "/{{room}}/other"}}, cache: {{share: identity.session, ttl: 1h}}}}
  - {{name: write, match: {{path: "/{{room}}/tagged/{{id}}"}}, invalidates: ["docs:{{identity.tenant}}"]}}
  - name: tagged
    match: {{path: "/{{room}}/tagged"}}
    cache: {{share: identity.tenant, ttl: 1h, tags: ["docs:{{identity.tenant}}"]}}
  - {{name: all, match: {{path: "/{{rest:path}}"}}, cache: {{share: identity.tenant, ttl: 1h}}}}
"""
A, A2, B = (f"Authorization: Opaque {who}" for who in ("ann", "abe", "bob"))
TENANTS = {"Opaque ann": "a", "Opaque abe": "a", "Opaque bob": "b", "sid=1": "a"}
BY_TENANT = "HTTP/1.1 204 Fine\r\nX-Tenant: {}\r\n{}\r\n"
REFUSED = b"HTTP/1.1 401 Unknown\r\nContent-Length: 0\r\n\r\n"


class Service:
    """Knows whose credentials are; `answer` says what it says instead."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str], bytes | None] = self.of_credential
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    def of_credential(self, said: str, more: str = "") -> bytes:
        return BY_TENANT.format(TENANTS[said], more).encode() if said in TENANTS else REFUSED

    async def serve(self, connection: OriginConnection) -> None:
        while True:
            head = (await connection.request_head()).decode("latin-1")
            lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
            said = "; ".join(value for name, _, value in lines if name.lower() in ("authorization", "cookie"))
            self.asked.append(said)
            self.reached.set()
            if self.gate is not None:
                await self.gate.wait()
            answer = self.answer(said)
            if answer is None:
                await connection.closed_by_peer()
                return
            await connection.send(answer)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    await asyncio.sleep(1.05)  # what was said in the test before counts no longer
    async with running_origin(found.serve, at=("127.0.0.1", SERVICE_PORT)):
        yield found


def is_hit(answer: Response) -> bool:
    return "hit" in (answer.lines.get("cache-status") or "")


async def test_who_is_of_one_company_by_the_services_word_shares(talk: Dialogue, service: Service) -> None:
    talk.answers("200\n\na's", "200\n\nb's")
    for _ in range(4):
        for line, text in ((A, "a's"), (A2, "a's"), (B, "b's"), ("Cookie: sid=1", "a's")):
            assert (await talk.ask("GET /x", line)).text() == text
    assert sorted(service.asked) == ["Opaque abe", "Opaque ann", "Opaque bob", "sid=1"]


async def test_who_is_refused_goes_to_the_backend_and_leaves_nothing(talk: Dialogue, service: Service) -> None:
    talk.answers("200\n\na's", *["200\nCache-Control: public, s-maxage=600\n\nhis own"] * 4)
    assert (await talk.ask("GET /x", A)).text() == "a's"
    for line in ("Authorization: Opaque stranger", "Authorization: Opaque stranger", "X-Nothing: here"):
        answer = await talk.ask("GET /x", line)
        assert answer.text() == "his own"
        assert "fwd=bypass; detail=no-identity" in (answer.lines.get("cache-status") or "")
    assert (await talk.ask("GET /x", A, "Cookie: other=1")).text() == "his own", "the backend may go by that"
    assert service.asked == ["Opaque ann", "Opaque stranger"]


async def test_a_credential_that_was_revoked_shares_no_longer_than_the_answer_lasts(
    talk: Dialogue, service: Service
) -> None:
    """Also where the fast path has learned the answer and knows the credential."""
    talk.answers("200\n\na's", "200\n\nhis own")
    for _ in range(5):
        assert (await talk.ask("GET /x", A)).text() == "a's"
    service.answer = lambda _: REFUSED
    await asyncio.sleep(1.01)
    assert (await talk.ask("GET /x", A)).text() == "his own"


async def test_an_answer_that_says_no_store_counts_for_one_request(talk: Dialogue, service: Service) -> None:
    service.answer = lambda said: service.of_credential(said, "Cache-Control: no-store\r\n")
    talk.answers("200\n\na's", "200\n\nhis own")
    for _ in range(5):
        assert (await talk.ask("GET /x", A)).text() == "a's"
    service.answer = lambda _: REFUSED
    assert (await talk.ask("GET /x", A)).text() == "his own"
    assert len(service.asked) == 6


async def test_requests_with_one_credential_ask_together(talk: Dialogue, service: Service) -> None:
    service.gate = asyncio.Event()
    talk.answers("200\n\na's")
    asking = [asyncio.ensure_future(talk.ask("GET /x", A, client=talk.client())) for _ in range(4)]  # noqa: TID251
    await service.reached.wait()
    service.gate.set()
    assert [(await one).text() for one in asking] == ["a's"] * 4
    assert service.asked == ["Opaque ann"]


SILENT = {"silent": None, "500": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "garbage": b"what?\r\n\r\n"}


@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
async def test_a_service_that_fails_is_no_error_and_no_proof(
    talk: Dialogue, service: Service, said: bytes | None
) -> None:
    service.answer = lambda _: said
    talk.answers("200\n\nhis own", "200\n\nhis own")
    for _ in range(2):
        answer = await talk.ask("GET /x", A)
        assert (answer.status, answer.text(), is_hit(answer)) == (200, "his own", False)


async def test_it_is_asked_only_where_its_word_makes_a_difference(talk: Dialogue, service: Service) -> None:
    talk.answers("200\n\n1", "200\n\n2")
    assert (await talk.ask("GET /other", "Cookie: other=1")).text() == "1"
    assert (await talk.ask("GET /other", A)).text() == "2"
    assert service.asked == []


async def test_a_write_ends_what_is_tagged_as_its_companys(talk: Dialogue, service: Service) -> None:
    talk.answers("200\n\na's", "200\n\nb's", "204\n", "200\n\na's new")
    assert (await talk.ask("GET /tagged", A)).text() == "a's"
    assert (await talk.ask("GET /tagged", B)).text() == "b's"
    assert (await talk.ask("PUT /tagged/1", A, body=b"x")).status == 204
    assert (await talk.ask("GET /tagged", B)).text() == "b's"
    assert (await talk.ask("GET /tagged", A2)).text() == "a's new"
