"""Who may share with whom where a token says who asks: on every way of answering, and with every token that is none."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import HANG_UP, Dialogue
from tests.support.tokens import OTHER_SECRET, SECRET, bearer, tampered, token, unsigned
from veneer.core.identity import pseudonym

ENVIRONMENT = {"TEST_JWT_SECRET": SECRET}
POLICIES = """\
version: 1
trusted_proxies: []
identities:
  api:
    jwt:
      keys: [{secret_env: TEST_JWT_SECRET}]
      issuer: shop
      audience: [api]
      values: {tenant: company, user: sub}
    log: [user]
  login:
    session: {cookies: [sid], value: session}
rate_limits:
  per-tenant: {rate: 2/1h, key: identity.tenant}
defaults:
  cache: {share: identity.tenant, ttl: 1h, stale_while_revalidate: 1h, stale_if_error: 1h}
routes:
  - {name: listed, match: {path: "/{room}/listed/{rest:path}"}, cache: {share: [identity.tenant], ttl: 1h}}
  - {name: public, match: {path: "/{room}/public"}, cache: {share: everyone, ttl: 1h}}
  - {name: nobody, match: {path: "/{room}/nobody"}, cache: {share: nobody, ttl: 1h}}
  - {name: both, match: {path: "/{room}/both"}, cache: {share: [identity.tenant, identity.user], ttl: 1h}}
  - {name: session, match: {path: "/{room}/session"}, cache: {share: identity.session, ttl: 1h}}
  - name: ignoring
    match: {path: "/{room}/ignoring"}
    cache: {share: identity.tenant, ttl: 1h, cookies: {ignore: ["_ga*"]}}
  - name: write
    match: {path: "/{room}/tagged/{id}", methods: [PUT]}
    invalidates: ["docs:{identity.tenant}"]
  - name: tagged
    match: {path: "/{room}/tagged", methods: [GET]}
    cache: {share: identity.tenant, ttl: 1h, tags: ["docs:{identity.tenant}"]}
  - {name: spared, match: {path: "/{room}/spared"}, spare_target_keyed_by: [identity.tenant]}
  - {name: limited, match: {path: "/{room}/limited"}, cache: {share: nobody}, rate_limit: per-tenant}
  - {name: rest, match: {path: "/{room}/{rest:path}"}}
tests:
  - request: {path: /x/listed/1, headers: {Authorization: Bearer x}, identity: {tenant: "7"}}
    expect: {cacheable: true, ttl: 1h}
  - {request: {path: /x/listed/1, headers: {Authorization: Bearer x}}, expect: {cacheable: false}}
