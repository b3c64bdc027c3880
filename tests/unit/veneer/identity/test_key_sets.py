"""When published keys are fetched, and what becomes of what was proven by them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.retrieval import ScriptedRetriever
from tests.support.tokens import jwk, key_set, named_bearer
from veneer.core.fields import Fields
from veneer.core.identity import known_at
from veneer.identity.key_sets import KeySet, KeySets
from veneer.identity.provers import IdentityProvers
from veneer.loop.tasks import Tasks
from veneer.policy.load import parse_policy
from veneer.policy.model_identity import Identity, JwtIdentity, KeySetPlace
from veneer.ports import Retrieved

NOW = 1_700_000_000.0
FIRST, SECOND = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
POLICY = """\
identities:
  api:
    jwt: {keys: [{jwks: "https://issuer.example/keys", refresh: 60s}], issuer: us, values: {tenant: company}}
"""
PLACE = KeySetPlace("https://issuer.example", "/keys", 60.0)


def published(*keys: tuple[ec.EllipticCurvePrivateKey, str]) -> dict[str, Retrieved | None]:
    return {"/keys": Retrieved(200, Fields(), key_set(*[jwk(key, name) for key, name in keys]))}


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks()
    yield kept
    await kept.aclose()


def asked(key: ec.EllipticCurvePrivateKey, name: str | None, company: str = "a", issuer: str = "us") -> Fields:
    return Fields([("Authorization", named_bearer(key, name, company=company, iss=issuer).partition(": ")[2])])


def line(fields: Fields) -> bytes:
    return fields.joined["authorization"].encode()


def defined() -> tuple[Identity, ...]:
    return parse_policy(POLICY, "p").identities


def proven(provers: IdentityProvers, by: tuple[Identity, ...], fields: Fields) -> dict[str, str]:
    return known_at(provers.prove(by, fields, NOW, trusted=False), NOW)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Pauses:
    """Sleeps that end when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._ends = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._ends.acquire()

    async def end(self) -> None:
        self._ends.release()
        await turns()


async def test_a_token_proves_by_a_published_key_once_it_was_fetched(tasks: Tasks) -> None:
    gate = asyncio.Event()
    provers = IdentityProvers(ScriptedRetriever(published((FIRST, "one")), gate), tasks)
    by = defined()
    provers.apply(by)
    assert proven(provers, by, asked(FIRST, "one")) == {}
    gate.set()
    await turns()
    assert proven(provers, by, asked(FIRST, "one")) == {"tenant": "s:a"}
    assert proven(provers, by, asked(FIRST, "two")) == {}
    assert proven(provers, by, asked(FIRST, None)) == {}
    assert proven(provers, by, asked(SECOND, "one")) == {}


async def test_a_key_that_left_the_set_proves_nothing_any_more(tasks: Tasks) -> None:
    retriever = ScriptedRetriever(published((FIRST, "one"), (SECOND, "two")))
    provers, by = IdentityProvers(retriever, tasks), defined()
    provers.apply(by)
    await turns()
    one, two = asked(FIRST, "one"), asked(SECOND, "two")
    for fields in (one, two):
        assert proven(provers, by, fields)
        assert provers.bearers.find(by, line(fields), NOW) is not None
    retriever.answers = published((SECOND, "two"))
    await provers.key_sets.fetch(provers.key_sets.at([PLACE])[0])
    assert provers.bearers.find(by, line(one), NOW) is None
    assert proven(provers, by, one) == {}
    assert proven(provers, by, two) == {"tenant": "s:a"}


async def test_the_same_keys_again_forget_nothing(tasks: Tasks) -> None:
    provers, by = IdentityProvers(ScriptedRetriever(published((FIRST, "one"))), tasks), defined()
    provers.apply(by)
    await turns()
    fields = asked(FIRST, "one")
    proven(provers, by, fields)
    await provers.key_sets.fetch(provers.key_sets.at([PLACE])[0])
    assert provers.bearers.find(by, line(fields), NOW) is not None


