"""What is stored for a URL, and what a request would get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.entries import FakeClock, stored
from veneer.admin.entries import BadQuestionError, EntryFinder
from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.core.messages import ResponseHead
from veneer.policy.explain import explain, request_head
from veneer.policy.load import parse_policy
from veneer.stores.memory_log import MemoryLog

POLICY = parse_policy(
    """\
version: 1
identities: {who: {header: {values: {tenant: X-Tenant}}}}
trusted_proxies: [127.0.0.1]
routes:
  - {name: off, match: {path: "/off"}, cache: {enabled: false}}
  - {name: own, match: {path: "/own"}, cache: {share: identity.tenant}}
  - {name: listed, match: {path: "/list"}, cache: {key: {query: {only: [page]}}}}
  - {name: all, match: {path: "/{rest:path}"}}
""",
    "p",
)
NOW = 1_700_000_010.0


class Bench:
    """A finder over entries that are stored as they would be."""

    def __init__(self) -> None:
        self.clock = FakeClock(10.0)
        self.log = MemoryLog(self.clock)
        self.items: list[tuple[str, Entry]] = []
        self.beyond: dict[str, Sequence[Entry]] = {}
        self.away = False
        self.asked: list[str] = []

    def finder(self, *, shared: bool = False) -> EntryFinder:
        return EntryFinder(lambda: POLICY, self.log, self.clock, lambda: self.items, self.read if shared else None)

    async def read(self, key: str) -> Sequence[Entry] | None:
        self.asked.append(key)
        return None if self.away else self.beyond.get(key, ())

    def store(self, target: str = "/a", *tags: str, vary: tuple[tuple[str, str | None], ...] = ()) -> str:
        key = self.key(target)
        self.items.append((key, stored(self.log.position, *tags, uri=f"site{target}", vary=vary)))
        return key

    def key(self, target: str) -> str:
        request = request_head(POLICY, "GET", target, (), "site")
        return explain(POLICY, request, ResponseHead(200, "", Fields())).key


async def test_a_fresh_entry_is_told_with_all_that_matters() -> None:
    bench = Bench()
    bench.store("/a", "users", vary=(("accept-language", "de"), ("cookie", "sid=1")))
    found = await bench.finder().find("http://site/a", [("Accept-Language", "de"), ("Cookie", "sid=1")])
    (one,) = found.entries
    assert (found.route, found.decision, found.found, found.complete, found.redis) == ("all", "hit", 1, True, "")
    assert (one.store, one.uri, one.status, one.state, one.usable) == ("memory", "site/a", 200, "fresh", True)
    assert (one.tags, one.vary) == (("users",), {"accept-language": "de", "cookie": "***"})
    assert (one.why, one.fresh_until, one.fields["cache-control"]) == (
        "1m by explicit",
        "2023-11-14T22:14:20.000Z",
        "max-age=60",
    )


async def test_another_variant_is_there_but_not_for_this_request() -> None:
    bench = Bench()
    bench.store("/a", vary=(("accept-language", "de"),))
    found = await bench.finder().find("http://site/a", [("Accept-Language", "en")])
    assert (found.decision, found.reason, [one.usable for one in found.entries]) == ("miss", "vary-miss", [False])


async def test_stale_soft_and_dead() -> None:
    bench = Bench()
    bench.store("/a", "t", "u")
    bench.clock.at = 100.0
    assert (await bench.finder().find("http://site/a")).entries[0].state == "stale"
    bench.clock.at = 10.0
    await bench.log.append(Invalidation(tags=("t",), strength=InvalidationMode.SOFT), strict=True)
    found = await bench.finder().find("http://site/a")
    assert (found.entries[0].state, found.decision) == ("soft", "revalidate")
    await bench.log.append(Invalidation(tags=("u",)), strict=True)
    found = await bench.finder().find("http://site/a")
    assert (found.entries[0].state, found.decision) == ("dead", "miss")


async def test_a_path_is_that_of_every_host_and_judged_for_the_first() -> None:
    bench = Bench()
    bench.store("/list?page=1")
    found = await bench.finder().find("/list?page=1&utm=2")
    assert (found.route, found.decision, [one.uri for one in found.entries]) == ("listed", "hit", ["site/list?page=1"])
    assert (await bench.finder().find("/list?page=2")).entries == ()


async def test_nothing_stored_says_where_to_look() -> None:
    finder = Bench().finder()
    assert (await finder.find("/nothing")).note.startswith("nothing is stored for it here")
    off = await finder.find("/off")
    assert (off.stores, off.decision, off.reason, "`cache.enabled`" in off.note) == (False, "bypass", "cache-off", True)
    assert "this request proves nothing" in (await finder.find("/own")).note


async def test_redis_is_asked_under_the_keys_that_are_known() -> None:
    bench = Bench()
    key = bench.key("/a")
    bench.beyond[key] = [replace(stored(bench.log.position, uri="site/a"))]
    found = await bench.finder(shared=True).find("http://site/a")
    assert (found.redis, found.decision, [one.store for one in found.entries]) == ("asked", "hit", ["redis"])
    assert bench.asked == [key]
    unasked = await bench.finder(shared=True).find("http://site/a", ask_shared=False)
    assert (unasked.redis, unasked.found) == ("", 0)
    bench.away = True
    assert (await bench.finder(shared=True).find("http://site/a")).redis == "away"


@pytest.mark.parametrize("url", ["ftp://site/a", "http:///a", "site/a", "/a%zz", "http://site/../a"])
async def test_what_is_no_url(url: str) -> None:
    with pytest.raises(BadQuestionError):
        await Bench().finder().find(url)
