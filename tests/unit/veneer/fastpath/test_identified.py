"""Misses and writes of routes where it makes a difference who asks: sent by the fast path for whom it knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support.policies import policy_of
from tests.support.retrieval import ScriptedRetriever
from tests.support.tokens import SECRET, bearer
from tests.unit.veneer.fastpath.stage import Stage, came
from veneer.core.fields import Fields
from veneer.core.identity import pseudonym
from veneer.identity.provers import IdentityProvers
from veneer.loop.tasks import Tasks
from veneer.policy.load import parse_policy
from veneer.policy.watch import PolicySource

POLICY = """
version: 1
upstreams: {backend: {url: "http://127.0.0.1:1"}}
identities:
  api: {jwt: {keys: [{secret_env: TEST_JWT_SECRET}], values: {tenant: company, user: sub}}}
rate_limits:
  few: {key: identity.tenant, rate: 2/1h, burst: 2}
  parts: {key: [client_ip, route], rate: 2/1h, burst: 2}
routes:
  - {name: write, match: {path: "/docs/{id}", methods: [PUT]}, invalidates: ["docs:{identity.tenant}"]}
  - name: docs
    match: {path: "/docs/{id}"}
    cache: {share: identity.tenant, ttl: 1h, tags: ["docs:{identity.tenant}"]}
  - {name: both, match: {path: "/both/{id}"}, cache: {share: [identity.tenant, identity.user], ttl: 1h}}
  - {name: limited, match: {path: "/limited/{id}"}, cache: {share: identity.tenant, ttl: 1h}, rate_limit: few}
  - {name: parts, match: {path: "/parts/{id}"}, rate_limit: parts}
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer; whether the backend was asked for it, and whether it was made of the response by the fast path."""

    status: int
    body: bytes
    was_asked: bool = False
    answered_here: bool = False


class TenantStage(Stage):
    """The same with an issuer of tokens."""

    def made(self) -> None:
        self.source = PolicySource(policy_of(POLICY))
        self.provers = IdentityProvers(ScriptedRetriever(), Tasks())
        self.provers.apply(self.source.current.identities)
        self.services = replace(self.services, identities=self.provers)

    def seen_token(self, **claims: Any) -> str:
        """The line of a request with a token that the pipeline has seen."""
        line = bearer(**claims)
        fields = Fields([("Authorization", line.removeprefix("Authorization: "))])
        self.provers.prove(self.source.current.identities, fields, self.clock.now(), trusted=False)
        return line

    async def get(self, target: str, who: str = "X: y", body: bytes = b"body", method: str = "GET") -> Heard:
        """What comes to a request, and how: by the backend's response where that is asked."""
        sent, self.line.sent[:] = len(self.backend.heads), []
        assert self.ask(target, who, method=method, content=b"" if method == "GET" else b"x")
        was_asked = len(self.backend.heads) > sent
        here = was_asked and self.backend.says(came(body))
        if self.line.pending is not None:
            await self.line.is_over.wait()
        self.line.is_over.clear()
        answer = b"".join(self.line.sent)
        return Heard(int(answer.split(b" ")[1]), answer.partition(b"\r\n\r\n")[2], was_asked, here)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> TenantStage:
    monkeypatch.setenv("TEST_JWT_SECRET", SECRET)
    return TenantStage()


async def test_misses_are_sent_and_stored_for_the_tenant_alone(stage: TenantStage) -> None:
    ann, abe, bob = (stage.seen_token(company=of, sub=who) for of, who in (("a", "ann"), ("a", "abe"), ("b", "bob")))
    assert not (await stage.get("/docs/0", ann)).answered_here, "the first of its kind is the pipeline's"
    for who, body in ((ann, b"a's"), (bob, b"b's")):
        assert await stage.get("/docs/1", who, body) == Heard(200, body, was_asked=True, answered_here=True)
    assert ann.encode() + b"\r\n" in stage.backend.heads[1]
    for who, body in ((ann, b"a's"), (abe, b"a's"), (bob, b"b's")) * 4:
        assert await stage.get("/docs/1", who) == Heard(200, body)


