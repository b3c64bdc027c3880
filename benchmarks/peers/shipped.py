"""The configuration that people run: Redis, a limit that all nodes share, and clients that take codings."""

from __future__ import annotations

from benchmarks.peers.cases import NGINX, NGINX_PASS, VENEER, Case, Entrant, Reaches
from benchmarks.peers.requests import MARK, each, mix, request

SHARED, SHARED_TWO, OWN = VENEER, "Veneer, two workers", "Veneer, own memory and limit"
EARLIER, EARLIER_TWO = "Veneer 880bd00", "Veneer 880bd00, two workers"
TAKES = "Accept-Encoding: gzip, deflate"
"""As python-requests sends it."""


def shipped_cases() -> tuple[Case, ...]:
    """Each entrant with everything on, on one core; where it says nothing else, over Redis on the other core."""
    hit, miss = request("/small/hit", TAKES), request(f"/small/{MARK}", TAKES)
    post = request("/write/form", TAKES, method="POST", body="{}")
    return (
        Case(
            "shipped-hit",
            "shipped: hit 2 KB",
            (*_all(hit), Entrant(NGINX, "nginx", "full", (hit,))),
        ),
        Case(
            "shipped-miss",
            "shipped: miss 2 KB, stored",
            (*_all(miss), Entrant(NGINX, "nginx", "full", (miss,))),
            Reaches.EVERY,
        ),
        Case(
            "shipped-l2",
            "shipped: hit in Redis, not in memory",
            (
                Entrant(SHARED, "veneer-l2", "full", each(4_000, TAKES)),
                Entrant(EARLIER, "earlier-l2", "full", each(4_000, TAKES)),
            ),
        ),
        Case(
            "shipped-post",
            "shipped: POST, 2 bytes",
            (*_all(post), Entrant(NGINX_PASS, "nginx", "pass", (post,))),
            Reaches.EVERY,
            document=None,
        ),
        Case(
            "shipped-mix",
            "shipped: 95 % reads, 5 % writes, 10,000 keys (Zipf)",
            (*_all(*mix(TAKES)), Entrant(NGINX, "nginx", "full", mix(TAKES))),
            Reaches.SOME,
            document=None,
        ),
    )


def _all(*requests: bytes) -> tuple[Entrant, ...]:
    """Veneer as it is shipped and alone, with one worker and two, and as it was."""
    return (
        Entrant(SHARED, "veneer-shared", "full", requests),
        Entrant(OWN, "veneer", "full", requests),
        Entrant(SHARED_TWO, "veneer-shared-2", "full", requests),
        Entrant(EARLIER, "earlier-shared", "full", requests),
        Entrant(EARLIER_TWO, "earlier-shared-2", "full", requests),
    )