"""
GOOD = {"iss": "shop", "aud": "api"}


def of(company: object, user: str = "u", **claims: Any) -> str:
    """The line of a request of a user of a company."""
    return bearer(company=company, sub=user, **{**GOOD, **claims})


A, A2, B = of("a", "ann"), of("a", "abe"), of("b", "bob")
NOT_PROVEN = {
    "none": "X-Nothing: here",
    "no scheme": "Authorization: " + token(company="a", **GOOD),
    "basic": "Authorization: Basic YTpi",
    "not a token": "Authorization: Bearer abc",
    "empty": "Authorization: Bearer ",
    "forged": of("a", secret=OTHER_SECRET),
    "tampered": "Authorization: Bearer " + tampered(token(company="b", **GOOD), company="a"),
    "unsigned": "Authorization: Bearer " + unsigned(company="a", **GOOD),
    "expired": of("a", exp=1_000_000_000),
    "not yet": of("a", nbf=3_900_000_000),
    "another issuer": of("a", iss="other"),
    "for somebody else": of("a", aud="other"),
    "for nobody": of("a", aud=None),
    "no company": bearer(sub="u", **GOOD),
    "a list of companies": of(["a"]),
    "a bad date": of("a", exp="tomorrow"),
    "two": A + ", " + A.removeprefix("Authorization: "),
}


async def test_what_one_user_fetched_answers_another_of_the_same_company(talk: Dialogue) -> None:
    talk.answers("200\n\na's")
    assert (await talk.ask("GET /x", A)).text() == "a's"
    for who in (A, A2, A, A2, A2):
        answer = await talk.ask("GET /x", who)
        assert (answer.text(), "hit" in (answer.lines.get("cache-status") or "")) == ("a's", True)
    assert talk.paths() == ["GET /x"]


async def test_another_company_fetches_its_own(talk: Dialogue) -> None:
    talk.answers("200\n\na's", "200\n\nb's")
    assert [(await talk.ask("GET /x", who)).text() for who in (A, B) * 4] == ["a's", "b's"] * 4
    assert len(talk.paths()) == 2


@pytest.mark.parametrize("line", NOT_PROVEN.values(), ids=NOT_PROVEN)
async def test_who_proves_nothing_goes_to_the_backend_and_leaves_nothing(talk: Dialogue, line: str) -> None:
    talk.answers("200\n\na's", *["200\nCache-Control: public, s-maxage=600\n\nhis own"] * 3)
    await talk.ask("GET /x", A)
    for _ in range(3):
        answer = await talk.ask("GET /x", line)
        assert answer.text() == "his own"
        assert "fwd=bypass; detail=no-identity" in (answer.lines.get("cache-status") or "")
    assert (await talk.ask("GET /x", A2)).text() == "a's"


async def test_a_number_and_a_text_are_two_companies(talk: Dialogue) -> None:
    talk.answers("200\n\nnumber", "200\n\ntext")
    assert (await talk.ask("GET /x", of(7))).text() == "number"
    assert (await talk.ask("GET /x", of("7"))).text() == "text"


async def test_all_values_count_that_a_route_names(talk: Dialogue) -> None:
    talk.answers("200\n\nann's", "200\n\nabe's")
    assert [(await talk.ask("GET /both", who)).text() for who in (A, A2, A, A2)] == ["ann's", "abe's"] * 2


async def test_a_token_is_good_until_it_ends_and_no_longer(talk: Dialogue) -> None:
    """Also where the fast path has learned the answer and remembers the token."""
    ends = int(time.time()) + 2  # noqa: TID251 - the proxy's clock is this one
    brief = of("a", exp=ends)
    talk.answers("200\n\na's", "200\n\nhis own")
    for _ in range(6):
        assert (await talk.ask("GET /x", brief)).text() == "a's"
    await asyncio.sleep(ends - time.time() + 0.01)  # noqa: TID251
    assert (await talk.ask("GET /x", brief)).text() == "his own"
    assert (await talk.ask("GET /x", A)).text() == "a's"


async def test_private_and_no_store_still_win(talk: Dialogue) -> None:
    for said in ("private", "no-store"):
        talk.answers(f"200\nCache-Control: {said}, max-age=600\n\nann's", "200\n\nabe's")
        assert (await talk.ask(f"GET /{said}", A)).text() == "ann's"
        assert (await talk.ask(f"GET /{said}", A2)).text() == "abe's"


async def test_a_cookie_beside_the_token_may_be_what_the_backend_goes_by(talk: Dialogue) -> None:
    talk.answers("200\n\na's", "200\nCache-Control: max-age=600\n\nthe cookie's", "200\n\nthe cookie's")
    await talk.ask("GET /x", A)
    assert (await talk.ask("GET /x", A, "Cookie: sid=1")).text() == "the cookie's"
    assert (await talk.ask("GET /x", A, "Cookie: sid=1")).text() == "the cookie's"
    assert (await talk.ask("GET /x", A)).text() == "a's"


async def test_cookies_that_mean_nothing_do_not_matter(talk: Dialogue) -> None:
    talk.answers("200\n\na's")
    for cookie in ("_ga=1", "_ga=2; _gat=3") * 3:
        assert (await talk.ask("GET /ignoring", A, f"Cookie: {cookie}")).text() == "a's"


async def test_nobody_shares_and_everyone_shares_as_http_has_it(talk: Dialogue) -> None:
    talk.answers("200\n\n1", "200\n\n2", "200\n\nto ann", "200\nCache-Control: public\n\nto all")
    assert [(await talk.ask("GET /nobody", A)).text() for _ in range(2)] == ["1", "2"]
    assert (await talk.ask("GET /public", A)).text() == "to ann"
    assert [(await talk.ask("GET /public", who)).text() for who in (B, A, B)] == ["to all"] * 3


async def test_concurrent_requests_share_a_fetch_within_a_company_alone(talk: Dialogue) -> None:
    gate = asyncio.Event()
    talk.answers(
        [gate, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"],
        [gate, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"],
    )
    asked = [asyncio.ensure_future(talk.ask("GET /x", who, client=talk.client())) for who in (A, A2, A, B, B)]  # noqa: TID251
    await talk.reached(2)
    gate.set()
    assert [(await one).text() for one in asked] == ["own"] * 5
    assert len(talk.paths()) == 2


async def test_stale_answers_stay_within_the_company(talk: Dialogue) -> None:
    old = '200\nCache-Control: max-age=1\nAge: 1\nETag: "{0}"\n\n{0}\'s'
    talk.answers(old.format("a"), old.format("b"))
    assert (await talk.ask("GET /x", A)).text() == "a's"
    assert (await talk.ask("GET /x", B)).text() == "b's"
    talk.answers(*["503\n\n"] * 2)
    assert (await talk.ask("GET /x", A2)).text() == "a's"
    assert (await talk.ask("GET /x", B)).text() == "b's"
    await talk.reached(4)


async def test_a_304_confirms_for_the_company_that_asked(talk: Dialogue) -> None:
    tagged = '200\nCache-Control: no-cache\nETag: "same"\n\n{}\'s'
    talk.answers(tagged.format("a"), tagged.format("b"), "304\n\n", "304\n\n")
    await talk.ask("GET /x", A)
    await talk.ask("GET /x", B)
    assert (await talk.ask("GET /x", A2)).text() == "a's"
    assert (await talk.ask("GET /x", B)).text() == "b's"


async def test_ranges_and_head_are_answered_within_the_company(talk: Dialogue) -> None:
    talk.answers("200\n\naaaa", "206\nContent-Range: bytes 0-1/4\n\nbb", "200\n\n")
    await talk.ask("GET /x", A)
    assert (await talk.ask("GET /x", A2, "Range: bytes=0-1")).text() == "aa"
    assert (await talk.ask("GET /x", B, "Range: bytes=0-1")).text() == "bb"
    assert (await talk.ask("HEAD /x", A2)).lines.get("content-length") == "4"
    await talk.ask("HEAD /x", of("c"))
    assert talk.paths() == ["GET /x", "GET /x", "HEAD /x"]


async def test_coded_bodies_stay_within_the_company(talk: Dialogue) -> None:
    talk.answers(*[f"200\nContent-Type: text/plain\n\n{who * 5000}" for who in "ab"])
    for _ in range(4):
        for who, line in (("a", A), ("b", B)):
            answer = await talk.ask("GET /x", line, "Accept-Encoding: gzip")
            assert answer.lines.get("content-encoding") == "gzip"
            assert answer.lines.get("etag") is not None
            assert (await talk.ask("GET /x", line)).text() == who * 5000
    assert len(talk.paths()) == 2


async def test_a_write_of_a_company_ends_what_is_tagged_as_its_own(talk: Dialogue) -> None:
    talk.answers("200\n\na's", "200\n\nb's", "204\n", "200\n\na's new")
    assert (await talk.ask("GET /tagged", A)).text() == "a's"
    assert (await talk.ask("GET /tagged", B)).text() == "b's"
    assert (await talk.ask("PUT /tagged/1", A, body=b"x")).status == 204
    assert (await talk.ask("GET /tagged", B)).text() == "b's"
    assert (await talk.ask("GET /tagged", A2)).text() == "a's new"


async def test_a_write_of_nobody_known_ends_what_is_tagged_as_anybodys(talk: Dialogue) -> None:
    talk.answers("200\n\na's", "200\n\nb's", "204\n", "200\n\na's new", "200\n\nb's new")
    await talk.ask("GET /tagged", A)
    await talk.ask("GET /tagged", B)
    assert (await talk.ask("PUT /tagged/1", body=b"x")).status == 204
    assert (await talk.ask("GET /tagged", A)).text() == "a's new"
    assert (await talk.ask("GET /tagged", B)).text() == "b's new"


async def test_a_company_is_counted_as_one_client(talk: Dialogue) -> None:
    talk.answers(*["200\n\n"] * 4)
    first, second = of("counted"), of("counted", "other")
    assert [(await talk.ask("GET /limited", who)).status for who in (first, second, first)] == [200, 200, 429]
    assert (await talk.ask("GET /limited", of("counted too"))).status == 200
    assert (await talk.ask("GET /limited")).status == 200


async def test_a_session_shares_with_itself_alone(talk: Dialogue) -> None:
    talk.answers("200\n\none's", "200\n\ntwo's", "200\n\nnobody's", "200\n\nboth's")
    for _ in range(3):
        assert (await talk.ask("GET /session", "Cookie: sid=1")).text() == "one's"
        assert (await talk.ask("GET /session", "Cookie: sid=2")).text() == "two's"
    assert (await talk.ask("GET /session")).text() == "nobody's"
    assert (await talk.ask("GET /session", "Cookie: sid=1; sid=2")).text() == "both's"


async def test_a_backend_that_fails_is_hidden_within_the_company(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=1, stale-while-revalidate=0\nAge: 1\n\na's", *[HANG_UP] * 8)
    await talk.ask("GET /listed/x", A)
    assert (await talk.ask("GET /listed/x", A2)).text() == "a's"
    assert (await talk.ask("GET /listed/x", B)).status == 502
    talk.forget_answers()


async def test_a_write_that_names_what_it_changed_leaves_the_target_of_other_companies(talk: Dialogue) -> None:
    """RFC 9111 section 4.4 would end them all; the policy says that this does not."""
    page = '200\nCache-Control: s-maxage=600\nCache-Groups: "{0}"\n\n{0}\'s'
    talk.answers(page.format("a"), page.format("b"), '201\nCache-Group-Invalidation: "a"\n\n', page.format("a"))
    assert (await talk.ask("GET /spared", A)).text() == "a's"
    assert (await talk.ask("GET /spared", B)).text() == "b's"
    assert (await talk.ask("POST /spared", A, body=b"x")).status == 201
    assert (await talk.ask("GET /spared", B)).text() == "b's"
    assert (await talk.ask("GET /spared", A2)).text() == "a's"
    assert talk.paths() == ["GET /spared", "GET /spared", "POST /spared", "GET /spared"]


async def test_the_log_tells_who_asked_by_a_digest_on_every_way(talk: Dialogue, stage: Stage) -> None:
    talk.answers("200\n\na's", "200\n\nb's", "200\n\nnobody's")
    for who in (A, A2, A, B, A):
        await talk.ask("GET /logged", who)
    await talk.ask("GET /logged")
    lines = await logged(stage, talk.at("/logged"), 6)
    told = [line.get("identity") for line in lines]
    assert told == [{"tenant": pseudonym("tenant", who)} for who in "aaaba"] + [None]
    assert [line["cache"] for line in lines[:5]] == ["miss", "hit", "hit", "miss", "hit"]


async def test_the_log_shows_a_value_that_the_policy_lets_it(talk: Dialogue, stage: Stage) -> None:
    talk.answers("200\n\nann's")
    for _ in range(4):
        await talk.ask("GET /both", A)
    lines = await logged(stage, talk.at("/both"), 4)
    assert [line["identity"] for line in lines] == [{"tenant": pseudonym("tenant", "a"), "user": "ann"}] * 4


async def logged(stage: Stage, path: str, count: int) -> list[dict[str, Any]]:
    """The lines of requests for a path, once there are so many."""
    async with asyncio.timeout(10):
        while True:
            found = [line for line in stage.proxy.log_records() if line.get("path") == path]
            if len(found) >= count:
                return sorted(found, key=lambda line: str(line["time"]))
            await asyncio.sleep(0.05)  # lines are written in batches