@pytest.mark.parametrize(
    "away", [{}, {"/keys": Retrieved(500, Fields(), key_set())}, {"/keys": Retrieved(200, Fields(), b"<html>")}]
)
async def test_known_keys_go_on_while_the_issuer_is_away_and_it_is_said_once(
    tasks: Tasks, away: dict[str, Retrieved | None], caplog: pytest.LogCaptureFixture
) -> None:
    retriever = ScriptedRetriever(published((FIRST, "one")))
    provers, by = IdentityProvers(retriever, tasks), defined()
    provers.apply(by)
    await turns()
    known = provers.key_sets.at([PLACE])[0]
    retriever.answers = away
    with caplog.at_level(logging.INFO):
        await provers.key_sets.fetch(known)
        await provers.key_sets.fetch(known)
        assert caplog.text.count("the 1 keys known go on") == 1
        assert proven(provers, by, asked(FIRST, "one")) == {"tenant": "s:a"}
        retriever.answers = published((FIRST, "one"))
        await provers.key_sets.fetch(known)
        assert caplog.text.count("1 keys to check tokens by") == 1
    assert (provers.key_sets.counts.fetched, provers.key_sets.counts.failed) == (2, 2)


async def test_an_unknown_key_has_the_set_fetched_but_not_twice_in_ten_seconds(tasks: Tasks) -> None:
    retriever, pauses = ScriptedRetriever(published((FIRST, "one"))), Pauses()
    provers, by = IdentityProvers(retriever, tasks), defined()
    provers.key_sets = KeySets(retriever, tasks, provers.forget, pauses.sleep)
    provers.apply(by)
    await turns()
    assert (len(retriever.asked), pauses.asked) == (1, [10.0])
    for _ in range(5):
        assert proven(provers, by, asked(SECOND, "two")) == {}
        await turns()
    assert len(retriever.asked) == 1
    await pauses.end()
    assert len(retriever.asked) == 2
    await pauses.end()
    assert len(retriever.asked) == 2, "nobody has asked since"
    retriever.answers = published((FIRST, "one"), (SECOND, "two"))
    assert proven(provers, by, asked(SECOND, "two", issuer="another")) == {}
    await turns()
    assert len(retriever.asked) == 2, "it is another issuer's key"
    proven(provers, by, asked(SECOND, "two"))
    await turns()
    assert proven(provers, by, asked(SECOND, "two")) == {"tenant": "s:a"}


async def test_an_issuer_that_is_away_is_asked_every_ten_seconds(tasks: Tasks) -> None:
    retriever, pauses = ScriptedRetriever(), Pauses()
    sets = KeySets(retriever, tasks, lambda: None, pauses.sleep)
    tasks.start(sets.keep(KeySet(PLACE)), "keep")
    await turns()
    for count in range(1, 4):
        assert (len(retriever.asked), pauses.asked) == (count, [10.0] * count)
        await pauses.end()


async def test_another_policy_keeps_what_is_known_of_sets_that_stay(tasks: Tasks) -> None:
    retriever = ScriptedRetriever(published((FIRST, "one")))
    provers = IdentityProvers(retriever, tasks)
    provers.apply(defined())
    await turns()
    by = defined()
    provers.apply(by)
    assert proven(provers, by, asked(FIRST, "one")) == {"tenant": "s:a"}
    assert len(retriever.asked) == 1
    provers.apply(())
    await turns()
    assert len(tasks) == 0


def test_where_keys_are_published_by_a_policy() -> None:
    authorities = Path(__file__).parents[3] / "support" / "localhost.pem"
    said = f"[{{jwks: 'https://issuer.example:8443/keys?v=1', ca: {authorities}}}]"
    text = POLICY.replace('[{jwks: "https://issuer.example/keys", refresh: 60s}]', said)
    proof = parse_policy(text, "p").identities[0].proof
    assert isinstance(proof, JwtIdentity)
    assert proof.key_sets == (KeySetPlace("https://issuer.example:8443", "/keys?v=1", 300.0, str(authorities)),)
