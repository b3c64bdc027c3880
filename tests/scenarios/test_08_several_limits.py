"""Several limits on one route, and limits whose key has several parts."""

from __future__ import annotations

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
rate_limits:
  burst: {rate: 3/1h, key: route, accuracy: exact}
  each: {rate: 2/1h, key: "header:X-User", accuracy: exact}
  many: {rate: 100/1h, key: global, accuracy: exact}
  pair: {rate: 1/1h, key: ["header:X-User", "header:X-Tenant"], accuracy: exact}
  here: {rate: 1/1h, key: [route, "header:X-User"], accuracy: exact}
routes:
  - {name: several, match: {path: "/{room}/several"}, rate_limit: [many, each, burst]}
  - {name: pairs, match: {path: "/{room}/pairs"}, rate_limit: pair}
  - {name: one, match: {path: "/{room}/one"}, rate_limit: here}
  - {name: other, match: {path: "/{room}/other"}, rate_limit: here}
"""
FRESH = "200\nCache-Control: max-age=600\n\nx"


async def test_all_must_admit_and_the_tightest_is_told(talk: Dialogue) -> None:
    talk.answers(FRESH)
    first = await talk.ask("GET /several", "X-User: ann")
    assert (first.lines.get("RateLimit") or "").startswith('"each";r=1;')
    assert (first.lines.get("RateLimit-Policy") or "").startswith('"each";q=2;')
    assert (await talk.ask("GET /several", "X-User: ann")).status == 200
    for _ in range(3):
        refused = await talk.ask("GET /several", "X-User: ann")
        assert refused.status == 429
        assert (refused.lines.get("RateLimit") or "").startswith('"each";r=0;')
    # What "each" has refused was taken from neither of the others, but for what Redis counted before it refused.
    bob = await talk.ask("GET /several", "X-User: bob")
    assert (bob.status, (bob.lines.get("RateLimit") or "")[:10]) == (200, '"burst";r=')
    assert (await talk.ask("GET /several", "X-User: cid")).status == 429


async def test_parts_of_a_key_count_together(talk: Dialogue) -> None:
    talk.answers(FRESH)
    pairs = [("ann", "a"), ("ann", "b"), ("bob", "a"), ("an", "na"), ("a", "nna")]
    for user, tenant in pairs:
        assert (await talk.ask("GET /pairs", f"X-User: {user}", f"X-Tenant: {tenant}")).status == 200
    for user, tenant in pairs:
        assert (await talk.ask("GET /pairs", f"X-User: {user}", f"X-Tenant: {tenant}")).status == 429


async def test_a_part_may_be_the_route(talk: Dialogue) -> None:
    talk.answers(FRESH, FRESH)
    for user in ("ann", "bob"):
        for path, status in (("/one", 200), ("/other", 200), ("/one", 429), ("/other", 429)):
            assert (await talk.ask(f"GET {path}", f"X-User: {user}")).status == status
