"""What of a policy concerns the whole proxy: bounds, time-outs, the admin listener, stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from veneer.core.listen_address import ListenAddress
from veneer.policy.listener_tls import ListenerTls

LEAST_TOKEN_CHARS: Final = 16
"""What is shorter can be guessed."""


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Bounds on what clients may send; heads beyond them get 431, targets 414, bodies 413."""

    head_bytes: int = 32 * 1024
    header_count: int = 128
    target_bytes: int = 8 * 1024
    body_bytes: int = 1024**3
    connections: int = 20_000
    in_flight: int = 2_000


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """How long a client may take: to shake hands, between requests, for a head, between pieces of a body, at a stop."""

    idle_s: float = 75.0
    head_s: float = 15.0
    body_s: float = 30.0
    drain_s: float = 20.0
    drain_delay_s: float = 0.0
    handshake_s: float = 10.0


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The admin listener; read at start only, but for the token in `token_file`.

    `token_env` names the environment variable that holds its token where there is no file, `token` is what the file
    holds. `probes` is where the read-only part of it is without a token; None for nowhere.
    """

    listen: str = "127.0.0.1:9090"
    token_env: str | None = None
    probes: str | None = None
    token_file: str | None = None
    token: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """A place where clients connect. `mode` and `peer` are for sockets; `address` and `mode` are read at start only.

    `mode` is in octal digits, as of chmod, `peer` the address of whoever connects through a socket. With `tls` clients
    have to speak that, and with `proxy_protocol` come through proxies of these networks, which tell their addresses.
    """

    address: ListenAddress
    mode: str = "0660"
    peer: str = "127.0.0.1"
    tls: ListenerTls | None = None
    proxy_protocol: tuple[str, ...] = ()

    @property
    def at_start(self) -> tuple[ListenAddress, str, str, bool, bool]:
        """What is read at start only."""
        return self.address, self.mode, self.peer, self.tls is not None, bool(self.proxy_protocol)

    @property
    def scheme(self) -> str:
        """What its clients speak."""
        return "http" if self.tls is None else "https"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The stores and the lease. Read at start only. `memory_told` says that the policy names `memory_bytes` itself."""

    memory_bytes: int = 256 * 1024**2
    memory_told: bool = field(default=False, compare=False)
    max_variants: int = 32
    redis_url: str | None = None
    redis_max_connections: int = 64
    redis_timeout_s: float = 0.25
    redis_entry_bytes: int = 8 * 1024**2
    redis_compress_over_bytes: int = 1024
    lease_renew_s: float = 0.5
    lease_valid_s: float = 2.0
