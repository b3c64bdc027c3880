"""The keys by which tokens are checked: where the policy says they are, and which algorithms each may check.

What a key is decides that, never the token: a public key is not taken for a secret of HMAC, and nothing is taken for
`none`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from veneer.policy.model_identity import JwtIdentity, JwtKey, KeySource

HMAC: Final = frozenset({"HS256", "HS384", "HS512"})
RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
EDWARDS: Final = frozenset({"EdDSA"})
LEAST_RSA_BITS: Final = 2048
"""RFC 7518 section 3.3."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey


class BadKeyError(Exception):
    """A key that cannot be used: which, and why."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place} {why}")


@dataclass(frozen=True, slots=True)
class CheckingKey:
    """A key with the algorithms that it may check; `key_id` None is for tokens of every `kid`."""

    key: bytes | PublicKey
    algorithms: tuple[str, ...]
    key_id: str | None = None


def read_keys(identity: JwtIdentity) -> tuple[CheckingKey, ...]:
    """The keys of an identity. Raises BadKeyError where one is none, or too weak."""
    return tuple([_read(key, identity.algorithms) for key in identity.keys])


def _read(key: JwtKey, wanted: frozenset[str]) -> CheckingKey:
    raw = key.text.encode("utf-8", "surrogateescape")
    found: bytes | PublicKey
    if not raw:
        raise BadKeyError(key.place, "is a variable that is not set in the environment")
    if key.source.is_secret:
        found, fitting = raw, HMAC
    else:
        found = public_key(raw, key.place if key.source is KeySource.PUBLIC_KEY_FILE else "public_key")
        fitting = algorithms_of(found)
    return CheckingKey(found, tuple(sorted(fitting & wanted if wanted else fitting)), key.key_id)


def public_key(pem: bytes, place: str) -> PublicKey:
    """The public key, or that of the certificate, in PEM. Raises BadKeyError."""
    try:
        found = _loaded(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKeyError(place, "is no public key in PEM") from error
    return usable(found, place)


def usable(found: object, place: str) -> PublicKey:
    """The key, if it is one that tokens are checked by. Raises BadKeyError."""
    if not isinstance(found, PublicKey):
        raise BadKeyError(place, "is a key of a kind that no token is signed with")
    if isinstance(found, RSAPublicKey) and found.key_size < LEAST_RSA_BITS:
        raise BadKeyError(place, f"has {found.key_size} bits, and needs {LEAST_RSA_BITS}")
    if not algorithms_of(found):
        raise BadKeyError(place, "is on a curve that no token is signed with")
    return found


def _loaded(pem: bytes) -> object:
    if b"BEGIN CERTIFICATE" in pem:
        return load_pem_x509_certificate(pem).public_key()
    return load_pem_public_key(pem)


def algorithms_of(key: PublicKey) -> frozenset[str]:
    """The algorithms (RFC 7518 section 3.1, RFC 8037) that a public key may check."""
    match key:
        case RSAPublicKey():
            return RSA
        case EllipticCurvePublicKey():
            return frozenset([CURVES[key.curve.name]] if key.curve.name in CURVES else [])
        case _:
            return EDWARDS
