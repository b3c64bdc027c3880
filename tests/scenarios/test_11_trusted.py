"""Behind a trusted proxy: what it says of the client is believed, what the client says through it is not."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
trusted_proxies: ["127.0.0.1", "10.0.0.0/8"]
pass_fields: [X-Scheme, api_key]
rate_limits:
  one: {rate: 1/1h, burst: 1}
routes:
  - {name: few, match: {path: "/{room}/few/{id}"}, rate_limit: one}
"""
FRESH = "200\nCache-Control: max-age=600"


@pytest.mark.parametrize(
    "name",
    [
        "X-Original-URL", "X-Rewrite-URL", "X-Host", "X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Forwarded-Ssl",
        "Client-IP", "Proxy", "X-HTTP-Host-Override", "True-Client-IP", "X_Forwarded_Host", "Accept_Language",
        "X_Original-URL", "X.Forwarded.Host",
    ],
)  # fmt: skip
async def test_what_no_key_shows_stays_here(talk: Dialogue, name: str) -> None:
    talk.answers(f"{FRESH}\n\none", "200\n\nwritten")
    await talk.ask("GET /a", f"{name}: evil")
    await talk.ask("POST /a", f"{name}: evil", body=b"")
    for asked in talk.asked:
        assert name.lower() not in {told.lower() for told, _ in asked.lines}


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Scheme", "api_key"])
async def test_what_passes_is_keyed(talk: Dialogue, name: str) -> None:
    talk.answers(f"{FRESH}\n\nplain", f"{FRESH}\n\ntold")
    assert (await talk.ask("GET /a")).text() == "plain"
    assert (await talk.ask("GET /a", f"{name}: said")).text() == "told"
    assert talk.asked[1].lines.all(name) == ["said"]
    assert (await talk.ask("GET /a")).text() == "plain"


async def test_a_host_in_forwarded_is_keyed_as_any(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\nplain", f"{FRESH}\n\ntold")
    assert (await talk.ask("GET /a")).text() == "plain"
    assert (await talk.ask("GET /a", "Forwarded: for=192.0.2.1;host=evil.test;proto=https")).text() == "told"
    assert talk.asked[1].lines.get("x-forwarded-host") == "evil.test"
    assert talk.asked[1].lines.get("x-forwarded-proto") == "https"
    assert (await talk.ask("GET /a")).text() == "plain"


@pytest.mark.parametrize(
    ("told", "begins"),
    [
        ("X-Forwarded-Host: public.test", "https://public.test"),
        ("Forwarded: for=192.0.2.1;host=public.test;proto=https", "https://public.test"),
        ("X-Forwarded-Prefix: /app", "/app"),
    ],
)
@pytest.mark.parametrize("field", ["Location", "Content-Location", "Destination"])
async def test_what_the_client_calls_its_origin_is_invalidated(
    talk: Dialogue, told: str, begins: str, field: str
) -> None:
    names = f"{field}: {begins}{talk.at('/new')}"
    asked, answered = ((names,), "201\n\n") if field == "Destination" else ((), f"201\n{names}\n\n")
    talk.answers(f"{FRESH}\n\nold", answered, "200\n\nnew")
    await talk.ask("GET /new", told)
    await talk.ask("MOVE /all", told, *asked)
    assert (await talk.ask("GET /new", told)).text() == "new"


async def test_forwarded_says_what_x_forwarded_says(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\none")
    await talk.ask("GET /a", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test")
    told = talk.asked[0].lines
    assert told.get("forwarded") == (
        'for=192.0.2.1;proto=https;host="shop.test", for=127.0.0.1;proto=https;host="shop.test"'
    )
    assert told.get("x-forwarded-for") == "192.0.2.1, 127.0.0.1"


@pytest.mark.parametrize(
    "same",
    [
        ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.1:5001", "X-Forwarded-For: 192.0.2.1:5002"),
        ("X-Forwarded-For: 192.0.2.2", "X-Forwarded-For: ::ffff:192.0.2.2", "Forwarded: for=192.0.2.2"),
        (
            "X-Forwarded-For: 2001:db8:1::3", "X-Forwarded-For: [2001:DB8:1::3]:443",
            'Forwarded: for="[2001:db8:0001:0:0::3]:99"', "X-Forwarded-For: 2001:db8:1::4",
        ),
        ("X-Forwarded-For: 6.6.6.6, 192.0.2.4, 10.0.0.9:81", "X-Forwarded-For: 7.7.7.7, 192.0.2.4:1"),
        ("X-Real-IP: 192.0.2.5", "Forwarded: For=192.0.2.5;by=10.0.0.3, for=10.0.0.4"),
    ],
)  # fmt: skip
async def test_one_client_is_one_however_it_is_written(talk: Dialogue, same: tuple[str, ...]) -> None:
    """An address with a port or without, and a whole network of version six, are one client to a limit."""
    first, *others = same
    talk.answers("200\n\none")
    assert (await talk.ask("GET /few/a", first)).status == 200
    assert [(await talk.ask("GET /few/a", other)).status for other in others] == [429] * len(others)
