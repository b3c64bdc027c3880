"""Request heads as they are written to a backend (RFC 9112 sections 2, 3 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from proxy.core.fields import Fields, Pair, lower_name
from proxy.core.messages import RequestHead
from proxy.upstream.settings import PoolSettings

# Framing and connection management are decided here; a line that came in with the fields must never contradict them.
_OWN_LINES: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
_HOST_ALONE: Final = frozenset({"host"})
_METHODS_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


class WrittenHead(Struct, frozen=True):
    """The octets of a request head and how its body is framed: `length` octets, or chunked when that is None."""

    octets: bytes
    length: int | None = 0
    expects_continue: bool = False
    upgrading: bool = False


def write_head(request: RequestHead, settings: PoolSettings, *, has_body: bool) -> WrittenHead:
    """The head of `request` with Host first and its fields byte for byte as given.

    The announced Content-Length is kept for a body; a body without one is chunked. A request with an Upgrade field gets
    the Connection field that goes with it. Raises ValueError when a line would break out of its place.
    """
    fields, endpoint = request.fields, settings.endpoint
    target = f"{endpoint.prefix}{request.target}" if endpoint.prefix and request.path != "*" else request.target
    own = frozenset([name for name in fields.joined if name in _OWN_LINES])
    host = ""
    if settings.preserve_host:
        host = (fields.first("host") if "host" in own else None) or request.authority
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host or endpoint.authority}"]
    lines += [f"{name}: {value}" for name, value in (_without(fields, own) if own else fields.pairs)]
    if not has_body and own <= _HOST_ALONE:
        if request.method in _METHODS_WITH_CONTENT:
            lines.append("Content-Length: 0")
        return WrittenHead(_joined(lines))
    length: int | None = 0
    if has_body:
        length = _announced_length(fields.lines("content-length"))
        lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    elif request.method in _METHODS_WITH_CONTENT or "content-length" in fields:
        lines.append("Content-Length: 0")
    upgrade = fields.get("upgrade")
    if upgrade is not None:
        lines += ["Connection: Upgrade", f"Upgrade: {upgrade}"]
    expects = has_body and (fields.get("expect") or "").lower() == "100-continue"
    return WrittenHead(_joined(lines), length, expects, upgrade is not None)


def _without(fields: Fields, own: frozenset[str]) -> Sequence[Pair]:
    """The lines that are not ours to write. Host alone, at the head of them, is what most requests bring."""
    pairs = fields.pairs
    if own == _HOST_ALONE and lower_name(pairs[0][0]) == "host" and len(fields.joined) == len(pairs):
        return pairs[1:]
    return [pair for pair in pairs if pair[0].lower() not in own]


def _joined(lines: list[str]) -> bytes:
    lines += ("", "")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a field of the request holds CR, LF or NUL; it must be refused before it is forwarded")
    return text.encode("latin-1")


def _announced_length(lines: tuple[str, ...]) -> int | None:
    """The one length the client announced; None when there is none, and the body is then chunked."""
    if len(lines) != 1 or not (lines[0].isascii() and lines[0].isdigit()):
        return None
    return int(lines[0])
