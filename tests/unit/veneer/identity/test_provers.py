"""What requests prove by the identities that were applied last."""

from __future__ import annotations

import logging

import pytest

from tests.support.retrieval import ScriptedRetriever
from tests.support.tokens import OTHER_SECRET, SECRET, token
from veneer.core.fields import Fields
from veneer.core.identity import known_at
from veneer.identity.provers import IdentityProvers
from veneer.loop.tasks import Tasks
from veneer.policy.load import parse_policy
from veneer.policy.model_identity import Identity

NOW = 1_700_000_000.0
POLICY = """\
trusted_proxies: [10.0.0.0/8]
identities:
  api: {jwt: {keys: [{secret_env: TEST_SECRET}], values: {tenant: company, user: sub}}}
  page: {jwt: {keys: [{secret_env: TEST_SECRET}], cookie: access, values: {reader: sub}}}
  login: {session: {cookies: [sid, device], value: session}}
  front: {header: {values: {mail: X-Mail}}}
"""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", SECRET)


def provers_of(retriever: ScriptedRetriever | None = None) -> IdentityProvers:
    return IdentityProvers(retriever or ScriptedRetriever(), Tasks())


def identities(text: str = POLICY) -> tuple[Identity, ...]:
    return parse_policy(text, "p").identities


def proven(*fields: tuple[str, str], trusted: bool = False, now: float = NOW) -> dict[str, str]:
    provers, defined = provers_of(), identities()
    provers.apply(defined)
    asked = Fields(fields)
    first = known_at(provers.prove(defined, asked, now, trusted=trusted), now)
    assert known_at(provers.prove(defined, asked, now, trusted=trusted), now) == first, "remembered, it proves the same"
    return first


def test_a_bearer_token_proves_its_claims() -> None:
    assert proven(("Authorization", f"Bearer {token(company='a', sub='x')}")) == {"tenant": "s:a", "user": "s:x"}
    assert proven(("authorization", f"bEARER  {token(company='a')} ")) == {"tenant": "s:a"}


@pytest.mark.parametrize("line", ["", "Bearer", "Bearer ", "Basic x", f"Token {token(company='a')}", "Bearer \xe9"])
def test_another_authorization_proves_nothing(line: str) -> None:
    assert proven(("Authorization", line)) == {}


def test_two_authorizations_prove_nothing() -> None:
    line = ("Authorization", f"Bearer {token(company='a')}")
    assert proven(line, line) == {}


def test_a_token_outside_of_its_time_proves_nothing() -> None:
    late = ("Authorization", f"Bearer {token(company='a', exp=int(NOW))}")
    assert proven(late, now=NOW - 1) == {"tenant": "s:a"}
    assert proven(late, now=NOW) == {}
    assert proven(("Authorization", f"Bearer {token(company='a', nbf=int(NOW) + 1)}")) == {}


def test_a_token_in_a_cookie() -> None:
    good = token(sub="x")
    assert proven(("Cookie", f"a=1; access={good}")) == {"reader": "s:x"}
    assert proven(("Cookie", f"access={good}; access={good}")) == {}
    assert proven(("Cookie", f"access={good}, b=1")) == {}
    assert proven(("Cookie", "access=")) == {}
    assert proven(("Cookie", f"access={token(OTHER_SECRET, sub='x')}")) == {}
    assert proven(("Cookie", f"access={token(sub='x', exp=int(NOW))}")) == {}


def test_a_session_is_all_of_its_cookies() -> None:
    whole = proven(("Cookie", "sid=1; device=2"))
    assert whole.keys() == {"session"}
    assert proven(("Cookie", "device=2"), ("Cookie", "sid=1")) == whole
    assert proven(("Cookie", "sid=12; device=")) == {}
    assert proven(("Cookie", "sid=1")) == {}
    assert proven(("Cookie", "sid=1; device=3")) != whole
    assert proven(("Cookie", "sid; device=2")) == {}


def test_fields_count_from_trusted_proxies_alone() -> None:
    assert proven(("X-Mail", "a@b"), trusted=True) == {"mail": "s:a@b"}
    assert proven(("X-Mail", "a@b")) == {}
    assert proven(("X-Mail", "a" * 300), trusted=True) == {}


def test_a_token_that_was_remembered_is_known_to_the_fast_path_until_it_ends() -> None:
    provers, defined = provers_of(), identities()
    provers.apply(defined)
    line = f"Bearer {token(company='a', exp=int(NOW) + 10)}"
    assert provers.bearers.find(defined, line.encode(), NOW) is None
    provers.prove(defined, Fields([("Authorization", line)]), NOW, trusted=False)
    known = provers.bearers.find(defined, line.encode(), NOW + 9)
    assert known is not None
    assert known.scope(("tenant",), NOW + 9) is not None
    assert known.scope(("tenant", "user"), NOW) is None
    assert known.scope(("tenant",), NOW + 10) is None
    assert provers.bearers.find(defined, line.encode(), NOW + 10) is None


def test_other_definitions_forget_what_was_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    provers, before = provers_of(), identities()
    provers.apply(before)
    fields = Fields([("Authorization", f"Bearer {token(company='a')}")])
    assert provers.prove(before, fields, NOW, trusted=False)
    monkeypatch.setenv("TEST_SECRET", OTHER_SECRET)
    after = identities()
    provers.apply(after)
    assert not provers.prove(after, fields, NOW, trusted=False)
    assert not provers.prove(before, fields, NOW, trusted=False), "nor does anything by the former ones"
    assert provers.bearers.find(after, fields.joined["authorization"].encode(), NOW) is None
    assert provers.bearers.find(before, fields.joined["authorization"].encode(), NOW) is None


def test_an_identity_whose_key_is_none_proves_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    text = POLICY.replace("{secret_env: TEST_SECRET}", '{public_key: "-----BEGIN PUBLIC KEY-----"}')
    provers, defined = provers_of(), identities(text)
    with caplog.at_level(logging.ERROR):
        provers.apply(defined)
    assert "identity api proves nothing" in caplog.text
    asked = Fields([("Authorization", f"Bearer {token(company='a')}"), ("Cookie", f"access={token(sub='x')}")])
    assert provers.prove(defined, asked, NOW, trusted=False) == ()
