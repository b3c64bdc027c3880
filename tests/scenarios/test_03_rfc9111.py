"""Item 3: storing, freshness, validation, invalidation and stale responses where the public suite is silent."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.dialogue import HANG_UP, Dialogue, ago

FRESH = "Cache-Control: max-age=600"


async def test_a_fresh_response_is_reused_with_its_age(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nAge: 100\n\none")
    first = await talk.ask("GET /a")
    second = await talk.ask("GET /a")
    assert (first.text(), second.text()) == ("one", "one")
    assert int(second.lines.get("Age") or 0) >= 100
    assert second.lines.get("Date") == first.lines.get("Date")
    assert talk.paths() == ["GET /a"]


@pytest.mark.parametrize("date", ["Sun Nov  6 08:49:37 2094", "Saturday, 06-Nov-44 08:49:37 GMT"])
async def test_expires_in_the_obsolete_date_formats(talk: Dialogue, date: str) -> None:
    talk.answers(f"200\nExpires: {date}\n\none")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "one"


@pytest.mark.parametrize("date", ["0", "Sat, 06 Nov 2094 08:49:37 UTC", "Sat, 6 Nov 2094 08:49:37 GMT", "2094-11-06"])
async def test_what_is_no_http_date_is_in_the_past(talk: Dialogue, date: str) -> None:
    talk.answers(f"200\nExpires: {date}\n\none", "200\n\ntwo")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "two"


async def test_a_private_response_is_not_stored(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}, private\n\nmine", f"200\n{FRESH}, private\n\nyours")
    assert (await talk.ask("GET /a")).text() == "mine"
    assert (await talk.ask("GET /a")).text() == "yours"


async def test_an_answer_to_authorization_is_shared_only_where_it_says_so(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nann", f"200\n{FRESH}\n\nbob", f"200\n{FRESH}, public\n\nall")
    assert (await talk.ask("GET /a", "Authorization: ann")).text() == "ann"
    assert (await talk.ask("GET /a", "Authorization: bob")).text() == "bob"
    assert (await talk.ask("GET /b", "Authorization: ann")).text() == "all"
    assert (await talk.ask("GET /b", "Authorization: bob")).text() == "all"


async def test_what_sets_a_cookie_is_not_stored(talk: Dialogue) -> None:
    guess = f"200\nLast-Modified: {ago(1_000_000)}\nSet-Cookie: a=1\n\n"
    talk.answers(*[f"200\n{FRESH}\nSet-Cookie: a={n}\n\none" for n in (1, 2)], guess + "two", guess + "three")
    await talk.ask("GET /explicit")
    assert (await talk.ask("GET /explicit")).lines.get("Set-Cookie") == "a=2"
    assert (await talk.ask("GET /guess")).text() == "two"
    assert (await talk.ask("GET /guess")).text() == "three"


async def test_a_cookie_is_never_shared_among_requests_that_wait_together(talk: Dialogue) -> None:
    talk.answers(*(f"200\n{FRESH}\nSet-Cookie: id={n}\n\n{n}" for n in range(4)))
    asked = [talk.ask("GET /a", client=talk.client()) for _ in range(4)]
    cookies = [response.lines.get("Set-Cookie") for response in await asyncio.gather(*asked)]
    talk.forget_answers()
    assert len(talk.asked) == len(set(cookies))


async def test_must_understand_lifts_no_store_for_a_known_status_only(talk: Dialogue) -> None:
    both = f"{FRESH}, must-understand, no-store"
    talk.answers(f"200\n{both}\n\none", f"299\n{both}\n\ntwo", f"299\n{both}\n\nthree")
    await talk.ask("GET /known")
    assert (await talk.ask("GET /known")).text() == "one"
    await talk.ask("GET /unknown")
    assert (await talk.ask("GET /unknown")).text() == "three"


async def test_a_stale_response_is_validated_and_freshened(talk: Dialogue) -> None:
    talk.answers(
        '200\nETag: "a"\nCache-Control: max-age=1\nAge: 5\nX-Old: kept\n\none',
        '304\nETag: "a"\nCache-Control: max-age=600\nX-New: yes\n\n',
    )
    await talk.ask("GET /a")
    second = await talk.ask("GET /a")
    assert (second.status, second.text()) == (200, "one")
    assert (second.lines.get("X-Old"), second.lines.get("X-New")) == ("kept", "yes")
    assert talk.asked[1].lines.get("If-None-Match") == '"a"'
    assert (await talk.ask("GET /a")).lines.get("X-New") == "yes"


async def test_a_304_with_another_strong_tag_updates_nothing(talk: Dialogue) -> None:
    talk.answers(
        '200\nETag: "a"\nCache-Control: max-age=1\nAge: 5\n\nold',
        '304\nETag: "b"\nCache-Control: max-age=600\n\n',
        '200\nETag: "b"\nCache-Control: max-age=600\n\nnew',
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "new"
    assert "If-None-Match" not in talk.asked[2].lines
    assert (await talk.ask("GET /a")).text() == "new"


async def test_the_client_s_condition_is_answered_from_the_freshened_response(talk: Dialogue) -> None:
    talk.answers(
        '200\nETag: "a"\nCache-Control: max-age=1\nAge: 5\n\none', '304\nETag: "a"\nCache-Control: max-age=600\n\n'
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", 'If-None-Match: "a"')).status == 304
    assert (await talk.ask("GET /a", 'If-None-Match: "b", W/"a"')).status == 304
    assert (await talk.ask("GET /a", 'If-None-Match: "b"')).text() == "one"


async def test_if_match_is_for_the_origin(talk: Dialogue) -> None:
    talk.answers(f'200\nETag: "a"\n{FRESH}\n\none', "412\n\nno")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", 'If-Match: "b"')).status == 412
    assert talk.asked[1].lines.get("If-Match") == '"b"'


async def test_head_updates_what_is_stored_and_a_mismatch_makes_it_stale(talk: Dialogue) -> None:
    talk.answers(
        '200\nETag: "a"\nCache-Control: max-age=1\nAge: 5\n\none',
        '200\nETag: "a"\nCache-Control: max-age=600\nContent-Length: 3\nX-New: yes\n\none',
        '200\nETag: "a"\nCache-Control: max-age=600\n\nsame',
    )
    await talk.ask("GET /a")
    assert (await talk.ask("HEAD /a", "Connection: close")).status == 200
    updated = await talk.ask("GET /a")
    assert (updated.text(), updated.lines.get("X-New")) == ("one", "yes")
    talk.forget_answers()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPPATCH", "FROBNICATE"])
async def test_any_unsafe_method_invalidates_its_target(talk: Dialogue, method: str) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", "204\n\n", f"200\n{FRESH}\n\nnew")
    await talk.ask("GET /a")
    await talk.ask(f"{method} /a", body=b"x")
    assert (await talk.ask("GET /a")).text() == "new"


async def test_an_unsafe_method_that_is_refused_invalidates_nothing(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", "409\n\nno")
    await talk.ask("GET /a")
    await talk.ask("POST /a", body=b"x")
    assert (await talk.ask("GET /a")).text() == "old"


async def test_location_and_content_location_are_invalidated_on_the_same_origin_only(talk: Dialogue) -> None:
    talk.answers(*(f"200\n{FRESH}\n\n{name}" for name in "abc"))
    for name in "abc":
        await talk.ask(f"GET /{name}")
    talk.answers(f"201\nLocation: {talk.at('/a')}\nContent-Location: http://elsewhere.example{talk.at('/b')}\n\n")
    await talk.ask("POST /c", body=b"x")
    talk.answers(f"200\n{FRESH}\n\nnew a", f"200\n{FRESH}\n\nnew c")
    assert (await talk.ask("GET /a")).text() == "new a"
    assert (await talk.ask("GET /b")).text() == "b"
    assert (await talk.ask("GET /c")).text() == "new c"


async def test_stale_while_revalidate_answers_at_once_and_refreshes_behind(talk: Dialogue) -> None:
    talk.answers(
        '200\nCache-Control: max-age=1, stale-while-revalidate=600\nAge: 5\nETag: "a"\n\nold',
        f'200\n{FRESH}\nETag: "b"\n\nnew',
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", "X-Trigger: yes")).text() == "old"
    await talk.reached(2)
    assert talk.asked[1].lines.get("X-Trigger") == "yes"
    for _ in range(200):
        if (await talk.ask("GET /a")).text() == "new":
            break
        await asyncio.sleep(0.01)
    assert (await talk.ask("GET /a")).text() == "new"
    assert len(talk.asked) == 2


async def test_stale_if_error_covers_an_error_and_must_revalidate_forbids_it(talk: Dialogue) -> None:
    talk.answers(
        "200\nCache-Control: max-age=1, stale-if-error=600\nAge: 5\n\nold",
        "503\n\nno",
        '200\nETag: "a"\nCache-Control: max-age=1, stale-if-error=600, must-revalidate\nAge: 5\n\nold',
        "503\n\nno",
    )
    await talk.ask("GET /covered")
    assert (await talk.ask("GET /covered")).text() == "old"
    await talk.ask("GET /strict")
    assert (await talk.ask("GET /strict")).status == 503


async def test_a_lost_origin_is_covered_by_stale_responses_unless_they_forbid_it(talk: Dialogue) -> None:
    talk.answers('200\nETag: "a"\nCache-Control: max-age=1\nAge: 5\n\nold', HANG_UP, HANG_UP)
    await talk.ask("GET /covered")
    assert (await talk.ask("GET /covered")).text() == "old"
    talk.forget_answers()
    talk.answers('200\nETag: "a"\nCache-Control: max-age=1, must-revalidate\nAge: 5\n\nold', HANG_UP, HANG_UP)
    await talk.ask("GET /strict")
    assert (await talk.ask("GET /strict")).status in (502, 504)
    talk.forget_answers()  # one retry is allowed where the connection had been used before


async def test_an_error_does_not_evict_what_is_stored(talk: Dialogue) -> None:
    talk.answers(
        "200\nCache-Control: max-age=1, stale-if-error=600\nAge: 5\n\nold", "500\n\nno", f"200\n{FRESH}\n\nnew"
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "old"
    assert (await talk.ask("GET /a")).text() == "new"
