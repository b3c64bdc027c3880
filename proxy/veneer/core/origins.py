"""Which references name something of the request's own origin (RFC 9111 section 4.4), whoever wrote them.

One origin has several names: the one in the request as it came here, the one that the client used where a trusted proxy
tells of another, and the backend's own. A reference that goes by any of them names what is stored here. The path may
have a beginning that one of them knows and the request as it came does not.
"""

from __future__ import annotations

from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import OWS
from veneer.core.messages import RequestHead
from veneer.core.percent import normalise_percent
from veneer.core.remembered import memoised
from veneer.core.target import DEFAULT_PORTS, parse_authority, resolve


def same_origin(request: RequestHead, reference: str, backend: str = "") -> tuple[str, ...]:
    """The origin-form targets that a reference of the same origin may mean here; none for one of another origin.

    `backend` is the URL under which the backend is reached, `unix:` and a path, or nothing. http and https of one
    authority count as the same: behind a terminator of TLS the two ends may name it differently. Where the path begins
    as a trusted proxy's X-Forwarded-Prefix or the backend's URL does, it is taken with that beginning and without.
    """
    resolved = resolve(request, reference)
    if resolved is None:
        return ()
    _, authority, target = resolved
    own, path = _known_backend(backend)
    if authority not in (request.authority, own) and authority not in _told_authorities(request):
        return ()
    targets = [target]
    for prefix in (*_told_prefixes(request.fields), path):
        rest = target[len(prefix) :]
        if prefix and target.startswith(prefix) and rest[:1] in ("", "/", "?"):
            targets.append(rest if rest.startswith("/") else "/" + rest)
    return tuple(dict.fromkeys(targets))


def _told_authorities(request: RequestHead) -> set[str]:
    """The authorities by which the client may have called the origin, as far as a trusted proxy tells.

    That is a host that it tells of, and any of the hosts with a port that it tells of. Of several nobody knows which is
    the client's.
    """
    said = request.fields.joined
    hosts = [host.strip(OWS) for host in said.get("x-forwarded-host", "").split(",")]
    ports = [port.strip(OWS) for port in said.get("x-forwarded-port", "").split(",")]
    found: set[str] = set()
    for scheme in DEFAULT_PORTS:
        for host in hosts:
            found.add(parse_authority(host, scheme) or "")
        for name in (*hosts, request.authority):
            for port in ports:
                found.add((parse_authority(f"{_without_port(name)}:{port}", scheme) or "") if port else "")
    found.discard("")
    return found


def _without_port(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


def _told_prefixes(fields: Fields) -> list[str]:
    """The paths that trusted proxies took off: each that is told, and all of them one behind the other."""
    said = fields.joined.get("x-forwarded-prefix")
    if said is None:
        return []
    each = [normalise_percent(prefix.strip(OWS)).rstrip("/") for prefix in said.split(",")]
    return [*each, "".join(each)]


def _read_backend(url: str) -> tuple[str, str]:
    """The authority by which the backend calls itself, and the path before all its targets."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return ("localhost", "") if url.startswith("unix:") else ("", "")
    host, slash, path = rest.partition("/")
    return parse_authority(host, scheme.lower()) or "", normalise_percent(slash + path).rstrip("/")


_known_backend: Final = memoised(_read_backend, 64)
