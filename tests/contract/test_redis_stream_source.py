"""A source of changes in a stream of a real Redis: order, positions, and each way in which something may be missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis

from devstack.redis import RedisServer
from tests.support.redis_fixtures import shared_url
from veneer.changes.events import UNREADABLE, DebeziumEvents, EventDecoder, EventSum, TagEvents
from veneer.changes.redis_stream import RedisChangeStream, RedisStreamSettings, RedisStreamSource
from veneer.core.change_events import MAX_EVENT_BYTES
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.ports import AsOf, ChangeItem, Committed, SourceError
from veneer.redis.connect import connect, disconnect, parse_redis_url
from veneer.redis.dial import Dialer
from veneer.redis.keys import stream_position_key

STREAM = "shop"
USERS = TableRules("public.users", (ColumnTemplate(("user:", ""), ("id",)), ColumnTemplate(("users",), ())))


class Place:
    """A stream, who writes it, and sources that read it."""

    def __init__(self, client: redis.Redis, dial: Dialer) -> None:
        self.client = client
        self.dial = dial

    def add(self, fields: dict[str, str], place: str = "*") -> str:
        return str(self.client.xadd(STREAM, fields, id=place).decode())  # type: ignore[arg-type,union-attr]

    def tags(self, *tags: str, as_of_ms: int | None = None) -> str:
        event: dict[str, object] = {"tags": tags}
        return self.add({"event": json.dumps(event if as_of_ms is None else {**event, "as_of_ms": as_of_ms})})

    def source(
        self,
        decoder: Callable[[], EventDecoder] = TagEvents,
        summing: Callable[[], EventSum] = lambda: EventSum(everything=("all:*",)),
    ) -> RedisStreamSource:
        settings = RedisStreamSettings(STREAM, block_s=0.1)
        return RedisStreamSource("db", self.dial, decoder, summing, settings)

    @asynccontextmanager
    async def reading(self, source: RedisStreamSource | None = None) -> AsyncIterator[RedisChangeStream]:
        stream = await (source or self.source()).open()
        try:
            yield stream
        finally:
            await stream.aclose()

    async def confirmed(self, stream: RedisChangeStream, position: str) -> None:
        """Confirm, and wait until Redis has it."""
        stream.confirm(position)
        waiting = asyncio.gather(until_read(stream))
        for _ in range(200):
            if self.client.get(stream_position_key("db", STREAM)) == position.encode():
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the position was not kept")
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting


async def until_read(stream: RedisChangeStream) -> list[ChangeItem]:
    async with asyncio.timeout(5):
        return list(await stream.read())


def committed(items: list[ChangeItem]) -> list[Committed]:
    return [item for item in items if isinstance(item, Committed)]


@pytest.fixture
async def place(redis_server: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    address = parse_redis_url(shared_url("redis", request))
    client = connect(address)
    try:
        with redis_server.client() as blocking:
            yield Place(blocking, Dialer(address, client, STREAM))
    finally:
        await disconnect(client)


async def test_without_a_position_everything_is_meant_and_what_was_there_is_not_read(place: Place) -> None:
    place.tags("old:1")
    last = place.tags("old:2", as_of_ms=7)
    async with place.reading() as stream:
        first, one, moment = await until_read(stream)
        assert first == Committed(last, ("all:*",), "no position is known of the stream")
        assert one == Committed(last, ("old:2",))
        assert moment == AsOf(last, 7)
        place.tags("new:1")
        assert [item.tags for item in await until_read(stream) if isinstance(item, Committed)] == [("new:1",)]


async def test_what_comes_is_told_in_order_once_and_as_of_its_last_moment(place: Place) -> None:
    place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        places = [place.tags(f"t:{n}", as_of_ms=100 - n) for n in range(3)]
        items = await until_read(stream)
        items += await until_read(stream) if len(items) < 2 else []
        tags = [tag for item in items if isinstance(item, Committed) for tag in item.tags]
        assert tags == ["t:0", "t:1", "t:2"]
        assert items[-1] == AsOf(places[-1], 100)


async def test_another_reader_goes_on_where_it_was_confirmed(place: Place) -> None:
    place.tags("x")
    async with place.reading() as stream:
        await place.confirmed(stream, (await until_read(stream))[0].position)
        place.tags("kept:1")
        assert committed(await until_read(stream))[0].tags == ("kept:1",)  # read, and never confirmed
    place.tags("kept:2")
    async with place.reading() as stream:
        assert [one.tags for one in committed(await until_read(stream))] == [("kept:1",), ("kept:2",)]


async def begun(place: Place) -> str:
    """Something was read and confirmed; where."""
    last = place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        await place.confirmed(stream, last)
    return last


async def test_a_stream_that_was_trimmed_behind_the_position_alone_has_no_gap(place: Place) -> None:
    last = await begun(place)
    place.tags("y:1")
    place.client.xtrim(STREAM, minid=last, approximate=False)
    async with place.reading() as stream:
        [item] = await until_read(stream)
        assert isinstance(item, Committed)
        assert (item.tags, item.gap) == (("y:1",), "")


async def test_a_stream_that_was_trimmed_before_it_was_read_means_everything(place: Place) -> None:
    await begun(place)
    place.tags("lost:1")
    last = place.tags("y:1")
    place.client.xtrim(STREAM, maxlen=1, approximate=False)
    async with place.reading() as stream:
        first, item = committed(await until_read(stream))
        assert first == Committed(last, ("all:*",), "the stream was trimmed before it was read")
        assert item == Committed(last, ("y:1",))


async def test_a_stream_that_is_trimmed_while_it_is_read_means_everything(place: Place) -> None:
    place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        pipe = place.client.pipeline()
        pipe.xadd(STREAM, {"event": '{"tags": ["lost:1"]}'})
        pipe.xadd(STREAM, {"event": '{"tags": ["y:1"]}'}, maxlen=1, approximate=False)
        pipe.execute()
        first, item = committed(await until_read(stream))
        assert (first.tags, first.gap) == (("all:*",), "the stream was trimmed before it was read")
        assert item.tags == ("y:1",)


async def test_a_stream_that_was_emptied_with_nothing_new_has_no_gap(place: Place) -> None:
    await begun(place)
    place.client.xtrim(STREAM, maxlen=0, approximate=False)
    async with place.reading() as stream:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await stream.read()


async def test_an_entry_that_was_deleted_before_it_was_read_means_everything(place: Place) -> None:
    await begun(place)
    if b"max-deleted-entry-id" not in place.client.execute_command("XINFO", "STREAM", STREAM):  # type: ignore[no-untyped-call]
        pytest.skip("this Redis does not tell")
    lost = place.tags("lost:1")
    place.tags("y:1")
    place.client.xdel(STREAM, lost)
    async with place.reading() as stream:
        item = committed(await until_read(stream))[0]
        assert item.gap == "entries of the stream were deleted before they were read"


async def test_another_stream_of_the_same_name_means_everything(place: Place) -> None:
    await begun(place)
    place.client.delete(STREAM)
    place.add({"event": '{"tags": ["y:1"]}'}, "5-1")
    async with place.reading() as stream:
        first, item = committed(await until_read(stream))
        assert first == Committed("5-1", ("all:*",), "the stream is another one than was read")
        assert item == Committed("5-1", ("y:1",))
    place.client.delete(STREAM)
    place.tags("y:2")
    async with place.reading() as stream:
        assert committed(await until_read(stream))[0].gap == "the stream was trimmed before it was read"


async def test_a_stream_that_began_empty_is_read_from_its_first_entry(place: Place) -> None:
    place.client.xgroup_create(STREAM, "nobody", mkstream=True)
    async with place.reading() as stream:
        assert (await until_read(stream))[0] == Committed("0-0", ("all:*",), "no position is known of the stream")
        place.tags("y:1")
        [item] = await until_read(stream)
        assert isinstance(item, Committed)
        assert (item.tags, item.gap) == (("y:1",), "")


async def test_a_stream_that_is_not_there_is_said_and_one_that_goes_is_lost(place: Place) -> None:
    with pytest.raises(SourceError, match="there is no stream"):
        await place.source().open()
    place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        place.client.delete(STREAM)
        with pytest.raises(SourceError, match="there is no stream"):
            await until_read(stream)


async def test_what_is_no_stream_is_refused_for_good(place: Place) -> None:
    place.client.set(STREAM, "text")
    with pytest.raises(SourceError, match="WRONGTYPE") as refused:
        await place.source().open()
    assert refused.value.lasting


async def test_a_connection_that_is_cut_is_a_loss(place: Place) -> None:
    place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        waiting = asyncio.gather(until_read(stream))
        await asyncio.sleep(0.02)
        place.client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(SourceError, match="cannot be asked"):
            await waiting


@pytest.mark.parametrize("event", ["{", '{"tags": ["a b"]}', '{"tags": [], "' + "x" * MAX_EVENT_BYTES + '": 1}'])
async def test_what_cannot_be_read_means_everything_at_its_position(place: Place, event: str) -> None:
    place.tags("x")
    async with place.reading() as stream:
        await until_read(stream)
        where = place.add({"event": event})
        place.client.xadd(STREAM, {"event": '{"tags": ["y:1"]}'})
        items = await until_read(stream)
        assert isinstance(items[0], Committed)
        assert items[0].position >= where
        assert (items[0].tags[0], items[0].gap) == ("all:*", UNREADABLE)


async def test_a_long_backlog_is_read_in_pieces_without_a_loss(place: Place) -> None:
    await begun(place)
    for n in range(1_200):
        place.tags(f"t:{n}")
    async with place.reading() as stream:
        tags: list[str] = []
        while len(tags) < 1_200:
            for item in await until_read(stream):
                assert isinstance(item, Committed)
                assert not item.gap
                tags += item.tags
        assert tags == [f"t:{n}" for n in range(1_200)]


async def test_a_confirmation_of_nonsense_or_of_what_is_older_moves_nothing(place: Place) -> None:
    last = await begun(place)
    async with place.reading() as stream:
        for position in (last, "no position", "1-1", ""):
            stream.confirm(position)
        await asyncio.sleep(0)
    assert place.client.get(stream_position_key("db", STREAM)) == last.encode()


def changed(number: int, before: object = None) -> str:
    source = {"connector": "mysql", "db": "public", "table": "users", "ts_ms": 5}
    return json.dumps({"op": "u", "before": before, "after": {"id": number}, "source": source})


@pytest.mark.parametrize("extended", [False, True])
async def test_debezium_server_is_read_in_both_of_its_forms(place: Place, extended: bool) -> None:
    place.add({"default": json.dumps({"ts_ms": 1})})
    async with place.reading(place.source(DebeziumEvents, lambda: EventSum((USERS,)))) as stream:
        [first] = await until_read(stream)
        assert isinstance(first, Committed)
        assert first.tags == ("user:*", "users")
        key, value = '{"id": 7}', changed(7, {"id": 7})
        place.add({"key": key, "value": value, "HEADER": "x"} if extended else {key: value})
        items = await until_read(stream)
        assert isinstance(items[0], Committed)
        assert (items[0].tags, items[0].gap) == (("user:7", "users"), "")
        assert items[1] == AsOf(items[0].position, 5)
        place.add({"one": "a", "two": "b"})
        [item] = await until_read(stream)
        assert isinstance(item, Committed)
        assert (item.tags, item.gap) == (("user:*", "users"), UNREADABLE)


async def test_a_table_without_rules_means_everything(place: Place) -> None:
    place.add({"default": json.dumps({"ts_ms": 1})})
    async with place.reading(place.source(DebeziumEvents, lambda: EventSum((USERS,)))) as stream:
        await until_read(stream)
        place.add({"default": changed(1).replace("users", "orders")})
        item = (await until_read(stream))[0]
        assert isinstance(item, Committed)
        assert item.tags == ("user:*", "users")
        assert "public.orders" in item.gap
