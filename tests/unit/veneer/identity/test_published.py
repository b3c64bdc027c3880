"""Which keys of a published set tokens are checked by."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from tests.support.tokens import jwk, key_set
from veneer.identity.keys import RSA
from veneer.identity.published import MOST_KEYS, BadKeySetError, published_keys

EC, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def test_a_key_checks_what_its_kind_signs_or_less_where_it_says_so() -> None:
    found = published_keys(key_set(jwk(EC, "a"), jwk(RSA_KEY, "b"), jwk(RSA_KEY, alg="PS256"), jwk(EC, alg="ES256")))
    assert [(key.key_id, frozenset(key.algorithms)) for key in found] == [
        ("a", frozenset({"ES256"})),
        ("b", RSA),
        (None, frozenset({"PS256"})),
        (None, frozenset({"ES256"})),
    ]
    assert found[0].key == EC.public_key()


def test_keys_on_edwards_curves_by_both_of_their_names() -> None:
    curve = ed25519.Ed25519PrivateKey.generate()
    said = [jwk(curve), jwk(curve, alg="EdDSA"), jwk(curve, alg="Ed25519")]
    assert [key.algorithms for key in published_keys(key_set(*said))] == [("EdDSA",)] * 3


IGNORED: dict[str, Any] = {
    "a secret": {"kty": "oct", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWhtYWM", "kid": "x", "alg": "HS256"},
    "a public key for HMAC": jwk(RSA_KEY, "x", alg="HS256"),
    "none": jwk(RSA_KEY, "x", alg="none"),
    "another kind's algorithm": jwk(EC, "x", alg="RS256"),
    "another curve's algorithm": jwk(EC, "x", alg="ES384"),
    "for encryption": jwk(RSA_KEY, "x", use="enc"),
    "for signing": jwk(RSA_KEY, "x", key_ops=["sign"]),
    "a private key": ECAlgorithm.to_jwk(EC, as_dict=True),
    "weak": jwk(rsa.generate_private_key(65537, 1024)),
    "an odd curve": jwk(ec.generate_private_key(ec.SECP256K1())),
    "an unknown curve": OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True)
    | {"crv": "X448"},
    "an unknown kind": {"kty": "AKP", "pub": "x"},
    "no point": {**jwk(EC), "x": "AAAA"},
    "no text": {**jwk(EC), "x": 1},
    "a number for an id": jwk(EC, alg="ES256") | {"kid": 1},
    "no object": [],
    "nothing": {},
}


@pytest.mark.parametrize("said", IGNORED.values(), ids=IGNORED)
def test_what_is_no_key_to_check_by_is_ignored(said: Any) -> None:
    found = published_keys(key_set(said, jwk(EC, "good")))
    assert [key.key_id for key in found] == ["good"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b"\xff", b"[" * 100_000, key_set(*[jwk(EC)] * (MOST_KEYS + 1))],
)
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(BadKeySetError):
        published_keys(body)


def test_a_set_may_be_empty() -> None:
    assert published_keys(key_set()) == ()
