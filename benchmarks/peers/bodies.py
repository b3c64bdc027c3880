"""What the origin answers: one document for each kind, the same for every contender."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

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
    people: list[dict[str, object]] = []
    number = 0
    while True:
        number += 1
        row = {
            "id": number * 7919,
            "name": f"Person {number:05d}",
            "active": number % 3 == 0,
            "score": number * 37 % 101,
        }
        grown = json.dumps({"items": [*people, row], "pad": ""}, separators=(",", ":"))
        if len(grown) > raw:
            break
        people.append(row)
    short = json.dumps({"items": people, "pad": ""}, separators=(",", ":"))
    return json.dumps({"items": people, "pad": "x" * (raw - len(short))}, separators=(",", ":")).encode()


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
