"""What every source of changes keeps to (veneer.ports.changes)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devstack.postgres import PostgresServer
from tests.support.change_sources import ALL_TAGS, ChangingData, flat, following
from tests.support.postgres_changes import users_in_postgres
from tests.support.stream_changes import users_in_stream


@pytest.fixture(params=["postgres", "stream"])
async def data(request: pytest.FixtureRequest) -> AsyncIterator[ChangingData]:
    """Users somewhere, none at first."""
    if request.param == "stream":
        async with users_in_stream(request.getfixturevalue("redis_server")) as told:
            yield told
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with users_in_postgres(server) as users:
        yield users


async def test_a_source_that_was_never_read_names_everything_first(data: ChangingData) -> None:
    assert data.source.all_tags == ALL_TAGS
    async with following(data.source, past_first=False) as seen:
        await seen.until(lambda: bool(seen.items))
        assert seen.committed[0].tags == ALL_TAGS
        assert seen.committed[0].gap


async def test_changes_name_old_and_new_rows_in_the_order_of_commits(data: ChangingData) -> None:
    async with following(data.source) as seen:
        await data.insert((1, 7))
        await data.move(1, 8)
        await data.insert((2, None), (3, 7))
        await data.move(2, 9)
        await data.delete(1)
        await seen.until_beat("all")
        assert flat(seen.tags) == [
            *("user:1", "users", "company:7"),
            *("user:1", "users", "company:7", "company:8"),
            *("user:2", "users", "user:3", "company:7"),
            *("user:2", "users", "company:9"),
            *("user:1", "users", "company:8"),
        ]
        assert not any(item.gap for item in seen.committed)


async def test_a_beat_comes_after_all_that_was_committed_before_it_was_sent(data: ChangingData) -> None:
    async with following(data.source) as seen:
        for number in range(30):
            await data.insert((number, None))
            await seen.until_beat(f"beat {number}")
            assert f"user:{number}" in flat(seen.tags)
        if data.has_beats:
            assert seen.beats == [f"beat {number}" for number in range(30)]


async def test_truncate_names_everything_of_its_table(data: ChangingData) -> None:
    async with following(data.source) as seen:
        await data.insert((1, 7))
        await data.truncate()
        await seen.until_tags(*ALL_TAGS)


async def test_what_was_confirmed_is_not_told_again(data: ChangingData) -> None:
    async with following(data.source) as seen:
        await data.insert((1, 7))
        await seen.until_beat("one")
        seen.confirm_all()
    await data.insert((2, 7))
    async with following(data.source, past_first=False) as again:
        await again.until_beat("two")
        assert again.tags == [("user:2", "users", "company:7")]


async def test_what_was_not_confirmed_is_told_again(data: ChangingData) -> None:
    async with following(data.source) as seen:
        await data.insert((1, 7))
        await seen.until_beat("one")
        seen.stream.confirm(seen.committed[0].position)
        await data.insert((2, 7))
        await data.insert((3, 7))
        await seen.until_beat("two")
    async with following(data.source, past_first=False) as again:
        await again.until_beat("three")
        assert again.tags == [("user:2", "users", "company:7"), ("user:3", "users", "company:7")]


async def test_a_confirmation_of_nonsense_or_of_what_is_older_harms_nothing(data: ChangingData) -> None:
    async with following(data.source) as seen:
        await data.insert((1, 7))
        await data.insert((2, 7))
        await seen.until_beat("one")
        seen.confirm_all()
        seen.stream.confirm(seen.committed[0].position)
        seen.stream.confirm("no position")
    async with following(data.source, past_first=False) as again:
        await again.until_beat("two")
        assert again.tags == []


async def test_a_stream_may_be_closed_again_and_again(data: ChangingData) -> None:
    stream = await data.source.open()
    for _ in range(3):
        await stream.aclose()
    async with following(data.source):
        pass
