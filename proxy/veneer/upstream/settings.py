"""Where a backend is and how patiently it is treated."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.ports import OutgoingSpans

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place to connect to: a host and port, with or without TLS, or the path of a unix socket.

    `prefix` is a path put before every target; it begins with "/" and ends without one, or is empty. With `at` the
    connection goes to that address, or name, in place of the host, which is who answers there by name.
    """

    host: str
    port: int
    tls: bool = False
    unix_path: str | None = None
    prefix: str = ""
    at: str = ""

    @property
    def place(self) -> str:
        """The name, or address, that leads there."""
        return self.at or self.host

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """The endpoint of `http://host[:port][/prefix]`, the same with https, or `unix:/path/of/socket`.

        Raises ValueError when the text is none of these.
        """
        parts = urlsplit(url)
        if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
            return cls(host="localhost", port=0, unix_path=unquote(parts.path))
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            msg = f"not a backend: {url!r}; it should look like http://host:port, https://host or unix:/path"
            raise ValueError(msg)
        if parts.username or parts.query or parts.fragment:
            msg = f"backend {url!r} must have neither user, query nor fragment"
            raise ValueError(msg)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        return cls(parts.hostname, port, tls=parts.scheme == "https", prefix=parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Host and port as a Host field names them; the port is left out where it is the scheme's own."""
        if self.unix_path is not None:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, authority and prefix: with what the backend's own absolute URLs begin."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.prefix}"

    def __str__(self) -> str:
        if self.at:
            return f"[{self.at}]:{self.port}" if ":" in self.at else f"{self.at}:{self.port}"
        return f"unix:{self.unix_path}" if self.unix_path is not None else self.authority


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Limits of one backend's connections. Times in seconds, sizes in bytes.

    `read_timeout_s` is the longest silence between two bytes of a response; it does not run while a request body is
    still being sent or while our own consumer is slow. `keepalive_s` is how long an idle connection is kept unless the
    backend's Keep-Alive field says otherwise; it stays below the five seconds after which common servers close. A
    connection that was opened longer than `max_age_s` ago is not used again: under steady traffic it would never be
    idle, and a name that has moved never be followed.
    `stream_idle_s` is the longest silence of a response that lasts (core.streams); of these and of tunnels
    `max_streams` may be open beside the `max_connections` for requests. Without `preserve_host` it is named by its own
    host instead of the one the client asked for. With `rewrite_location` a Location on the backend's own origin becomes
    a path (core.forwarding.located). For `refused_s` a backend that refuses
    connections is tried again. `server_name` is what the certificate has to name instead of the endpoint's host.
    `spans` makes a span for each request that is sent; None where that is not wanted.
    """

    endpoint: Endpoint
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0
    write_timeout_s: float = 30.0
    pool_timeout_s: float = 5.0
    continue_timeout_s: float = 1.0
    max_connections: int = 256
    concurrency: ConcurrencyRules = field(default_factory=ConcurrencyRules)
    max_streams: int = 1024
    stream_idle_s: float = 600.0
    keepalive_s: float = 4.5
    max_age_s: float = 60.0
    max_head_bytes: int = 64 * 1024
    max_fields: int = 256
    body_buffer_bytes: int = 256 * 1024
    preserve_host: bool = True
    rewrite_location: bool = True
    refused_s: float = 0.0
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    spans: OutgoingSpans | None = None
