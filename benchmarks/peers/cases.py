"""What is measured: for each case the contenders, their requests, and what has to come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from benchmarks.peers.bodies import ETAG
from benchmarks.peers.certificate import SECURE
from benchmarks.peers.requests import MARK, WRITTEN, bearers, browser, changing, each, mix, request

VENEER, NGINX, NGINX_BARE = "Veneer", "nginx", "nginx, cache only"
NGINX_PASS, NGINX_PLAIN = "nginx pass-through, all on", "nginx pass-through"
VARNISH, VARNISH_LOG, FASTAPI = "Varnish", "Varnish + varnishncsa", "FastAPI"
VENEER_PASS, VENEER_IDENTITY = "Veneer, not stored", "Veneer, identity"
VENEER_BEARER = "Veneer, bearer tokens"


class Reaches(Enum):
    """How many of the requests the origin has to see for the case to be what it says."""

    NONE = "none"
    SOME = "some"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender in a case: which server, which of its ports, and the requests it gets in turn."""

    label: str
    server: str
    port: str
    requests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One line-up. `status` is what each answer has to be; `document` what a 200 has to contain."""

    key: str
    title: str
    entrants: tuple[Entrant, ...]
    reaches: Reaches = Reaches.NONE
    connections: int = 32
    status: int = 200
    document: str | None = "small"


def line_up(*requests: bytes, without: tuple[str, ...] = ()) -> tuple[Entrant, ...]:
    """The caches with everything on, each with the same requests."""
    entrants = (
        Entrant(VENEER, "veneer", "full", requests),
        Entrant(NGINX, "nginx", "full", requests),
        Entrant(VARNISH, "varnish", "full", requests),
    )
    return tuple(entrant for entrant in entrants if entrant.label not in without)


def all_cases() -> Mapping[str, Case]:
    """Every case by its key, in the order of the report."""
    return {case.key: case for case in (*_hits(), *_other_answers(), *_misses())}


def _hits() -> tuple[Case, ...]:
    bare = request("/small/hit")
    more = (
        Entrant(NGINX_BARE, "nginx", "cache", (bare,)),
        Entrant(VARNISH_LOG, "varnish-log", "full", (bare,)),
        Entrant(FASTAPI, "fastapi", "full", (bare,)),
    )
    large = request("/large/hit")
    coded = request("/small/hit", "Accept-Encoding: gzip")
    brotli = Entrant(VENEER, "veneer", "full", (request("/small/hit", "Accept-Encoding: br"),))
    secured = Entrant(VENEER, "veneer", SECURE, (bare,))
    return (
        Case("hit", "hit 2 KB, bare head", (*line_up(bare), *more)),
        Case("hit-1", "hit 2 KB, 1 connection", line_up(bare), connections=1),
        Case("hit-256", "hit 2 KB, 256 connections", line_up(bare), connections=256),
        Case("hit-tls", "hit 2 KB over TLS 1.3", (secured, Entrant(NGINX, "nginx", SECURE, (bare,)))),
        Case("hit-browser", "hit 2 KB, browser's head", line_up(browser("/small/hit"))),
        Case("hit-changing", "hit 2 KB, changing heads", line_up(changing("/small/hit"))),
        Case(
            "hit-br",
            "hit 2 KB, br (the others: gzip)",
            (brotli, Entrant(VENEER_IDENTITY, "veneer", "full", (bare,)), *line_up(coded, without=(VENEER,))),
        ),
        Case(
            "hit-bearer",
            "hit 2 KB, shared by the tenant of 100 bearer tokens",
            (
                Entrant(VENEER_BEARER, "veneer", "full", bearers("/small/tenants/hit")),
                Entrant(VENEER, "veneer", "full", (bare,)),
            ),
        ),
        Case("hit-100k", "hit 100 KB", line_up(large), document="large"),
    )


def _other_answers() -> tuple[Case, ...]:
    fresh = request("/small/hit", f"If-None-Match: {ETAG}")
    limited = request("/limited/hit")
    return (
        Case("304", "304 to If-None-Match", line_up(fresh), status=304, document=None),
        Case("429", "429 by the rate limit", line_up(limited, without=(VARNISH,)), status=429, document=None),
        Case("l2", "hit in Redis, not in memory", (Entrant(VENEER, "veneer-l2", "full", each(4_000)),)),
        Case(
            "mix",
            "95 % reads, 5 % writes, 10,000 keys (Zipf)",
            line_up(*mix(), without=(VARNISH,)),
            Reaches.SOME,
            document=None,
        ),
    )


def _misses() -> tuple[Case, ...]:
    stored, private = (request(f"/{name}/{MARK}") for name in ("small", "private"))
    stream, post = request("/stream/big"), request("/write/form", method="POST", body=WRITTEN)

    def passing(sent: bytes, label: str = VENEER) -> tuple[Entrant, ...]:
        return (
            Entrant(label, "veneer", "full", (sent,)),
            Entrant(NGINX_PLAIN, "nginx", "plain", (sent,)),
            Entrant(NGINX_PASS, "nginx", "pass", (sent,)),
        )

    storing = (Entrant(VENEER, "veneer", "full", (stored,)), Entrant("nginx, stored", "nginx", "full", (stored,)))
    return (
        Case("miss", "miss 2 KB", (*storing, *passing(private, VENEER_PASS)), Reaches.EVERY),
        Case("miss-1m", "miss 1 MB, streamed", passing(stream), Reaches.EVERY, document="stream"),
        Case("post", "POST, passed through", passing(post), Reaches.EVERY, document=None),
    )
