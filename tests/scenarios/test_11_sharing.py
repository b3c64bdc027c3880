"""Who may share what, without a policy: nobody gets what nobody declared to be for him."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from checks.conformance.client import Response
from tests.scenarios.dialogue import HANG_UP, Asked, Dialogue, ago, framed

ANN, BOB = "Cookie: sid=ann", "Cookie: sid=bob"
GUESS = f"Last-Modified: {ago(2_000_000)}"
FRESH = "Cache-Control: max-age=600"


async def together(talk: Dialogue, *asked: tuple[str, ...], first: str) -> list[Response]:
    """Ask, let the first request reach the origin before the others are sent, and answer it when all are there."""
    gate = asyncio.Event()
    talk._answers.appendleft([gate, framed(first)])
    begun = len(talk.begun)
    lead = asyncio.gather(talk.ask(*asked[0], client=talk.client()))
    await talk.began(begun + 1)
    rest = asyncio.gather(*[talk.ask(*one, client=talk.client()) for one in asked[1:]])
    await asyncio.sleep(0.2)  # nothing tells that they wait; whoever comes later is answered the same
    gate.set()
    return [*await lead, *await rest]


# ------------------------------------------------------------ stored


@pytest.mark.parametrize("fields", [GUESS, 'ETag: "x"', f'{GUESS}\nETag: "x"'], ids=["date", "tag", "both"])
async def test_a_guess_is_not_shared_with_or_from_a_session(talk: Dialogue, fields: str) -> None:
    talk.answers(f"200\n{fields}\n\nann's", f"200\n{fields}\n\nbob's", f"200\n{fields}\n\nfor all")
    assert (await talk.ask("GET /a", ANN)).text() == "ann's"
    bob = await talk.ask("GET /a", BOB)
    assert (bob.text(), bob.lines.get("Cache-Status")) == ("bob's", "Veneer; fwd=uri-miss; detail=cookie")
    assert (await talk.ask("GET /a")).text() == "for all"
    talk.answers(f"200\n{fields}\n\nann's again")
    ann = await talk.ask("GET /a", ANN)
    assert (ann.text(), ann.lines.get("Cache-Status")) == ("ann's again", "Veneer; fwd=request; detail=cookie")


async def test_a_guess_is_shared_among_guests(talk: Dialogue) -> None:
    talk.answers(f"200\n{GUESS}\n\nfor all")
    for _ in range(4):
        assert (await talk.ask("GET /a")).text() == "for all"
    talk.answers(f"200\n{GUESS}\n\nann's", f"200\n{GUESS}\n\nhers")
    assert (await talk.ask("GET /a", ANN)).text() == "ann's"
    assert (await talk.ask("GET /a", "Authorization: x")).text() == "hers"
    assert (await talk.ask("GET /a")).text() == "for all"


@pytest.mark.parametrize("said", [FRESH, f"Cache-Control: public\n{GUESS}"], ids=["max-age", "public"])
async def test_what_the_origin_declares_is_shared_with_sessions(talk: Dialogue, said: str) -> None:
    talk.answers(f"200\n{said}\n\nfor all")
    for one in (ANN, BOB, "X-None: 1", ANN, BOB):
        assert (await talk.ask("GET /a", one)).text() == "for all"


async def test_one_client_s_set_cookie_is_not_another_s(talk: Dialogue) -> None:
    talk.answers(*(f"200\n{FRESH}\nSet-Cookie: sid={n}\n\n{n}" for n in range(3)))
    for n in range(3):
        answer = await talk.ask("GET /a")
        assert (answer.text(), answer.lines.get("Set-Cookie")) == (f"{n}", f"sid={n}")


async def test_the_origin_may_have_its_cookie_left_out(talk: Dialogue) -> None:
    talk.answers('200\nCache-Control: max-age=600, no-cache="Set-Cookie"\nSet-Cookie: sid=1\n\none')
    assert (await talk.ask("GET /a")).lines.get("Set-Cookie") == "sid=1"
    second = await talk.ask("GET /a")
    assert (second.text(), second.lines.get("Set-Cookie")) == ("one", None)


async def test_who_waits_gets_no_trailers_as_a_hit_would_have_none(talk: Dialogue) -> None:
    gate = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    talk.answers([gate, head, b"0\r\nSet-Cookie: sid=ann\r\n\r\n"])
    request = f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n".encode()
    ann = asyncio.gather(talk.send_raw(request))
    await talk.began(1)
    bob = asyncio.gather(talk.send_raw(request))
    await asyncio.sleep(0.2)  # nothing tells that he waits; if he comes later he is answered from the store
    gate.set()
    assert b"Set-Cookie: sid=ann" in (await ann)[0]
    assert b"Set-Cookie" not in (await bob)[0]


# ------------------------------------------------------------ while the origin is away


async def test_what_nobody_said_is_fresh_does_not_stand_in_for_an_origin_that_is_away(talk: Dialogue) -> None:
    talk.answers('200\nETag: "x"\n\nonce', *[HANG_UP] * 4)
    assert (await talk.ask("GET /a")).text() == "once"
    assert (await talk.ask("GET /a")).status == 502
    assert (await talk.ask("GET /a", BOB)).status == 502
    talk.forget_answers()


async def test_what_was_said_to_be_fresh_stands_in(talk: Dialogue) -> None:
    talk.answers('200\nETag: "x"\nCache-Control: max-age=1\nAge: 5\n\nonce', *[HANG_UP] * 2)
    assert (await talk.ask("GET /a")).text() == "once"
    assert (await talk.ask("GET /a")).text() == "once"
    talk.forget_answers()


# ------------------------------------------------------------ waiting together


@pytest.mark.parametrize(
    "said",
    [
        'ETag: "{n}"',
        'ETag: "{n}"\nCache-Control: no-cache',
        'ETag: "{n}"\nCache-Control: max-age=0',
        'ETag: "{n}"\nCache-Control: max-age=0, must-revalidate',
        'ETag: "{n}"\nCache-Control: s-maxage=0',
        f'ETag: "{{n}}"\nExpires: {ago(60)}',
        GUESS,
    ],
    ids=["tag", "no-cache", "max-age-0", "must-revalidate", "s-maxage-0", "expired", "date"],
)
async def test_who_waits_gets_nothing_that_would_have_to_be_validated(talk: Dialogue, said: str) -> None:
    answers = [f"200\n{said.format(n=n)}\n\nfor {n}" for n in range(3)]
    talk.answers(*answers[1:])
    asked = [("GET /a", f"Cookie: sid={n}") for n in range(3)]
    answered = await together(talk, *asked, first=answers[0])
    assert sorted(answer.text() for answer in answered) == ["for 0", "for 1", "for 2"]
    assert not any("collapsed" in (answer.lines.get("Cache-Status") or "") for answer in answered)


async def test_who_waits_for_a_validation_of_what_is_always_validated_validates_himself(talk: Dialogue) -> None:
    page = '200\nCache-Control: public, no-cache\nETag: "{0}"\n\n{0}'
    talk.answers(page.format("ann"))
    assert (await talk.ask("GET /a")).text() == "ann"
    talk.answers(page.format("bob"))
    answered = await together(
        talk, ("GET /a", ANN), ("GET /a", BOB), first='304\nCache-Control: public, no-cache\nETag: "ann"\n\n'
    )
    assert [answer.text() for answer in answered] == ["ann", "bob"]


async def test_guests_and_sessions_wait_apart(talk: Dialogue) -> None:
    talk.answers(*[f"200\n{GUESS}\n\nfor all"] * 2)
    guests = [("GET /a",)] * 20
    answered = await together(talk, ("GET /a", "Authorization: x"), *guests, first="200\n\nhers")
    assert [answer.text() for answer in answered] == ["hers", *["for all"] * 20]
    talk.forget_answers()
    assert len(talk.asked) == 2


async def test_one_private_variant_leaves_the_others_waiting_together(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: private\nVary: Cookie\n\nann's")
    assert (await talk.ask("GET /a", ANN)).text() == "ann's"
    answered = await together(talk, *[("GET /a",)] * 20, first=f"200\n{FRESH}\nVary: Cookie\n\nfor all")
    assert Counter(answer.text() for answer in answered) == {"for all": 20}
    assert len(talk.asked) == 2


async def test_each_variant_is_fetched_once(talk: Dialogue) -> None:
    said = f"200\n{FRESH}\nVary: Accept-Language\n\nhello"
    talk.answers(*[said] * 30)
    asked = [("GET /a", f"Accept-Language: {language}") for _ in range(20) for language in ("en", "fr", "de")]
    await together(talk, *asked, first=said)
    talk.forget_answers()
    assert Counter(one.lines.get("Accept-Language") for one in talk.asked) == {"en": 1, "fr": 1, "de": 1}


async def test_one_variant_s_error_is_not_another_s(talk: Dialogue) -> None:
    page = "200\nCache-Control: max-age=1, stale-if-error=600\nAge: 5\nVary: Accept-Language\n\n{}"
    talk.answers(page.format("hello"))
    assert (await talk.ask("GET /a", "Accept-Language: en")).text() == "hello"
    talk.answers(page.format("bonjour"))
    answered = await together(
        talk, ("GET /a", "Accept-Language: en"), ("GET /a", "Accept-Language: fr"), first="503\n\n"
    )
    assert [answer.text() for answer in answered] == ["hello", "bonjour"]


async def test_requests_with_nothing_but_conditions_wait_together_and_fill_the_store(talk: Dialogue) -> None:
    asked = [("GET /a", 'If-None-Match: "x"')] * 9
    answered = await together(talk, *asked, ("GET /a",), first=f'200\n{FRESH}\nETag: "x"\n\none')
    assert [answer.status for answer in answered] == [304] * 9 + [200]
    assert (await talk.ask("GET /a")).text() == "one"
    assert len(talk.asked) == 1


OLD, NEW = ago(3_000_000), ago(2_000_000)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('If-None-Match: "x"', 304),
        ('If-None-Match: "other", "x"', 304),
        ('If-None-Match: "other"', 200),
        (f"If-Modified-Since: {NEW}", 304),
        (f"If-Modified-Since: {OLD}", 200),
    ],
    ids=["tag", "tags", "other tag", "date", "older date"],
)
async def test_an_origin_that_knows_304_is_asked_for_the_whole_once(
    talk: Dialogue, condition: str, status: int
) -> None:
    """Browsers whose copies are old come with conditions only: what they bring back fills the store all the same."""
    gate = asyncio.Event()

    def says(asked: Asked) -> list[bytes | asyncio.Event]:
        fields = f'{FRESH}\nETag: "x"\nLast-Modified: {NEW}'
        matches = '"x"' in (asked.lines.get("If-None-Match") or "") or asked.lines.get("If-Modified-Since") == NEW
        return [gate, framed(f"304\n{fields}\n\n" if matches else f"200\n{fields}\n\npage")]

    talk.answered_by = says
    together = asyncio.gather(*[talk.ask("GET /a", condition, client=talk.client()) for _ in range(10)])
    await talk.began(1)
    await asyncio.sleep(0.2)  # as above
    gate.set()
    assert {answer.status for answer in await together} == {status}
    assert [(await talk.ask(f"{method} /a", condition)).status for method in ("GET", "HEAD")] == [status] * 2
    assert (await talk.ask("GET /a")).text() == "page"
    assert [asked.lines.get(condition.partition(":")[0]) for asked in talk.asked] == [None]


async def test_where_waiting_gains_nothing_a_condition_goes_to_the_origin(talk: Dialogue) -> None:
    talk.answers('200\nCache-Control: private\nETag: "x"\n\nmine', '304\nETag: "x"\n\n')
    assert (await talk.ask("GET /a", 'If-None-Match: "x"')).status == 304
    assert (await talk.ask("GET /a", 'If-None-Match: "x"')).status == 304
    assert talk.asked[1].lines.get("If-None-Match") == '"x"'


async def test_equal_queries_wait_together(talk: Dialogue) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed(f"200\n{FRESH}\n\nfound")])
    asked = asyncio.gather(
        *[talk.ask("QUERY /a", "Content-Type: application/json", body=b"{}", client=talk.client()) for _ in range(10)]
    )
    await talk.began(1)
    await asyncio.sleep(0.2)  # as above
    gate.set()
    assert {answer.text() for answer in await asked} == {"found"}
    assert len(talk.asked) == 1
