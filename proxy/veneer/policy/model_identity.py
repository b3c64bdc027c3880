"""Identities as the rest of the proxy sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from veneer.core.identity import TokenRules
from veneer.policy.tls import BY_SYSTEM, TlsSettings


class KeySource(Enum):
    """Where a key is, and what it is."""

    SECRET_ENV = "secret_env"  # noqa: S105 - where one is
    SECRET_FILE = "secret_file"  # noqa: S105
    PUBLIC_KEY = "public_key"
    PUBLIC_KEY_FILE = "public_key_file"

    @property
    def is_secret(self) -> bool:
        """Whether it is shared with who signs (HMAC); else it is a public key."""
        return self in (KeySource.SECRET_ENV, KeySource.SECRET_FILE)


@dataclass(frozen=True, slots=True)
class JwtKey:
    """One key: `place` is the variable, the file or the text itself. `key_id` None checks tokens of every `kid`.

    `text` is what was found there. It is not shown, and no part of what stands for the definition: whoever proves
    something by a renewed key proves the same.
    """

    source: KeySource
    place: str
    key_id: str | None = None
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        """What it is, on one line; of a key in the file itself its kind alone."""
        place = "" if self.source is KeySource.PUBLIC_KEY else f" {self.place}"
        return f"{self.source.value}{place}" + ("" if self.key_id is None else f" for {self.key_id}")


@dataclass(frozen=True, slots=True)
class KeySetPlace:
    """Where an issuer publishes its keys: `target` at `origin`, asked for every `refresh_s` seconds.

    `ca` names the file of the authorities that vouch for the origin; None are the system's.
    """

    origin: str
    target: str
    refresh_s: float
    ca: str | None = None

    def __str__(self) -> str:
        """The URL."""
        return self.origin + self.target


@dataclass(frozen=True, slots=True)
class JwtIdentity:
    """Signed tokens, in the cookie or, where that is None, in Authorization. Empty `algorithms` are all that fit.

    A token has to be signed by one of the `keys`, or by one that is published in one of the `key_sets`.
    """

    keys: tuple[JwtKey, ...]
    rules: TokenRules
    algorithms: frozenset[str] = frozenset()
    cookie: str | None = None
    key_sets: tuple[KeySetPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """Session cookies: `value` names the digest of them all."""

    cookies: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class HeaderIdentity:
    """Fields from trusted proxies: `named` are identity values and lower-case fields."""

    named: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CredentialNames:
    """Which fields of requests are credentials: Authorization, and cookies by name."""

    authorization: bool
    cookies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """A service that answers: `target` at `origin`, which is written as an upstream's URL is, and at the `others`."""

    origin: str
    target: str
    tls: TlsSettings = BY_SYSTEM
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The URL."""
        return self.origin + self.target


@dataclass(frozen=True, slots=True)
class SubrequestIdentity:
    """Credentials of which a service says whose they are: `named` are identity values and fields of its answer.

    Its word counts for `lasts_s` seconds, or less where it says so; it has `timeout_s` to answer.
    """

    place: ServicePlace
    credentials: CredentialNames
    named: tuple[tuple[str, str], ...]
    lasts_s: float
    timeout_s: float


ProofRules = JwtIdentity | SessionIdentity | HeaderIdentity | SubrequestIdentity


@dataclass(frozen=True, slots=True)
class Identity:
    """One definition under `identities`. `digest` stands for all that proves; `logged` values may be read in logs."""

    name: str
    proof: ProofRules
    digest: str
    logged: frozenset[str] = frozenset()

    @property
    def cookies(self) -> tuple[str, ...]:
        """The cookies that may prove it."""
        match self.proof:
            case JwtIdentity(cookie=cookie):
                return () if cookie is None else (cookie,)
            case SessionIdentity(cookies=cookies):
                return cookies
            case SubrequestIdentity(credentials=credentials):
                return credentials.cookies
            case HeaderIdentity():
                return ()

    @property
    def values(self) -> tuple[str, ...]:
        """The names of its values."""
        match self.proof:
            case JwtIdentity(rules=rules):
                return tuple(name for name, _ in rules.named)
            case SessionIdentity(value=value):
                return (value,)
            case HeaderIdentity(named=named) | SubrequestIdentity(named=named):
                return tuple(name for name, _ in named)
