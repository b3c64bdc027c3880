"""L2 on a real Redis: what lies there, what damaged values and a slow or absent Redis do, and L1 over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from checks.relay import relay
from devstack.redis import RedisServer
from tests.support.calling import calling
from tests.support.entries import RULES, FakeClock, get, stored
from veneer.compress.codec import Codecs
from veneer.core.codings import CODINGS
from veneer.core.entry import CodedBody, Entry, Position
from veneer.core.invalidation import Invalidation
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_store import RedisStore
from veneer.stores.tiered import TieredStore

BORN = Position("e", 1)
PATIENT = RedisStoreSettings(timeout_s=5)


@dataclass(slots=True)
class Opened:
    """A store, its clock, and the keys it announced."""

    store: RedisStore
    clock: FakeClock
    announced: list[str]
    epoch: list[str]

    async def put(self, key: str, entry: Entry, keep_s: float) -> None:
        """Store it, and wait until that has happened in Redis."""
        await self.store.put(key, entry, keep_s)
        await self.store.settled()


@asynccontextmanager
async def opened(url: str, settings: RedisStoreSettings = PATIENT) -> AsyncIterator[Opened]:
    """A store in the epoch "e"."""
    clock, announced, epoch = FakeClock(), [], ["e"]

    def announce(key: str) -> None:
        announced.append(key)

    async with calling(url) as caller:
        yield Opened(RedisStore(caller, clock, lambda: epoch[0], settings, announce), clock, announced, epoch)


async def test_every_key_expires(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN), 60)
        await it.put("a", stored(BORN, vary=(("accept", "x"),)), 5)
        await it.put("b", stored(BORN), 10**9)
        with redis_server.client() as client:
            left_s = sorted(client.ttl(key) for key in client.keys("*"))
        assert 50 < left_s[0] <= 60
        assert left_s[1] <= 30 * 86_400
        assert len(left_s) == 2


async def test_a_lookup_is_one_call_whatever_varies(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_url) as it:
        for language in ("de", "en", "fr"):
            await it.put("a", stored(BORN, vary=(("x-lang", language),)), 60)
        await it.store.lookup("a", get(x_lang="en"), RULES)
        with redis_server.client() as client:
            client.config_resetstat()
            (found,) = await it.store.lookup("a", get(x_lang="en"), RULES)
            calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert (found.vary, calls) == ((("x-lang", "en"),), 1)


async def test_a_node_that_has_not_seen_what_varies_finds_it_too(redis_url: str) -> None:
    async with opened(redis_url) as writer, opened(redis_url) as reader:
        for language in ("de", "en"):
            await writer.put("a", stored(BORN, vary=(("x-lang", language),)), 60)
        found = await reader.store.lookup("a", get(x_lang="en"), RULES)
        assert (("x-lang", "en"),) in [entry.vary for entry in found]
        found = await reader.store.lookup("a", get(x_lang="en"), RULES)
        assert [entry.vary for entry in found] == [(("x-lang", "en"),)]


async def test_variants_and_lists_of_vary_names_are_bounded(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_url) as it:
        for number in range(40):
            await it.put("a", stored(BORN, vary=(("accept", str(number)),)), 60)
        for number in range(20):
            await it.put("b", stored(BORN, vary=((f"x-{number}", "v"),)), 60)
        with redis_server.client() as client:
            assert all(client.hlen(key) <= 17 for key in client.keys("*"))
        assert (await it.store.lookup("a", get(accept="39"), RULES))[0].vary == (("accept", "39"),)


@pytest.mark.parametrize("poison", [b"", b"junk", b"00000000000001Vnr3" + b"\xff" * 50])
async def test_a_damaged_value_is_a_miss_and_a_warning_and_can_be_replaced(
    redis_server: RedisServer, redis_url: str, poison: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN, body=b"x" * 5000), 60)
        with redis_server.client() as client:
            (key,) = client.keys("*")
            (field,) = [name for name in client.hkeys(key) if name != b"specs"]
            client.hset(key, field, poison)
        with caplog.at_level(logging.WARNING):
            assert not await it.store.lookup("a", get(), RULES)
        assert "counts as a miss" in caplog.text
        await it.put("a", stored(BORN, body=b"good"), 60)
        assert [entry.body for entry in await it.store.lookup("a", get(), RULES)] == [b"good"]


async def test_a_truncated_value_is_a_miss(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN, body=b"abc" * 5000), 60)
        with redis_server.client() as client:
            (key,) = client.keys("*")
            (field,) = [name for name in client.hkeys(key) if name != b"specs"]
            value = client.hget(key, field)
            assert isinstance(value, bytes)
            assert len(value) < 2000, "a long body is compressed"
            client.hset(key, field, value[:-20])
        assert not await it.store.lookup("a", get(), RULES)
        assert it.store.counts.damaged == 1


async def test_a_key_of_the_wrong_type_is_a_miss(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN), 60)
        with redis_server.client() as client:
            (key,) = client.keys("*")
            client.set(key, "not a hash")
        assert not await it.store.lookup("a", get(), RULES)


async def test_only_what_replaces_something_is_announced(redis_url: str) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN), 60)
        assert it.announced == []
        await it.put("a", stored(BORN), 60)
        assert it.announced == ["a"]
        await it.store.forget("a", stored(BORN))
        assert it.announced == ["a", "a"]


async def test_an_entry_too_large_takes_the_old_one_with_it(redis_url: str) -> None:
    async with opened(redis_url, RedisStoreSettings(timeout_s=5, max_entry_bytes=500)) as it:
        await it.put("a", stored(BORN, body=b"small"), 60)
        await it.put("a", stored(BORN, body=bytes(range(256)) * 4), 60)
        assert not await it.store.lookup("a", get(), RULES)
        assert (it.announced, it.store.counts.too_large) == (["a"], 1)


async def test_epochs_never_meet(redis_url: str) -> None:
    async with opened(redis_url) as it:
        await it.put("a", stored(BORN), 60)
        await it.put("b", stored(Position("older", 9)), 60)
        assert not await it.store.lookup("b", get(), RULES)
        it.epoch[0] = "next"
        assert not await it.store.lookup("a", get(), RULES)
        it.epoch[0] = ""
        assert not await it.store.lookup("a", get(), RULES)
        await it.put("a", stored(Position("", 0)), 60)
        it.epoch[0] = "e"
        assert len(await it.store.lookup("a", get(), RULES)) == 1


async def test_a_redis_that_does_not_answer_costs_a_few_bounded_waits_and_then_nothing(
    redis_server: RedisServer, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = RedisStoreSettings(timeout_s=0.05, max_failures=3, open_s=10)
    async with relay(redis_server.port) as between, opened(between.url, settings) as it:
        between.hold()
        for _ in range(20):
            assert not await it.store.lookup("a", get(), RULES)
        assert (it.store.counts.failures, it.store.counts.skipped) == (3, 17)
        assert caplog.text.count("answers too late") == 1
        between.mend()
        it.clock.at += 11
        await it.put("a", stored(BORN), 60)
        if not it.store.counts.stored or it.store.counts.failures > 3:
            it.clock.at += 11
            await it.put("a", stored(BORN), 60)
        assert len(await it.store.lookup("a", get(), RULES)) == 1


async def test_memory_is_filled_from_redis_and_serves_when_redis_is_away(
    redis_server: RedisServer, redis_url: str
) -> None:
    log = MemoryLog(FakeClock())
    born = log.position
    settings = RedisStoreSettings(timeout_s=1)
    async with relay(redis_server.port) as between, opened(between.url, settings) as it, opened(redis_url) as other:
        it.epoch[0] = other.epoch[0] = born.epoch
        tiered = TieredStore(MemoryStore(), it.store, log)
        await other.put("a", stored(born, "x", body=b"from afar"), 60)
        assert not tiered.memory.get_local("a")
        assert [entry.body for entry in await tiered.lookup("a", get(), RULES)] == [b"from afar"]
        between.cut()
        assert [entry.body for entry in await tiered.lookup("a", get(), RULES)] == [b"from afar"]
        await tiered.put("b", stored(born, body=b"near"), 60)
        assert [entry.body for entry in await tiered.lookup("b", get(), RULES)] == [b"near"]
        assert not await tiered.lookup("c", get(), RULES)


async def test_a_dead_entry_in_memory_gives_way_to_what_another_node_stored(redis_url: str) -> None:
    log = MemoryLog(FakeClock())
    async with opened(redis_url) as it:
        it.epoch[0] = log.position.epoch
        tiered = TieredStore(MemoryStore(), it.store, log)
        await tiered.put("a", stored(log.position, "x", body=b"old"), 60)
        await log.append(Invalidation(tags=("x",)), strict=True)
        await it.put("a", stored(log.position, "x", body=b"new"), 60)
        assert [entry.body for entry in await tiered.lookup("a", get(), RULES)] == [b"new"]
        assert [entry.body for entry in tiered.memory.get_local("a")] == [b"new"]


async def test_what_another_node_replaced_leaves_memory(redis_url: str) -> None:
    log = MemoryLog(FakeClock())
    async with opened(redis_url) as it:
        it.epoch[0] = log.position.epoch
        tiered = TieredStore(MemoryStore(), it.store, log)
        await tiered.put("a", stored(log.position, body=b"old"), 60)
        await it.put("a", stored(log.position, body=b"renewed"), 60)
        assert [entry.body for entry in await tiered.lookup("a", get(), RULES)] == [b"old"]
        tiered.replaced("a")
        assert [entry.body for entry in await tiered.lookup("a", get(), RULES)] == [b"renewed"]


@pytest.mark.parametrize(("named", "kept"), [("a", False), ("b", True)])
async def test_what_is_replaced_while_it_is_looked_up_is_not_kept_in_memory(
    redis_url: str, named: str, kept: bool
) -> None:
    """What is read may be what was replaced, if that was under the same key: others come in the hundreds a second."""
    log = MemoryLog(FakeClock())
    async with opened(redis_url) as it:
        it.epoch[0] = log.position.epoch
        tiered = TieredStore(MemoryStore(), it.store, log)
        await it.put("a", stored(log.position, body=b"read"), 60)
        looked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def on_looked(found: bool) -> bool:
            looked.set_result(found)
            return False

        tiered.look("a", get(), RULES, None, on_looked)
        tiered.replaced(named)
        assert await looked
        assert bool(tiered.memory.get_local("a")) is kept
        tiered.memory.drop("a")
        waiting = asyncio.ensure_future(tiered.lookup("a", get(), RULES))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        tiered.replaced(named)
        assert [entry.body for entry in await waiting] == [b"read"]
        assert bool(tiered.memory.get_local("a")) is kept


@pytest.mark.parametrize(
    ("rules", "vary", "asked"),
    [
        (CacheRules(codings=("gzip",)), ("accept-encoding", "gzip"), get(accept_encoding="br, gzip")),
        (CacheRules(codings=("zstd",)), ("accept-encoding", "identity"), get(accept_encoding="gzip")),
        (CacheRules(language_from_content=True), ("accept-language", "de"), get(accept_language="en, de;q=0.5")),
    ],
)
async def test_memory_answers_by_the_rules_of_the_route(
    redis_url: str, rules: CacheRules, vary: tuple[str, str], asked: RequestHead
) -> None:
    log = MemoryLog(FakeClock())
    async with opened(redis_url) as it:
        it.epoch[0] = log.position.epoch
        tiered = TieredStore(MemoryStore(), it.store, log)
        entry = stored(log.position, vary=(vary,))
        entry = replace(entry, fields=entry.fields.added(("Content-Language", "en")))
        await tiered.put("a", entry, 60)
        for _ in range(5):
            assert len(await tiered.lookup("a", asked, rules)) == 1
        assert it.store.counts.lookups == 0


async def test_redis_finds_by_the_codings_of_the_route(redis_url: str) -> None:
    async with opened(redis_url) as it:
        for value in ("br, gzip", "gzip", "identity"):
            await it.put("a", stored(BORN, vary=(("accept-encoding", value),)), 60)
        for rules, wanted in ((("gzip",), "gzip"), (("br", "gzip"), "br, gzip"), (("zstd",), "identity")):
            found = await it.store.lookup("a", get(accept_encoding="gzip, br"), CacheRules(codings=rules))
            assert [entry.vary[0][1] for entry in found] == [wanted]


async def test_a_full_redis_is_read_and_says_so_once_and_keeps_nothing_that_was_replaced(
    new_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = new_redis()
    async with opened(server.url) as it:
        for key in ("a", "b"):
            await it.put(key, stored(BORN, body=b"old"), 60)
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)
        for _ in range(20):
            await it.put("a", stored(BORN, body=b"new"), 60)
            assert len(await it.store.lookup("b", get(), RULES)) == 1
        assert not await it.store.lookup("a", get(), RULES), "an older one must not come back"
        await it.store.forget("b", stored(BORN))
        assert not await it.store.lookup("b", get(), RULES), "what is read can be forgotten"
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "Redis is full" in caplog.text
        with server.client() as client:
            client.config_set("maxmemory", 0)
        it.clock.at += 11
        await it.put("a", stored(BORN, body=b"new"), 60)
        assert len(await it.store.lookup("a", get(), RULES)) == 1


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [100, 3_000, 60_000, 100_000])
async def test_a_form_coded_here_lies_beside_its_entry_and_stands_for_the_body(
    redis_server: RedisServer, redis_url: str, coding: str, size: int
) -> None:
    body = b'{"some": "text"}, ' * (size // 18)
    form = CodedBody(coding, await Codecs().encode(coding, 4, body))
    entry = replace(stored(BORN, body=body), coded=(form,))
    async with opened(redis_url) as it:
        await it.put("a", entry, 60)
        assert await it.store.lookup("a", get(), RULES) == [entry]
        with redis_server.client() as client:
            (key,) = client.keys("*")
            assert max(map(len, client.hgetall(key).values())) < len(form.body) + 1_500
