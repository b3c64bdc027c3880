"""Which keys are taken, and what each may check."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.tokens import SECRET, pem
from veneer.core.identity import TokenRules
from veneer.identity.keys import EDWARDS, HMAC, RSA, BadKeyError, read_keys
from veneer.policy.model_identity import JwtIdentity, JwtKey, KeySource


def read(source: KeySource, text: str, algorithms: frozenset[str] = frozenset()) -> tuple[str, ...]:
    identity = JwtIdentity((JwtKey(source, "place", text=text),), TokenRules(()), algorithms)
    return read_keys(identity)[0].algorithms


def test_a_secret_checks_hmac_and_nothing_else() -> None:
    assert set(read(KeySource.SECRET_ENV, SECRET)) == HMAC
    assert set(read(KeySource.SECRET_FILE, SECRET)) == HMAC
    assert read(KeySource.SECRET_ENV, SECRET, frozenset({"HS512", "RS256"})) == ("HS512",)


def test_a_public_key_checks_what_its_kind_signs() -> None:
    assert set(read(KeySource.PUBLIC_KEY_FILE, pem(rsa.generate_private_key(65537, 2048)))) == RSA
    assert read(KeySource.PUBLIC_KEY, pem(ec.generate_private_key(ec.SECP256R1()))) == ("ES256",)
    assert read(KeySource.PUBLIC_KEY, pem(ec.generate_private_key(ec.SECP384R1()))) == ("ES384",)
    assert set(read(KeySource.PUBLIC_KEY, pem(ed25519.Ed25519PrivateKey.generate()))) == EDWARDS


def weak() -> str:
    return pem(rsa.generate_private_key(65537, 1024))


def odd_curve() -> str:
    return pem(ec.generate_private_key(ec.SECP256K1()))


def odd_kind() -> str:
    public = dsa.generate_private_key(1024).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def garbage() -> str:
    return "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("make", [weak, odd_curve, odd_kind, garbage])
def test_public_keys_that_are_weak_or_of_no_use_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(BadKeyError, match="public_key "):
        read(KeySource.PUBLIC_KEY, make())


def test_a_variable_that_is_not_set_is_no_key() -> None:
    with pytest.raises(BadKeyError, match="not set"):
        read(KeySource.SECRET_ENV, "")
