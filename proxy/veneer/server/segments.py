"""Which of aiohttp's parsers is to read what begins here."""

from __future__ import annotations

import re
from typing import Final

from veneer.core.headers import is_token
from veneer.http1.grammar import HEAD_END

FAST_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY", "PROPFIND", "PROPPATCH"}
    | {"REPORT", "SEARCH", "M-SEARCH", "COPY", "MOVE", "LOCK", "UNLOCK", "MKCOL", "PURGE", "LINK", "UNLINK", "NOTIFY"}
)
"""Methods that aiohttp's compiled parser knows; it refuses all others, which its Python parser reads."""

_UPGRADE: Final = re.compile(rb"\nupgrade", re.IGNORECASE)


def has_rare_method(data: bytes) -> bool:
    """Whether `data` begins with a request line whose method the compiled parser would refuse.

    Methods are case-sensitive (RFC 9110 section 9.1); those in lower case stay refused, as the Python parser would
    change them.
    """
    method, space, _ = data[:64].decode("latin-1").partition(" ")
    return bool(space) and method not in FAST_METHODS and method.isupper() and is_token(method)


_SPOKEN: Final = re.compile(rb" HTTP/1\.[01]\r?\n")


def needs_patience(data: bytes) -> bool:
    """Whether what begins here is to be read by the patient parser, though its method is common.

    The compiled one loses what follows content beside an Upgrade that it does not know, and takes RTSP and ICE for
    HTTP. Where the head is not whole, or more than one request is here, an Upgrade may be anywhere: to be patient for
    nothing costs time only.
    """
    end = data.find(HEAD_END)
    if end == -1 or _UPGRADE.search(data) is not None:
        return True
    line = data.find(b"\n")
    return (
        _SPOKEN.fullmatch(data[data.rfind(b" ", 0, line) : line + 1]) is None or b" RTSP/" in data or b" ICE/" in data
    )


def started(opening: bytes) -> tuple[str, str]:
    """Method and target of a request that begins so, or what stands in their places."""
    method, _, rest = opening.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    return method.decode("latin-1"), (target if version.startswith(b"HTTP/") else rest).decode("latin-1")
