"""Exchanges that repeat an earlier answer: noted in one step, counted and written later, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.pipeline.exchange import CacheUse, ExchangeRecord, Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What many exchanges have in common; the members are those of an ExchangeRecord. Told apart by identity."""

    method: str
    route: str
    status: int
    coding: str = ""
    cache: CacheUse = CacheUse.NONE
    refused: Refusal | None = None
    cache_forward: str = ""
    cache_reason: str = ""


# A plain tuple: one is made for every hit, and nothing is made faster.
Note = tuple[Facts, float, bytes, bytes, str, int, int, int, int | None, str, int | None]
"""Facts, start (monotonic seconds), target, request ID, client, microseconds taken, octets of the body, the same before
this proxy coded it (0 where it did not), rate remaining, user agent, microseconds that the backend took (None where it
was not asked). Texts of octets are printable ASCII."""


class Sums:
    """What the notes with the same facts add up to."""

    __slots__ = ("bytes_identity", "bytes_out", "facts", "took_us", "upstream_us")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.took_us: list[int] = []
        self.upstream_us: list[int] = []
        self.bytes_out = 0
        self.bytes_identity = 0


def sums_of(notes: Sequence[Note]) -> list[Sums]:
    """The notes added up, by their facts."""
    all_sums: dict[Facts, Sums] = {}
    sums: Sums | None = None
    for facts, _, _, _, _, took_us, bytes_out, bytes_identity, _, _, upstream_us in notes:
        if sums is None or sums.facts is not facts:
            sums = all_sums.get(facts)
            if sums is None:
                sums = all_sums[facts] = Sums(facts)
        sums.took_us.append(took_us)
        if upstream_us is not None:
            sums.upstream_us.append(upstream_us)
        sums.bytes_out += bytes_out
        sums.bytes_identity += bytes_identity
    return list(all_sums.values())


def record_of(note: Note, apart_s: float) -> ExchangeRecord:
    """The record of a noted exchange. `apart_s` is what the wall clock is ahead of the monotonic one."""
    facts, started_s, target, request_id, client, took_us, bytes_out, bytes_identity, remaining, agent, upstream_us = (
        note
    )
    path, question, query = target.decode("ascii").partition("?")
    return ExchangeRecord(
        time=started_s + apart_s,
        request_id=request_id.decode("ascii"),
        client=client,
        method=facts.method,
        path=path,
        query=query if question else None,
        route=facts.route,
        status=facts.status,
        duration_ms=took_us / 1000,
        bytes_out=bytes_out,
        bytes_identity=bytes_identity,
        cache=facts.cache,
        coding=facts.coding,
        rate_remaining=remaining,
        refused=facts.refused,
        user_agent=agent,
        upstream_ms=None if upstream_us is None else upstream_us / 1000,
        cache_forward=facts.cache_forward,
        cache_reason=facts.cache_reason,
    )
