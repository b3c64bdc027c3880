"""Tokens as issuers make them, good and bad ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = "a-secret-of-tests-that-has-at-least-32-bytes"
OTHER_SECRET = "another-secret-of-tests-with-at-least-32-bytes"
ENDS = 4_000_000_000
"""A moment far away, in seconds since the epoch."""
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def token(secret: str | PrivateKey = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A signed token; it ends far away unless `exp` says otherwise, None for not at all."""
    said = {"exp": ENDS, **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm)


def bearer(*, secret: str | PrivateKey = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """The line of a request with such a token."""
    return f"Authorization: Bearer {token(secret, algorithm, **claims)}"


def pem(key: PrivateKey) -> str:
    """The public key that belongs to it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def unsigned(**claims: Any) -> str:
    """A token of the algorithm `none`."""
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part({'exp': ENDS, **claims})}."


def signed_with_public_key(public: str, **claims: Any) -> str:
    """A token of HS256 whose secret is somebody's public key, which everybody knows."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'exp': ENDS, **claims})}"
    made = hmac.new(public.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(made)}"


def tampered(good: str, **claims: Any) -> str:
    """The token with other claims under the same signature."""
    header, payload, signature = good.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"{header}.{_part({**said, **claims})}.{signature}"


def secret_file(directory: Path, secret: str = SECRET) -> Path:
    """A file with a secret in it."""
    path = directory / "secret"
    path.write_text(secret + "\n", "utf-8")
    return path


def _part(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(key: PrivateKey, key_id: str | None = None, **members: Any) -> dict[str, Any]:
    """The public key as an issuer publishes it (RFC 7517)."""
    public = key.public_key()
    match public:
        case rsa.RSAPublicKey():
            said = json.loads(RSAAlgorithm.to_jwk(public))
        case ec.EllipticCurvePublicKey():
            said = json.loads(ECAlgorithm.to_jwk(public))
        case _:
            said = json.loads(OKPAlgorithm.to_jwk(public))
    said.pop("key_ops", None)
    return {**said, **({} if key_id is None else {"kid": key_id}), **members}


def key_set(*keys: dict[str, Any]) -> bytes:
    """A set of published keys."""
    return json.dumps({"keys": keys}).encode()


def named_bearer(key: PrivateKey, key_id: str | None, algorithm: str = "ES256", **claims: Any) -> str:
    """The line of a request with a token that names its key."""
    made = jwt.encode({"exp": ENDS, **claims}, key, algorithm, headers={"kid": key_id} if key_id else None)
    return f"Authorization: Bearer {made}"
