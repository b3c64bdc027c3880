"""How a listener makes itself known to its clients (TLS): certificates with their keys, and what is spoken."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509

from veneer.policy.file_copies import NO_COPIES, FileCopies

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secret and authenticated (RFC 9325 section 4.2). Those of TLS 1.3 all are."""
ALPN: Final = ("http/1.1",)
MAX_FILE_BYTES: Final = 256 * 1024
SOON_S: Final = 14 * 86_400.0
"""So long before a certificate ends somebody should hear of it: who renews by themselves do so earlier."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is asked of a certificate: the names it is for, in lower case, and when it holds, in seconds since 1970."""

    names: tuple[str, ...]
    begins: float
    ends: float


_Choose = Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """PEM files of a certificate with its chain, and of its key, where that is not in the same file.

    `digest` stands for what was in them when the policy was read, and `held` is the certificate as it was then; None
    where there was none. `line`, `column` and `file` are where the policy names the certificate, and `copies` are where
    the files are read instead.
    """

    certificate: str
    key: str | None = None
    digest: str = ""
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)
    held: Certificate | None = field(default=None, compare=False, repr=False)
    copies: FileCopies = field(default=NO_COPIES, compare=False, repr=False)

    @property
    def certificate_path(self) -> str:
        """Where the certificate is read."""
        return self.copies.of(self.certificate)

    @property
    def key_path(self) -> str | None:
        """Where the key is read."""
        return None if self.key is None else self.copies.of(self.key)


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """The pairs, of which the first is for clients that ask for no name that another one has; the least version."""

    pairs: tuple[CertificatePair, ...]
    min_version: str = "1.2"


class UnusablePairError(ValueError):
    """A pair that cannot be used: `pair` is its place, `member` names the file."""

    def __init__(self, pair: int, member: str, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.pair = pair
        self.member = member
        self.suggestion = suggestion


def server_context(settings: ListenerTls) -> ssl.SSLContext:
    """What connections are taken with. Reads the files. Raises UnusablePairError."""
    contexts = [_context(settings, index) for index in range(len(settings.pairs))]
    if len(contexts) > 1:
        by_name: dict[str, ssl.SSLContext] = {}
        for pair, context in zip(settings.pairs, contexts, strict=True):
            for name in certificate_of(pair).names:
                by_name.setdefault(name, context)
        contexts[0].sni_callback = _chooser(by_name)
    return contexts[0]


def _chooser(by_name: dict[str, ssl.SSLContext]) -> _Choose:
    def choose(asked: ssl.SSLObject, name: str | None, _first: ssl.SSLContext) -> None:
        """Take the pair for the name that the client asks for; one with a star stands for one label."""
        if name is not None:
            lower = name.lower()
            found = by_name.get(lower) or by_name.get("*." + lower.partition(".")[2])
            if found is not None:
                asked.context = found

    return choose


def _context(settings: ListenerTls, index: int) -> ssl.SSLContext:
    pair = settings.pairs[index]
    for member, name in (("certificate", pair.certificate), ("key", pair.key)):
        if name is not None:
            _readable(index, member, name, pair.copies)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(list(ALPN))
    try:
        context.load_cert_chain(pair.certificate_path, pair.key_path, password=_no_password)
    except ssl.SSLError as error:
        raise _unusable(index, pair, error) from None
    return context


def _no_password() -> str:
    """Without it a key with a password would be asked for at a terminal."""
    return ""


def _readable(index: int, member: str, name: str, copies: FileCopies) -> None:
    try:
        with Path(copies.of(name)).open("rb") as file:
            file.read(1)
    except OSError as error:
        msg = f'"{name}" cannot be read: {error.strerror}'
        raise UnusablePairError(index, member, msg, "name a file that the proxy may read") from None


def _has_password(path: str) -> bool:
    with Path(path).open("rb") as file:
        return b"ENCRYPTED" in file.read(MAX_FILE_BYTES)


def _unusable(index: int, pair: CertificatePair, error: ssl.SSLError) -> UnusablePairError:
    """The reason, by OpenSSL's word for it."""
    word = error.reason or ""
    keys = pair.key or pair.certificate
    if word == "KEY_VALUES_MISMATCH":
        msg = f'"{keys}" holds the key of another certificate than "{pair.certificate}"'
        return UnusablePairError(index, "key" if pair.key else "certificate", msg, "name the key that belongs to it")
    try:
        certificate_of(pair)
    except ValueError:
        msg = f'"{pair.certificate}" does not hold a certificate in PEM'
        return UnusablePairError(index, "certificate", msg, "name one that begins with -----BEGIN CERTIFICATE-----")
    member = "key" if pair.key else "certificate"
    if _has_password(pair.copies.of(keys)):
        return UnusablePairError(index, member, f'"{keys}" holds a key with a password', "name one without")
    why = word.lower().replace("_", " ")
    return UnusablePairError(index, member, f'"{keys}" does not hold the key in PEM{f" ({why})" if why else ""}')


def certificate_of(pair: CertificatePair) -> Certificate:
    """The first certificate in the pair's file. Raises ValueError, and OSError where it cannot be read."""
    with Path(pair.certificate_path).open("rb") as file:
        found = x509.load_pem_x509_certificate(file.read(MAX_FILE_BYTES))
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        told = tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        told = ()
    return Certificate(told, found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp())


def out_of_time(settings: ListenerTls, now_s: float) -> Iterator[tuple[CertificatePair, str]]:
    """Pairs that do not hold now, or not for long any more, and why. They are shown all the same: there is no other."""
    for pair in settings.pairs:
        found = pair.held
        if found is None:
            continue
        if now_s >= found.ends:
            yield pair, f'"{pair.certificate}" has expired on {_day(found.ends)}: clients refuse it'
        elif found.ends - now_s < SOON_S:
            yield pair, f'"{pair.certificate}" expires on {_day(found.ends)}: from then on clients refuse it'
        elif now_s < found.begins:
            yield pair, f'"{pair.certificate}" holds only from {_day(found.begins)} on: clients refuse it'


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
