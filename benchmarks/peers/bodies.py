"""What the origin answers: one document for each kind, the same for every contender."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

ETAG = '"0123456789abcdef"'
STORABLE = "public, max-age=86400"


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: its media type, its Cache-Control and its body."""

    media_type: str
    cache_control: str
    body: bytes

    def response(self, date: str) -> bytes:
        """The whole response as it goes over the wire."""
        head = (
            f"HTTP/1.1 200 OK\r\nDate: {date}\r\nServer: origin\r\n"
            f"Content-Type: {self.media_type}\r\nContent-Length: {len(self.body)}\r\n"
            f"Cache-Control: {self.cache_control}\r\nETag: {ETAG}\r\n"
            "Last-Modified: Sat, 21 Nov 2026 07:08:07 GMT\r\n\r\n"
        )
        return head.encode() + self.body


def rows(raw: int) -> bytes:
    """A JSON document of exactly that size, as a list of people would be."""
    people: list[str] = []
    room = raw - len(_list_of([], ""))
    for number in count(1):
        row = {
            "id": number * 7919,
            "name": f"Person {number:05d}",
            "active": number % 3 == 0,
            "score": number * 37 % 101,
        }
        written = json.dumps(row, separators=(",", ":"))
        room -= len(written) + (1 if people else 0)
        if room < 0:
            break
        people.append(written)
    return _list_of(people, "x" * (raw - len(_list_of(people, ""))))


def _list_of(people: Sequence[str], pad: str) -> bytes:
    return f'{{"items":[{",".join(people)}],"pad":"{pad}"}}'.encode()


@cache
def documents() -> Mapping[str, Document]:
    """By the first segment of the path. `limited` and `tagged` are `small` under names that policies can tell apart."""
    small = Document("application/json", STORABLE, rows(2_048))
    return {
        "small": small,
        "limited": small,
        "large": Document("application/json", STORABLE, rows(102_400)),
        "private": Document("application/json", "no-store", rows(2_048)),
        "stream": Document("application/octet-stream", "no-store", bytes(range(256)) * 4_096),
    }
