"""Item 6: fields about caching."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

FRESH = "Cache-Control: max-age=600"


def status(response_lines: str | None) -> list[str]:
    """The parts of this proxy's member of Cache-Status, the last one."""
    return [part.strip() for part in (response_lines or "").split(",")[-1].split(";")]


async def test_cache_status_tells_miss_and_hit(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\none")
    miss = status((await talk.ask("GET /a")).lines.get("Cache-Status"))
    hit = status((await talk.ask("GET /a")).lines.get("Cache-Status"))
    assert {"fwd=uri-miss", "stored"} <= set(miss)
    assert "hit" in hit
    ttl = next(part for part in hit if part.startswith("ttl="))
    assert 0 < int(ttl.removeprefix("ttl=")) <= 600


async def test_cache_status_tells_why_it_asked(talk: Dialogue) -> None:
    talk.answers(
        '200\nCache-Control: max-age=1\nAge: 5\nETag: "a"\n\none',
        '304\nETag: "a"\nCache-Control: max-age=600\n\n',
        "200\n\nposted",
        f"200\n{FRESH}\nVary: Foo\n\nvaried",
        f"200\n{FRESH}\nVary: Foo\n\nvaried",
    )
    await talk.ask("GET /a")
    stale = status((await talk.ask("GET /a")).lines.get("Cache-Status"))
    assert {"fwd=stale", "fwd-status=304"} <= set(stale)
    assert "fwd=method" in status((await talk.ask("POST /b", body=b"")).lines.get("Cache-Status"))
    await talk.ask("GET /c", "Foo: 1")
    assert "fwd=vary-miss" in status((await talk.ask("GET /c", "Foo: 2")).lines.get("Cache-Status"))


async def test_cache_status_tells_why_it_did_not_store(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\n\none")
    assert "detail=no-store" in status((await talk.ask("GET /a")).lines.get("Cache-Status"))


async def test_cache_status_comes_after_that_of_caches_before(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nCache-Status: inner; hit\n\none")
    value = (await talk.ask("GET /a")).lines.get("Cache-Status") or ""
    assert value.startswith("inner; hit, ")
    assert "inner" not in ((await talk.ask("GET /a")).lines.get("Cache-Status") or "")


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ("CDN-Cache-Control: max-age=600\nCache-Control: no-store", True),
        ("CDN-Cache-Control: no-store\nCache-Control: max-age=600", False),
        ("CDN-Cache-Control: max-age=600, &&\nCache-Control: no-store", False),
        ("CDN-Cache-Control: MAX-AGE=600\nCache-Control: no-store", False),
        ('CDN-Cache-Control: max-age="600"\nCache-Control: max-age=600', False),
    ],
)
async def test_a_targeted_field_takes_the_place_of_cache_control(talk: Dialogue, fields: str, *, stored: bool) -> None:
    talk.answers(f"200\n{fields}\n\none", "200\n\ntwo")
    first = await talk.ask("GET /a")
    assert "CDN-Cache-Control" in first.lines
    assert (await talk.ask("GET /a")).text() == ("one" if stored else "two")
    talk.forget_answers()


async def test_a_group_is_invalidated_by_name(talk: Dialogue) -> None:
    talk.answers(
        f'200\n{FRESH}\nCache-Groups: "scripts", "all"\n\na',
        f'200\n{FRESH}\nCache-Groups: "styles"\n\nb',
        '200\nCache-Group-Invalidation: "scripts"\n\ndone',
        f"200\n{FRESH}\n\nnew a",
    )
    await talk.ask("GET /a")
    await talk.ask("GET /b")
    await talk.ask("POST /c", body=b"")
    assert (await talk.ask("GET /a")).text() == "new a"
    assert (await talk.ask("GET /b")).text() == "b"


async def test_a_safe_request_invalidates_no_group(talk: Dialogue) -> None:
    talk.answers(f'200\n{FRESH}\nCache-Groups: "g"\n\na', '200\nCache-Group-Invalidation: "g"\n\ndone')
    await talk.ask("GET /a")
    await talk.ask("GET /b")
    assert (await talk.ask("GET /a")).text() == "a"


async def test_no_vary_search_joins_queries_that_mean_the_same(talk: Dialogue) -> None:
    talk.answers(f'200\n{FRESH}\nNo-Vary-Search: key-order, params=("utm")\n\none', f"200\n{FRESH}\n\nother")
    await talk.ask("GET /a?x=1&y=2&utm=z")
    assert (await talk.ask("GET /a?y=2&x=1")).text() == "one"
    assert (await talk.ask("GET /a?x=2&y=2")).text() == "other"
    assert len(talk.asked) == 2


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("Foo", "a, b", "a,b"),
        ("Accept-Language", "en, de;q=0.5", "de;q=0.5,EN"),
        ("Accept-Encoding", "gzip, compress", "GZIP;q=0.9"),
    ],
)
async def test_vary_compares_meanings(talk: Dialogue, name: str, first: str, second: str) -> None:
    talk.answers(f"200\n{FRESH}\nVary: {name}\n\none")
    await talk.ask("GET /a", f"{name}: {first}")
    assert (await talk.ask("GET /a", f"{name}: {second}")).text() == "one"


@pytest.mark.parametrize(("first", "second"), [("Foo: 1", "Foo: 2"), ("Foo: ", "Bar: 1"), ("Foo: 1", "Foo: 1, 1")])
async def test_vary_tells_different_values_apart(talk: Dialogue, first: str, second: str) -> None:
    talk.answers(f"200\n{FRESH}\nVary: Foo\n\none", f"200\n{FRESH}\nVary: Foo\n\ntwo")
    await talk.ask("GET /a", first)
    assert (await talk.ask("GET /a", second)).text() == "two"
    assert (await talk.ask("GET /a", first)).text() == "one"


async def test_vary_star_is_never_reused(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nVary: Foo\nVary: *\n\none", "200\n\ntwo")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "two"
