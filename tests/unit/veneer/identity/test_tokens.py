"""Which tokens prove something, by which key."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.tokens import (
    ENDS,
    OTHER_SECRET,
    SECRET,
    PrivateKey,
    pem,
    signed_with_public_key,
    tampered,
    token,
    unsigned,
)
from veneer.core.identity import TokenRules, Window
from veneer.identity.key_sets import KeySet
from veneer.identity.keys import read_keys
from veneer.identity.tokens import TokenReader
from veneer.policy.model_identity import JwtIdentity, JwtKey, KeySetPlace, KeySource

RULES = TokenRules((("tenant", "company"),))
RSA_KEY = rsa.generate_private_key(65537, 2048)


def reader(*keys: JwtKey, cookie: str | None = None) -> TokenReader:
    identity = JwtIdentity(keys, RULES, cookie=cookie)
    return TokenReader(identity, read_keys(identity), "defined")


def secret(key_id: str | None = None) -> JwtKey:
    return JwtKey(KeySource.SECRET_ENV, "SECRET", key_id, SECRET)


def public(key: PrivateKey, key_id: str | None = None) -> JwtKey:
    return JwtKey(KeySource.PUBLIC_KEY, pem(key), key_id, pem(key))


def test_a_good_token_proves_its_claims_until_it_ends() -> None:
    proof = reader(secret()).proof(token(company="a"))
    assert proof is not None
    assert proof.values == (("tenant", "s:a"),)
    assert proof.window == Window(ends=ENDS)
    assert (proof.defined_by, proof.authorization, proof.cookies) == ("defined", True, frozenset())


def test_in_a_cookie_it_is_the_cookie_that_proves() -> None:
    proof = reader(secret(), cookie="access").proof(token(company="a"))
    assert proof is not None
    assert (proof.authorization, proof.cookies) == (False, frozenset({"access"}))


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSA_KEY),
        ("PS512", RSA_KEY),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_each_kind_of_key_checks_its_own(algorithm: str, key: PrivateKey) -> None:
    assert reader(secret(), public(key)).proof(token(key, algorithm, company="a")) is not None
    assert reader(secret()).proof(token(key, algorithm, company="a")) is None


BAD = {
    "empty": "",
    "text": "abc",
    "dots": "..",
    "not json": "bm8.bm8.bm8",
    "two parts": token(company="a").rpartition(".")[0],
    "odd names": "eyJhbGciOlsxXSwia2lkIjp7fX0.e30.x",
    "four parts": token(company="a") + ".x",
    "forged": token(OTHER_SECRET, company="a"),
    "tampered": tampered(token(company="b"), company="a"),
    "unsigned": unsigned(company="a"),
    "unsigned, with a signature": unsigned(company="a") + "x",
    "secret of a public key": signed_with_public_key(pem(RSA_KEY), company="a"),
    "no value": token(sub="x"),
    "a bad date": token(company="a", exp=None, nbf="x"),
    "beyond ascii": "é.é.é",
    "long": "a" * 10_000,
    "no object": jwt.PyJWS().encode(b"[1]", SECRET, "HS256"),
    "no json in it": jwt.PyJWS().encode(b"{", SECRET, "HS256"),
    "deep": jwt.PyJWS().encode(b"[" * 5_000, SECRET, "HS256"),
    "critical": jwt.encode({"company": "a"}, SECRET, "HS256", headers={"crit": ["x"], "x": 1}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_no_good_token_proves_nothing(bad: str) -> None:
    assert reader(secret(), public(RSA_KEY)).proof(bad) is None
    asked = KeySet(KeySetPlace("https://issuer.example", "/keys", 60))
    some = JwtIdentity((secret(),), RULES, frozenset({"HS256"}))
    assert TokenReader(some, read_keys(some), "defined", (asked,)).proof(bad) is None


def test_a_key_with_an_id_checks_tokens_that_name_it() -> None:
    named = jwt.encode({"company": "a"}, SECRET, "HS256", headers={"kid": "one"})
    assert reader(secret("one")).proof(named) is not None
    assert reader(secret("two")).proof(named) is None
    assert reader(secret()).proof(named) is not None
    assert reader(secret("one")).proof(token(company="a")) is None
