"""What the origin answers: pure functions from a test's steps and a request to the bytes of a response.

The framing is that of Node's HTTP server, for which the suite's tests were written: Date, Connection, Keep-Alive and
Content-Length are added unless the step gives them, whatever that does to the message's framing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from checks.conformance.magic import http_date, resolve
from checks.conformance.suite import FieldLine, Step
from checks.conformance.wire import Lines, leading_int

NO_BODY_STATUS = frozenset({204, 304})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# Fields of which only the first line counts; the others are joined.
_SINGLE = frozenset(
    {"age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host"}
    | {"if-modified-since", "if-unmodified-since", "last-modified", "location", "max-forwards"}
    | {"proxy-authorization", "referer", "retry-after", "server", "user-agent"}
)


class Seen(Struct):
    """What the origin saw of one request and what it answered, as the state resource tells it."""

    request_num: int | None
    request_method: str
    request_headers: dict[str, str]
    response_headers: list[tuple[str, str | list[str]]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the origin reads it."""

    method: str
    target: str
    version: str
    lines: Lines
    body: bytes = b""

    @property
    def number(self) -> int | None:
        """Which step the client was at when it sent this."""
        return leading_int(self.joined().get("req-num"))

    @property
    def keeps_alive(self) -> bool:
        """Whether the client allows another request on this connection."""
        return self.version == "HTTP/1.1" and "close" not in (self.lines.get("connection") or "").lower()

    def joined(self) -> dict[str, str]:
        """The fields by lower-case name, lines joined."""
        fields: dict[str, str] = {}
        for name, value in self.lines:
            key = name.lower()
            if key not in fields:
                fields[key] = value
            elif key not in _SINGLE:
                fields[key] += ("; " if key == "cookie" else ", ") + value
        return fields


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes of an answer. `close`: hang up after them; `hang_up`: instead of them."""

    raw: bytes
    close: bool = False
    hang_up: bool = False


@dataclass(slots=True)
class Script:
    """The steps of one running test and what has been seen of it so far."""

    token: str
    steps: list[Step]
    seen: list[Seen] = field(default_factory=list)

    def step_for(self, request: Request) -> Step | None:
        """The step a request asks for: by its number, else by the order of arrival."""
        index = (request.number or len(self.seen) + 1) - 1
        return self.steps[index] if 0 <= index < len(self.steps) else None

    def answer(self, request: Request, now_ms: int) -> Reply:
        """Answer the request as its step says, and remember it. The step must exist."""
        number = request.number or len(self.seen) + 1
        step = self.steps[number - 1]
        status, reason = self._status(number, step, request)
        fields = _Fields()
        fields.set("Server-Base-Url", request.target)
        fields.set("Server-Request-Count", str(len(self.seen) + 1))
        fields.set("Client-Request-Count", "NaN" if request.number is None else str(request.number))
        fields.set("Server-Now", str(now_ms))
        checked = _script_fields(step, fields)
        if "content-type" not in fields:
            fields.set("Content-Type", "text/plain")
        self.seen.append(Seen(request.number, request.method, request.joined(), list(checked.items())))
        fields.set(
            "Request-Numbers", " ".join("NaN" if s.request_num is None else str(s.request_num) for s in self.seen)
        )
        if step.disconnect:
            return Reply(b"", hang_up=True)
        has_body = status not in NO_BODY_STATUS and request.method != "HEAD"
        body = (step.response_body or self.token).encode() if has_body else b""
        return frame(request, status, reason, fields, body, now_ms, interim=_interim(step))

    def _status(self, number: int, step: Step, request: Request) -> tuple[int, str]:
        """The status, decided by the request where the step wants to be validated.

        Only the literal validator of the step before counts; anything else is told to the client with status 999.
        """
        if step.expected_type is None or not step.expected_type.is_validated:
            return step.response_status or (200, "OK")
        previous = self.steps[number - 2].response_headers if number >= 2 else []
        asked = request.joined()
        for validator, condition in (("last-modified", "if-modified-since"), ("etag", "if-none-match")):
            value = _last(previous, validator)
            if value and asked.get(condition) == value:
                return 304, "Not Modified"
        return 999, "304 Not Generated"


class _Fields:
    """Response fields by name; a name keeps its place and takes the spelling of its last line."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, str | list[str]]] = {}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._lines

    def set(self, name: str, value: str | list[str]) -> None:
        self._lines[name.lower()] = (name, value)

    def add(self, name: str, value: str) -> None:
        before = self.get(name)
        if before is None:
            self.set(name, value)
        else:
            self.set(name, [*before, value] if isinstance(before, list) else [before, value])

    def get(self, name: str) -> str | list[str] | None:
        found = self._lines.get(name.lower())
        return None if found is None else found[1]

    def text(self, name: str) -> str | None:
        value = self.get(name)
        return ", ".join(value) if isinstance(value, list) else value

    def lines(self) -> list[str]:
        return [
            f"{name}: {value}"
            for name, given in self._lines.values()
            for value in (given if isinstance(given, list) else [given])
        ]


def _script_fields(step: Step, fields: _Fields) -> dict[str, str | list[str]]:
    """Add the step's own fields; returns those the client has to receive unchanged.

    The resolved value stays in the step: the next step's conditional request is compared with it.
    """
    checked: dict[str, str | list[str]] = {}
    for line in step.response_headers:
        line.value = resolve(line.name, line.value, step, fields.text)
        fields.add(line.name, str(line.value))
        if line.checked:
            value = fields.get(line.name)
            assert value is not None
            checked[line.name] = value
    return checked


def _last(lines: Sequence[FieldLine], name: str) -> str | int | None:
    values = [line.value for line in lines if line.name.lower() == name]
    return values[-1] if values else None


def _interim(step: Step) -> bytes:
    raw = b""
    for interim in step.interim_responses:
        reason = {102: "Processing", 103: "Early Hints"}.get(interim.status, "Interim")
        head = [f"HTTP/1.1 {interim.status} {reason}", *(f"{name}: {value}" for name, value in interim.fields)]
        raw += "\r\n".join([*head, "", ""]).encode("latin-1")
    return raw


def frame(
    request: Request, status: int, reason: str, fields: _Fields, body: bytes, now_ms: int, *, interim: bytes = b""
) -> Reply:
    """Put status, fields and body together.

    A head that goes out together with a body is written as UTF-8, as Node does, one without as Latin-1: only field
    values beyond ASCII show the difference.
    """
    close = not request.keeps_alive
    if "date" not in fields:
        fields.set("Date", http_date(now_ms, 0))
    given = fields.text("connection")
    if given is not None:
        close = close or re.search(r"(?:^|\W)close(?:$|\W)", given, re.IGNORECASE) is not None
    else:
        fields.set("Connection", "close" if close else "keep-alive")
        if not close and "keep-alive" not in fields:
            fields.set("Keep-Alive", "timeout=5")
    # Without a length the end of the body is the end of the connection, as HTTP/1.0 has it.
    measured = request.version == "HTTP/1.1" and status not in NO_BODY_STATUS and request.method != "HEAD"
    if measured and "content-length" not in fields and "transfer-encoding" not in fields:
        fields.set("Content-Length", str(len(body)))
    head = "\r\n".join([f"HTTP/1.1 {status} {reason}", *fields.lines(), "", ""])
    return Reply(interim + head.encode("utf-8" if body else "latin-1") + body, close=close)


def plain(request: Request, status: int, reason: str, text: str, now_ms: int) -> Reply:
    """An answer outside any test."""
    fields = _Fields()
    fields.set("Content-Type", "text/plain")
    return frame(request, status, reason, fields, text.encode(), now_ms)
