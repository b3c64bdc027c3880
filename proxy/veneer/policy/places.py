"""URLs, hosts and targets as a policy names them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from veneer.core.outcome import Reason
from veneer.policy.model_targets import Resolve
from veneer.policy.schema_node import LimitsShape, RouteLimitsShape

_TARGET = re.compile(r"[!$-;=?-~]+")
"""Characters of URLs without a fragment (RFC 3986 section 2), and a few that are taken for some."""

_SERVICE = re.compile(r"_[a-z0-9-]+\._tcp\.[^_.]")
"""How the name of a service begins (RFC 2782)."""


def bad_url(url: str) -> str | None:
    """What is wrong with a backend's URL, or with the path of its socket; None when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
            return f'"{url}" is not the path of a socket'
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f'"{url}" is not an http or https URL with a host'
    if parts.query or parts.fragment or parts.username is not None:
        return f'"{url}" holds more than scheme, host, port and path'
    return None


def unresolvable(url: str, resolve: Resolve) -> tuple[str, str] | None:
    """What is wrong with looking a backend's name up so, and what would be right; None when nothing is."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if resolve is Resolve.ONE:
        return None
    if parts.scheme == "unix" or is_address(host):
        return f'"{url}" names no host that could be looked up', "leave `resolve` away"
    if resolve is Resolve.ALL:
        return None
    if parts.port is not None:
        return f'"{url}" has a port, which the records of a service say', f'write "{parts.scheme}://{host}"'
    if not _SERVICE.match(host):
        return f'"{host}" is not the name of a service', 'write "http://_http._tcp.app.internal"'
    return None


def bad_resource(url: str) -> str | None:
    """What is wrong with the URL of something that the proxy itself asks for; None when nothing is."""
    before = url.partition("?")[0]
    if not url.startswith(("http://", "https://")):
        return f'"{url}" is not an http or https URL with a host'
    if not _TARGET.fullmatch(url):
        return f'"{url}" holds what no URL holds'
    if before.count("/") < 3:
        return f'"{url}" has no path'
    return bad_url(before)


def bad_target(target: str) -> str | None:
    """What is wrong with path and query of something that the proxy itself asks an upstream for."""
    return None if target.startswith("/") and _TARGET.fullmatch(target) else f'"{target}" is no path'


def origin_and_target(url: str) -> tuple[str, str]:
    """The two parts of such a URL: where to connect to, and what to ask for there."""
    scheme, _, rest = url.partition("://")
    host, slash, target = rest.partition("/")
    return f"{scheme}://{host}", slash + target or "/"


def url_hint(url: str) -> str:
    """How a backend's URL is written."""
    return 'write "unix:/run/app.sock"' if url.startswith("unix:") else 'write "http://host:port"'


def is_address(host: str) -> bool:
    """Whether this is an IP address; one of version 6 may name its zone."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def kept_of(general: LimitsShape, own: RouteLimitsShape) -> frozenset[Reason]:
    """The oddities of targets that a route keeps: what it says itself, and where it is silent the whole file."""
    said = (
        (Reason.TARGET_ENCODED_SLASH, own.encoded_slash or general.encoded_slash),
        (Reason.TARGET_BACKSLASH, own.backslash or general.backslash),
        (Reason.TARGET_DOT_SEGMENT, own.dot_segments or general.dot_segments),
    )
    return frozenset([reason for reason, choice in said if choice == "keep"])
