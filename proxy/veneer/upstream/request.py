"""Request heads as they are written to a backend (RFC 9112 sections 2, 3 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields, Pair, lower_name
from veneer.core.messages import RequestHead
from veneer.http1.grammar import is_length
from veneer.http1.serialise import serialise_request
from veneer.upstream.settings import PoolSettings

# Framing and connection management are decided here; a line that came in with the fields must never contradict them.
_OWN_LINES: Final = fields_with(Use.WRITTEN | Use.ASKED)
_METHODS_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


class WrittenHead(Struct, frozen=True):
    """The bytes of a request head and how its body is framed: `length` bytes, or chunked when that is None."""

    raw: bytes
    length: int | None = 0
    expects_continue: bool = False
    upgrading: bool = False


def write_head(request: RequestHead, settings: PoolSettings, *, has_body: bool) -> WrittenHead:
    """The head of `request` with Host first and its fields byte for byte as given.

    Host is the authority that the request was keyed by, whatever its own Host field says (RFC 9112 section 3.2.2).
    The announced Content-Length is kept for a body; a body without one is chunked. A request with an Upgrade field gets
    the Connection field that goes with it, and one whose content waits for 100 (Continue) says so. Raises ValueError
    when a line would break out of its place.
    """
    fields, endpoint = request.fields, settings.endpoint
    target = f"{endpoint.prefix}{request.target}" if endpoint.prefix and request.path != "*" else request.target
    own = [name for name in fields.joined if name in _OWN_LINES]
    host_alone = len(own) == 1 and own[0] == "host"
    host = request.authority if settings.preserve_host else ""
    start = f"{request.method} {target} HTTP/1.1"
    lines: list[Pair] = [("Host", host or endpoint.authority)]
    lines += _without_host(fields) if host_alone else _without(fields, own)
    if not has_body and (host_alone or not own):
        if request.method in _METHODS_WITH_CONTENT:
            lines.append(("Content-Length", "0"))
        return WrittenHead(serialise_request(start, lines))
    length: int | None = 0
    if has_body:
        length = _announced_length(fields.lines("content-length"))
        lines.append(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
    elif request.method in _METHODS_WITH_CONTENT or "content-length" in fields:
        lines.append(("Content-Length", "0"))
    upgrade = fields.get("upgrade")
    if upgrade is not None:
        lines += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
    expects = has_body and (fields.get("expect") or "").lower() == "100-continue"
    if expects:
        lines.append(("Expect", "100-continue"))
    return WrittenHead(serialise_request(start, lines), length, expects, upgrade is not None)


def _without_host(fields: Fields) -> Sequence[Pair]:
    """The lines less Host, which most requests bring at the head of them."""
    pairs = fields.pairs
    first = lower_name(pairs[0][0]) == "host" and len(fields.joined) == len(pairs)
    return pairs[1:] if first else _without(fields, ["host"])


def _without(fields: Fields, own: list[str]) -> Sequence[Pair]:
    """The lines that are not ours to write."""
    return [pair for pair in fields.pairs if lower_name(pair[0]) not in own] if own else fields.pairs


def _announced_length(lines: tuple[str, ...]) -> int | None:
    """The one length the client announced; None when there is none, and the body is then chunked."""
    return int(lines[0]) if len(lines) == 1 and is_length(lines[0]) else None