async def test_each_line_tells_who_asked(stage: TenantStage) -> None:
    ann, bob = stage.seen_token(company="a"), stage.seen_token(company="b")
    for target in ("/docs/0", "/docs/1"):
        for who in (ann, bob) * 4:
            await stage.get(target, who)
    stage.observer.work_off()
    told = [record.identity for record in stage.seen]
    assert told == [{"tenant": pseudonym("tenant", who)} for who in "ab"] * 8


async def test_what_the_pipeline_ends_is_for_the_tenant_alone(stage: TenantStage) -> None:
    ann, bob = stage.seen_token(company="a"), stage.seen_token(company="b")
    for who, body in ((ann, b"a's"), (bob, b"b's")):
        assert await stage.get("/docs/1", f"{who}\r\nX-Shape: {body!r}", body) == Heard(200, body, was_asked=True)
        assert await stage.get("/docs/1", who) == Heard(200, body)


async def test_one_that_a_policy_overtakes_is_for_nobody_of_the_next(stage: TenantStage) -> None:
    ann = stage.seen_token(company="a")
    assert stage.ask("/docs/1", ann)
    open_to_all = POLICY.replace('share: identity.tenant, ttl: 1h, tags: ["docs:{identity.tenant}"]', "ttl: 1h")
    stage.source.current = parse_policy(open_to_all, "test")
    assert not stage.backend.says(came(b"a's"))
    await stage.finished()
    assert (await stage.get("/docs/1", body=b"everybody's")).body == b"everybody's"


async def test_with_a_cookie_beside_it_is_the_pipelines(stage: TenantStage) -> None:
    ann = stage.seen_token(company="a")
    assert not stage.ask("/docs/1", ann, "Cookie: sid=1")
    assert not stage.ask("/docs/1", ann, "Cookie: sid=1", method="PUT", content=b"x")
    assert stage.ask("/docs/1", ann, "X-Other: 1")


async def test_whom_nobody_has_checked_or_who_proves_too_little_is_the_pipelines(stage: TenantStage) -> None:
    assert not stage.ask("/docs/1")
    assert not stage.ask("/docs/1", bearer(company="a"))
    assert not stage.ask("/both/1", stage.seen_token(company="a"))
    assert stage.ask("/both/1", stage.seen_token(company="a", sub="ann"))


async def test_who_is_no_longer_known_is_the_pipelines(stage: TenantStage) -> None:
    brief = stage.seen_token(company="a", exp=int(stage.clock.now()) + 10)
    await stage.get("/docs/1", brief)
    assert (await stage.get("/docs/2", brief)).answered_here
    stage.clock.advance(10)
    for target in ("/docs/2", "/docs/3"):
        assert not stage.ask(target, brief)
        assert not stage.ask(target, brief, method="PUT", content=b"x")


async def test_a_write_ends_what_is_the_tenants(stage: TenantStage) -> None:
    ann, bob = stage.seen_token(company="a"), stage.seen_token(company="b")
    for who in (ann, bob):
        await stage.get("/docs/1", who)
    for here in (False, True, True):
        assert (await stage.get("/docs/9", ann, method="PUT")).answered_here is here
        assert not (await stage.get("/docs/1", bob)).was_asked
        assert (await stage.get("/docs/1", ann)).was_asked
    assert (await stage.get("/docs/9", bob, method="PUT")).answered_here, "to the same target, and another's"
    assert not (await stage.get("/docs/1", ann)).was_asked
    assert (await stage.get("/docs/1", bob)).was_asked


async def test_a_tenant_is_counted_as_one_client(stage: TenantStage) -> None:
    ann, abe, bob = (stage.seen_token(company=of, sub=who) for of, who in (("a", "ann"), ("a", "abe"), ("b", "bob")))
    assert [(await stage.get("/limited/1", who)).status for who in (ann, bob)] == [200, 200]
    assert [(await stage.get("/limited/2", who)).status for who in (abe, ann, bob, bob)] == [200, 429, 200, 429]


async def test_a_key_of_several_parts_counts_as_in_the_pipeline(stage: TenantStage) -> None:
    assert [(await stage.get(f"/parts/{number}")).status for number in range(3)] == [200, 200, 429]
