"""Exchanges that repeat an earlier answer: noted in one step, counted and written later, many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mypy_extensions import i64, mypyc_attr

from veneer.core.redact import redacted
from veneer.pipeline.exchange import CacheResult, ExchangeRecord, Refusal

NONE: Final = -1
"""What a note says instead of a number that there is not."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordTemplate:
    """What many exchanges have in common; the members are those of an ExchangeRecord. Told apart by identity."""

    method: str
    route: str
    status: int
    coding: str = ""
    cache: CacheResult = CacheResult.NONE
    refused: Refusal | None = None
    cache_forward: str = ""
    cache_reason: str = ""
    identity: dict[str, str] | None = None
    scheme: str = "http"
    target: str = ""


@mypyc_attr(acyclic=True)
class CompactRecord:
    """One exchange. `started_s` is monotonic; texts of bytes are printable ASCII.

    Who makes it sets what further there is: bytes of the request's content, those of the body, the same before this
    proxy coded it, the rate remaining, the microseconds that the backend took.
    """

    __slots__ = (
        "agent",
        "bytes_identity",
        "bytes_in",
        "bytes_out",
        "client",
        "facts",
        "remaining",
        "request_id",
        "started_s",
        "target",
        "took_us",
        "upstream_us",
    )

    def __init__(
        self,
        facts: RecordTemplate,
        client: str,
        agent: str,
        started_s: float,
        target: bytes,
        request_id: bytes,
        took_us: i64,
    ) -> None:
        self.facts = facts
        self.client = client
        self.agent = agent
        self.started_s = started_s
        self.target = target
        self.request_id = request_id
        self.took_us = took_us
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.bytes_identity: i64 = 0
        self.remaining: i64 = NONE
        self.upstream_us: i64 = NONE


def record_of(note: CompactRecord, wall_minus_monotonic_s: float) -> ExchangeRecord:
    """The record of a noted exchange. `wall_minus_monotonic_s` is what the wall clock is ahead of the monotonic one."""
    facts = note.facts
    path, question, query = note.target.decode("ascii").partition("?")
    return ExchangeRecord(
        time=note.started_s + wall_minus_monotonic_s,
        request_id=note.request_id.decode("ascii"),
        client=note.client,
        method=facts.method,
        path=path,
        query=redacted(query) if question else None,
        route=facts.route,
        status=facts.status,
        duration_ms=note.took_us / 1000,
        bytes_in=note.bytes_in,
        bytes_out=note.bytes_out,
        bytes_identity=note.bytes_identity,
        cache=facts.cache,
        coding=facts.coding,
        rate_remaining=None if note.remaining == NONE else note.remaining,
        refused=facts.refused,
        user_agent=note.agent,
        upstream_ms=None if note.upstream_us == NONE else note.upstream_us / 1000,
        cache_forward=facts.cache_forward,
        cache_reason=facts.cache_reason,
        identity=facts.identity,
        scheme=facts.scheme,
        target=facts.target,
    )
