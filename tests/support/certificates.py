"""Certificates made for a test: signed by themselves, for names and times of its choice."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGINS = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
ENDS = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path

    def trusting(self, *, least: ssl.TLSVersion | None = None, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client that believes this certificate alone."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if least is not None:
            context.minimum_version = least
        if most is not None:
            context.maximum_version = most
        return context

    def as_policy(self, more: str = "") -> str:
        """The section `tls` in flow style."""
        return f"{{certificate: {self.certificate}, key: {self.key}{more}}}"


def new_pair(
    folder: Path, name: str, *, names: tuple[str, ...] = ("localhost",), ends: dt.datetime = ENDS, secret: bytes = b""
) -> Pair:
    """A pair of files NAME.pem and NAME.key, written anew; the key has a password where there is a `secret`."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder(own, own, key.public_key(), x509.random_serial_number(), BEGINS, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    hidden = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(signed.public_bytes(pem))
    pair.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, hidden))
    return pair
