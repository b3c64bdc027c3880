"""The certificate that every contender shows where a case is over TLS: of one kind, for the same work."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECURE: Final = "secure"
"""The name of a contender's port that speaks TLS."""
BEGINS: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
ENDS: Final = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def certificate_in(directory: Path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 (ECDSA, P-256) and of its key, made once."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if not key.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        signed = (
            x509.CertificateBuilder(name, name, made.public_key(), x509.random_serial_number(), BEGINS, ENDS)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(made, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        certificate.write_bytes(signed.public_bytes(pem))
        plain = serialization.NoEncryption()
        key.write_bytes(made.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return certificate, key


def trusting() -> ssl.SSLContext:
    """A client that believes any certificate: it asks this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
