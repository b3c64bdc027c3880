"""A strict scan of one complete request head: only plain GET and HEAD, only fields that are well understood."""

from __future__ import annotations

from typing import NamedTuple

from proxy.core.headers import OWS, is_token

END = b"\r\n\r\n"
MAX_HEAD_BYTES = 8 * 1024
MAX_LINES = 64
MEMO_LINES = 4096
MEMO_LINE_LENGTH = 256
VERSION = " HTTP/1.1"
METHODS = ("GET", "HEAD")

IGNORED, HOST, ACCEPT_ENCODING, IF_NONE_MATCH, IF_MODIFIED_SINCE, REQUEST_ID, USER_AGENT = range(7)
"""Places of the values in a scan; the first takes what does not matter."""

PLACES = {
    "host": HOST,
    "accept-encoding": ACCEPT_ENCODING,
    "if-none-match": IF_NONE_MATCH,
    "if-modified-since": IF_MODIFIED_SINCE,
    "x-request-id": REQUEST_ID,
    "user-agent": USER_AGENT,
}

CHANGING = frozenset({"cookie", "authorization", "x-request-id", "referer", "if-none-match"})
"""Fields whose lines differ from request to request: remembering them would push out what is worth it."""

NOT_PLAIN = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "http2-settings",
        "if-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "pragma",
        "proxy-connection",
        "range",
        "te",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that change what the right answer is, or how the request is framed: not for the lane."""

Known = tuple[int, str]


class Head(NamedTuple):
    """A plain request, every value as it came; None where the field is absent."""

    method: str
    target: str
    host: str
    accept_encoding: str | None
    if_none_match: str | None
    if_modified_since: str | None
    request_id: str | None
    user_agent: str | None


class Scanner:
    """Scans heads. Lines that come again and again are recognised whole; the memory for that is bounded."""

    def __init__(self) -> None:
        self._lines: dict[str, Known] = {}

    def scan(self, data: bytes) -> Head | None:
        """The head if `data` is exactly one plain request; None for anything else, which is not an error."""
        size = len(data)
        if size > MAX_HEAD_BYTES or data.find(END) != size - 4 or not data.isascii():
            return None
        lines = data[:-4].decode("ascii").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        if method not in METHODS or not rest.endswith(VERSION) or not rest.isprintable() or len(lines) > MAX_LINES:
            return None
        values = self._values(lines)
        if values is None:
            return None
        host = values[HOST]
        return None if host is None else Head(method, rest[:-9], host, *values[2:])

    def _values(self, lines: list[str]) -> list[str | None] | None:
        """What the field lines say, by place; None where a line is not plain or a value comes twice."""
        values: list[str | None] = [None] * 7
        known_lines = self._lines
        for line in lines[1:]:
            known = known_lines.get(line) or self._read(line)
            if known is None:
                return None
            place = known[0]
            if place:
                if values[place] is not None:
                    return None
                values[place] = known[1]
        return values

    def _read(self, line: str) -> Known | None:
        """One field line, understood and perhaps remembered; None where the request is not plain."""
        name, colon, value = line.partition(":")
        lower = name.lower()
        if not colon or not line.isprintable() or lower in NOT_PLAIN or not is_token(name):
            return None
        value = value.strip(OWS)
        if lower == "connection" and value.lower() != "keep-alive":
            return None
        known = (PLACES.get(lower, IGNORED), value)
        if lower not in CHANGING and len(line) <= MEMO_LINE_LENGTH:
            if len(self._lines) >= MEMO_LINES:
                self._lines.clear()
            self._lines[line] = known
        return known
