"""A strict reading of one complete request head: only plain GET and HEAD, only fields that are well understood.

What a client sends again and again is the same but for a few values: the target, and those of the fields in
PER_REQUEST. A `HeadShape` is everything else of a head, read once; a head of a known shape is recognised by comparing
the bytes between the values.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from veneer.core.field_table import Use, fields_with
from veneer.core.headers import OWS, is_token
from veneer.core.sharing import has_credentials
from veneer.fastpath.hot_entries import VariantSelector
from veneer.fastpath.pattern import Pattern, Values, is_printable_ascii
from veneer.http1.grammar import HEAD_END, MAX_PLAIN_HEAD_BYTES, lines_named, says_keep_alive

MAX_LINES: Final = 64
MAX_SHAPES: Final = 2048
MAX_REFUSED: Final = 256
"""Heads remembered at most that are none: a field that makes one of them so has few values, or hardly ever the same."""
VERSION: Final = b"HTTP/1.1\r\n"
METHODS: Final = frozenset({b"GET", b"HEAD"})
UNSAFE_METHODS: Final = frozenset({b"POST", b"PUT", b"PATCH", b"DELETE"})

UNSUPPORTED: Final = fields_with(Use.HOP | Use.FRAMING | Use.CHOICE) - {"connection"}
"""Fields that change what the right answer is, or how the request is framed: not for the fast path."""

OF_CONTENT: Final = frozenset({"cache-control", "content-encoding", "content-length", "content-type", "pragma"})
"""What of these is plain in a request that is not safe: it is passed on, and nothing is looked up for it."""

PER_REQUEST: Final = (
    "authorization",
    "cf-connecting-ip",
    "cf-ray",
    "cookie",
    "forwarded",
    "if-modified-since",
    "if-none-match",
    "referer",
    "tracestate",
    "x-amzn-trace-id",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-correlation-id",
    "x-csrf-token",
    "x-forwarded-for",
    "x-real-ip",
    "x-request-id",
)
"""Fields whose values differ from user to user, page to page or request to request."""

INSPECTED: Final = frozenset(
    {"host", "accept-encoding", "if-none-match", "if-modified-since", "x-request-id", "user-agent"}
)
"""Fields whose values the fast path looks at; one of them given twice is not plain."""

PER_WRITE: Final = (*PER_REQUEST, "content-length")
"""The same of requests that are not safe."""


class HeadShape(Pattern):
    """A head without its changing values. The first value is the target; the others follow as their fields came.

    `host` ends in LF, so that with a target behind it it names a place without doubt; `host_hashed` is its hash.
    `request_id`, `if_none_match`, `if_modified_since` and `content_length` tell which value is theirs, 0 where there is
    none. `changing` names the fields of all values but the first; `credentials` tells whether Cookie or Authorization
    are among them, `of_page` whether the request says whose page sends it: then refusals are for that (core.cors).
    `authorization` is the value of that field where no Cookie is beside it.
    """

    __slots__ = (
        "_ignored",
        "authorization",
        "changing",
        "content_length",
        "credentials",
        "host",
        "host_hashed",
        "if_modified_since",
        "if_none_match",
        "method",
        "of_page",
        "request_id",
        "selector",
        "unconditional",
        "user_agent",
    )

    def __init__(self, method: bytes, head: list[bytes], fixed: dict[str, str], changing: list[str]) -> None:
        """`head` is what stands before, between and after the values; `changing` names those after the target."""
        super().__init__(head, [b" ", *(b"\r\n" for _ in changing)])
        places = {name: number for number, name in enumerate(changing, 1)}
        self._ignored = tuple(number for name, number in places.items() if name not in INSPECTED)
        self.changing = tuple(changing)
        self.credentials = has_credentials(changing)
        self.authorization = 0 if "cookie" in places else places.get("authorization", 0)
        self.method = method.decode("ascii")
        self.host = fixed["host"].encode("ascii") + b"\n"
        self.host_hashed: i64 = hash(self.host)
        self.of_page = "origin" in fixed
        self.user_agent = fixed.get("user-agent", "")
        self.request_id = places.get("x-request-id", 0)
        self.if_none_match = places.get("if-none-match", 0)
        self.if_modified_since = places.get("if-modified-since", 0)
        self.content_length = places.get("content-length", 0)
        self.unconditional = not self.if_none_match and not self.if_modified_since
        self.selector: VariantSelector = (self.method, fixed.get("accept-encoding"), None, None)

    def selector_of(self, values: Values) -> VariantSelector:
        """The selector of a head with these values."""
        none_match, since = self.if_none_match, self.if_modified_since
        return (
            self.method,
            self.selector[1],
            values[none_match].decode("latin-1") if none_match else None,
            values[since].decode("latin-1") if since else None,
        )

    def match_head(self, data: bytes) -> Values | None:
        """The values if `data` is exactly one head of this shape; None where it is anything else."""
        values = self.match_beginning(data)
        return None if values is None or self.stop != len(data) else values

    def match_beginning(self, data: bytes) -> Values | None:
        """The values if `data` begins with a head of this shape, which ends at `stop`; None where it does not."""
        values = self.values(data)
        if values is None:
            return None
        return (
            None
            if self._ignored and not is_printable_ascii(b"".join([values[one] for one in self._ignored]))
            else values
        )


class Scanner:
    """Reads heads of at most `max_bytes` and `max_lines`, and remembers their shapes, so many at most.

    It takes these `methods`; values of the fields `changing` differ from head to head, and `unsupported` are not plain.
    Of heads with an unsupported field it remembers what stands around their values: none that is the same but for these
    can be plain.
    """

    def __init__(
        self,
        max_bytes: int = MAX_PLAIN_HEAD_BYTES,
        max_lines: int = MAX_LINES,
        *,
        methods: frozenset[bytes] = METHODS,
        changing: tuple[str, ...] = PER_REQUEST,
        unsupported: frozenset[str] = UNSUPPORTED,
    ) -> None:
        self._methods = methods
        self._changing = frozenset(changing)
        self._changing_line = lines_named(changing)
        self._unsupported = unsupported
        self._unsupported_line = lines_named(unsupported)
        self.max_bytes = min(max_bytes, MAX_PLAIN_HEAD_BYTES)
        self._max_lines = min(max_lines, MAX_LINES)
        self._shapes: dict[tuple[bytes, ...], HeadShape] = {}
        self._refused: dict[tuple[bytes, ...], None] = {}

    def __len__(self) -> int:
        return len(self._shapes) + len(self._refused)

    def scan(self, data: bytes) -> tuple[HeadShape, Values] | None:
        """Shape and values if `data` is exactly one plain request; None for anything else, which is not an error."""
        method, _, rest = data.partition(b" ")
        if len(data) > self.max_bytes or method not in self._methods:
            return None
        target, _, rest = rest.partition(b" ")
        parts = self._changing_line.split(rest)
        texts, names = parts[::3], parts[1::3]
        key = (method, *texts, *names)
        shape = self._shapes.get(key)
        if shape is None:
            if key in self._refused:
                return None
            shape = self._read(method, rest, texts, names)
            if shape is None:
                self._remember_refused(key, rest)
                return None
            if len(self._shapes) >= MAX_SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape
        return shape, [target, *parts[2::3]]

    def _remember_refused(self, key: tuple[bytes, ...], rest: bytes) -> None:
        """Where it was refused for what is the same in all heads like it: a value is another one in the next."""
        if self._unsupported_line.search(rest) is not None:
            if len(self._refused) >= MAX_REFUSED:
                self._refused.clear()
            self._refused[key] = None

    def _read(self, method: bytes, rest: bytes, texts: list[bytes], names: list[bytes]) -> HeadShape | None:
        """The shape of a head, whose `rest` stands behind the target; None where the request is not plain."""
        if not rest.startswith(VERSION) or rest.find(HEAD_END, len(VERSION)) != len(rest) - 4 or not rest.isascii():
            return None
        lines = rest[len(VERSION) : -4].decode("ascii").split("\r\n")
        fixed: dict[str, str] = {}
        changing: list[str] = []
        for line in lines:
            name, colon, value = line.partition(":")
            name, plain = name.lower(), bool(colon) and line.isprintable() and is_token(name)
            if not plain or name in self._unsupported or (name in INSPECTED and (name in fixed or name in changing)):
                return None
            value = value.strip(OWS)
            if name == "connection" and not says_keep_alive(value):
                return None
            if name in self._changing:
                changing.append(name)
            else:
                fixed[name] = value
        if "host" not in fixed or len(lines) > self._max_lines or len(changing) != len(names):
            return None
        between = [text + name for text, name in zip(texts, [*names, b""], strict=True)]
        return HeadShape(method, [method + b" ", b" " + between[0], *between[1:]], fixed, changing)


def write_scanner(max_bytes: int, max_lines: int) -> Scanner:
    """A scanner of heads of requests that are not safe."""
    unsupported = UNSUPPORTED - OF_CONTENT
    return Scanner(max_bytes, max_lines, methods=UNSAFE_METHODS, changing=PER_WRITE, unsupported=unsupported)
