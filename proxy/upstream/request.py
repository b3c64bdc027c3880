"""Request heads as they are written to a backend (RFC 9112 sections 2, 3 and 6)."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.core.messages import RequestHead
from proxy.upstream.settings import PoolSettings

# Framing and connection management are decided here; a line that came in with the fields must never contradict them.
_OWN_LINES = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
_METHODS_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class WrittenHead:
    """The octets of a request head and how its body is framed: `length` octets, or chunked when that is None."""

    octets: bytes
    length: int | None
    expects_continue: bool
    upgrading: bool


def write_head(request: RequestHead, settings: PoolSettings, *, has_body: bool) -> WrittenHead:
    """The head of `request` with Host first and its fields byte for byte as given.

    The announced Content-Length is kept for a body; a body without one is chunked. A request with an Upgrade field gets
    the Connection field that goes with it. Raises ValueError when a line would break out of its place.
    """
    fields = request.fields
    own = [name for name in _OWN_LINES if name in fields]
    host = request.authority if settings.preserve_host else ""
    if host and "host" in own:
        host = fields.first("host") or host
    endpoint = settings.endpoint
    target = request.target if request.path == "*" else f"{endpoint.prefix}{request.target}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host or endpoint.authority}"]
    if own:
        lines.extend([f"{name}: {value}" for name, value in fields if name.lower() not in _OWN_LINES])
    else:
        lines.extend([f"{name}: {value}" for name, value in fields])
    length: int | None = 0
    if has_body:
        length = _announced_length(fields.lines("content-length"))
        lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    elif request.method in _METHODS_WITH_CONTENT or "content-length" in own:
        lines.append("Content-Length: 0")
    upgrade = fields.get("upgrade") if "upgrade" in own else None
    if upgrade is not None:
        lines += ["Connection: Upgrade", f"Upgrade: {upgrade}"]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise ValueError("a field of the request holds CR, LF or NUL; it must be refused before it is forwarded")
    expects = has_body and "expect" in fields and (fields.get("expect") or "").lower() == "100-continue"
    return WrittenHead(f"{text}\r\n\r\n".encode("latin-1"), length, expects, upgrade is not None)


def _announced_length(lines: tuple[str, ...]) -> int | None:
    """The one length the client announced; None when there is none, and the body is then chunked."""
    if len(lines) != 1 or not (lines[0].isascii() and lines[0].isdigit()):
        return None
    return int(lines[0])
