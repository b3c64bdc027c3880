"""Messages as bytes (RFC 9112 sections 3 to 7). aiohttp's own writer would drop obs-text."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from msgspec import Struct

from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields, Pair, lower_name, pieces_of
from veneer.core.messages import RequestHead, ResponseHead
from veneer.http1.framing import BodyFraming, FramingFacts, is_length

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_WRITTEN: Final = fields_with(Use.WRITTEN)
_WRITTEN_BUT_LENGTH: Final = _WRITTEN - {"content-length"}
_OWN_LINES: Final = fields_with(Use.WRITTEN | Use.ASKED)
"""Framing and the connection are decided here; a line that came in with the fields must never contradict that."""
_METHODS_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


def serialise(head: ResponseHead, facts: FramingFacts, framing: BodyFraming, length: int | None) -> bytes:
    """The status line and header section, ready to be sent.

    The head's own Content-Length is kept where there is no body to be framed (HEAD, 304).
    """
    keep_length = framing is BodyFraming.NONE and head.status >= 200 and head.status != 204
    told = False
    if framing is BodyFraming.LENGTH and length is not None:
        told = head.fields.joined.get("content-length") == str(length)
    fields = head.fields.without(_WRITTEN_BUT_LENGTH if keep_length or told else _WRITTEN)
    pieces = [f"HTTP/1.1 {head.status} {head.reason}\r\n"]
    pieces += pieces_of(fields.pairs)
    if framing is BodyFraming.LENGTH and not told:
        pieces.append(f"Content-Length: {length}\r\n")
    elif framing is BodyFraming.CHUNKED:
        pieces.append("Transfer-Encoding: chunked\r\n")
    if not facts.keep_alive or framing is BodyFraming.CLOSE:
        pieces.append("Connection: close\r\n")
    elif facts.version < (1, 1):
        pieces.append("Connection: keep-alive\r\n")
    pieces.append("\r\n")
    return "".join(pieces).encode("latin-1")


def serialise_interim(head: ResponseHead) -> bytes:
    """A 1xx response (RFC 9110 section 15.2)."""
    lines = [f"HTTP/1.1 {head.status} {head.reason}", *(f"{name}: {value}" for name, value in head.fields), "\r\n"]
    return "\r\n".join(lines).encode("latin-1")


class WrittenHead(Struct, frozen=True):
    """The bytes of a request head and how its body is framed: `length` bytes, or chunked when that is None."""

    raw: bytes
    length: int | None = 0
    expects_continue: bool = False
    upgrading: bool = False


def write_head(
    request: RequestHead, authority: str, prefix: str, *, preserve_host: bool, has_body: bool
) -> WrittenHead:
    """The head of `request` with Host first and its fields byte for byte as given.

    `authority` is the backend's, and `prefix` stands before each of its targets. With `preserve_host`, Host is the
    authority that the request was keyed by, whatever its own Host field says (RFC 9112 section 3.2.2).
    The announced Content-Length is kept for a body; a body without one is chunked. A request with an Upgrade field gets
    the Connection field that goes with it, and one whose content waits for 100 (Continue) says so. Raises ValueError
    when a line would break out of its place.
    """
    fields = request.fields
    target = f"{prefix}{request.target}" if prefix and request.path != "*" else request.target
    own = _OWN_LINES.intersection(fields.joined)
    host_alone = len(own) == 1 and "host" in own
    start = f"{request.method} {target} HTTP/1.1"
    lines: list[Pair] = [("Host", (request.authority if preserve_host else "") or authority)]
    lines += _without_host(fields) if host_alone else _without(fields, own)
    if not has_body and (host_alone or not own):
        if request.method in _METHODS_WITH_CONTENT:
            lines.append(("Content-Length", "0"))
        return WrittenHead(_raw_request(start, lines))
    length: int | None = 0
    if has_body:
        lengths = fields.lines("content-length")
        length = int(lengths[0]) if len(lengths) == 1 and is_length(lengths[0]) else None
        lines.append(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
    elif request.method in _METHODS_WITH_CONTENT or "content-length" in fields:
        lines.append(("Content-Length", "0"))
    upgrade = fields.get("upgrade")
    if upgrade is not None:
        lines += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
    expects = has_body and (fields.get("expect") or "").lower() == "100-continue"
    if expects:
        lines.append(("Expect", "100-continue"))
    return WrittenHead(_raw_request(start, lines), length, expects, upgrade is not None)


def _without_host(fields: Fields) -> Sequence[Pair]:
    """The lines less Host, which most requests bring at the head of them."""
    pairs = fields.pairs
    first = lower_name(pairs[0][0]) == "host" and len(fields.joined) == len(pairs)
    return pairs[1:] if first else _without(fields, {"host"})


def _without(fields: Fields, own: Set[str]) -> Sequence[Pair]:
    """The lines that are not ours to write."""
    return [pair for pair in fields.pairs if lower_name(pair[0]) not in own] if own else fields.pairs


def _raw_request(start: str, lines: Sequence[Pair]) -> bytes:
    """The head of a request: its request line without CRLF, and its field lines.

    Raises ValueError when a line would break out of its place.
    """
    pieces = pieces_of(lines)
    said = start + "".join(pieces[::2])  # names and values
    if "\n" in said or "\r" in said or "\0" in said:
        raise ValueError("a field of the request holds CR, LF or NUL; it must be refused before it is forwarded")
    return f"{start}\r\n{''.join(pieces)}\r\n".encode("latin-1")


def chunk_size(size: int) -> bytes:
    """The line before a chunk's data; CRLF follows that (section 7.1)."""
    return b"%x\r\n" % size


def last_chunk(trailers: Fields) -> bytes:
    """The end of a chunked body, with its trailer section (section 7.1.2)."""
    return f"0\r\n{''.join(pieces_of(trailers.pairs))}\r\n".encode("latin-1")
