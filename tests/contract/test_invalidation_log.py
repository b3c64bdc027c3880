"""What every InvalidationLog promises."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.entries import stored
from tests.support.shared_log import until
from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation, InvalidationMode, Validity
from veneer.ports import InvalidationLog, LeaseState

URI = "site:8080/api/users/42?page=1"
TAGS = ("users:42:name", "list")

REACHED = [
    Invalidation(tags=("users:42:name",)),
    Invalidation(tags=("users:42:name:*",)),
    Invalidation(tags=("users:42:*",)),
    Invalidation(tags=("users:*",)),
    Invalidation(tags=("nothing", "list")),
    Invalidation(tags=("list:*",)),
    Invalidation(tags=("*",)),
    Invalidation(everything=True),
    Invalidation(uris=(URI,)),
    Invalidation(uris=("/api/users/42?page=1",)),
    Invalidation(uri_prefixes=("site:8080/api/",)),
    Invalidation(uri_prefixes=("/api/users/4",)),
    Invalidation(uri_prefixes=("/",)),
    Invalidation(uri_prefixes=(URI,)),
]
MISSED = [
    Invalidation(),
    Invalidation(tags=("users",)),
    Invalidation(tags=("users:42",)),
    Invalidation(tags=("users:4:*",)),
    Invalidation(tags=("user:*", "lis:*", "LIST")),
    Invalidation(uris=("/api/users/42", "site/api/users/42?page=1")),
    Invalidation(uri_prefixes=("/users", "other:8080/", URI + "0")),
]


@pytest.mark.parametrize("event", REACHED)
@pytest.mark.parametrize("strength", InvalidationMode)
async def test_an_event_reaches_what_it_names(
    log: InvalidationLog, event: Invalidation, strength: InvalidationMode
) -> None:
    before = stored(log.position, *TAGS, uri=URI)
    assert log.validity(before) is Validity.VALID
    event = Invalidation(event.tags, event.uris, event.uri_prefixes, event.everything, strength)
    await log.append(event, strict=True)
    assert log.validity(before) is (Validity.DEAD if strength is InvalidationMode.HARD else Validity.SOFT)
    assert log.validity(stored(log.position, *TAGS, uri=URI)) is Validity.VALID


@pytest.mark.parametrize("event", MISSED)
async def test_an_event_leaves_the_rest_alone(log: InvalidationLog, event: Invalidation) -> None:
    entry = stored(log.position, *TAGS, uri=URI)
    await log.append(event, strict=True)
    assert log.validity(entry) is Validity.VALID


async def test_what_was_fetched_before_a_write_and_stored_after_it_is_dead(log: InvalidationLog) -> None:
    born = log.position
    await log.append(Invalidation(tags=("x",)), strict=True)
    assert log.validity(stored(born, "x")) is Validity.DEAD
    assert log.validity(stored(born, "y")) is Validity.VALID


async def test_an_entry_of_another_epoch_is_dead_whatever_its_number(log: InvalidationLog) -> None:
    assert log.validity(stored(Position("another", 10**9), "x")) is Validity.DEAD
    assert log.validity(stored(Position("", 0), "x")) is Validity.DEAD


async def test_a_verdict_given_twice_is_the_same_until_the_log_moves(log: InvalidationLog) -> None:
    entry = stored(log.position, "x")
    for event, verdict in [
        (Invalidation(tags=("y",)), Validity.VALID),
        (Invalidation(tags=("x",), strength=InvalidationMode.SOFT), Validity.SOFT),
        (Invalidation(tags=("y",)), Validity.SOFT),
        (Invalidation(tags=("x",)), Validity.DEAD),
        (Invalidation(tags=("y",)), Validity.DEAD),
    ]:
        await log.append(event, strict=True)
        assert [log.validity(entry), log.validity(entry)] == [verdict, verdict]


async def test_a_receipt_names_the_position_of_its_event(log: InvalidationLog) -> None:
    first = await log.append(Invalidation(tags=("x",)), strict=True)
    second = await log.append(Invalidation(tags=("x",)), strict=True)
    assert first.position.epoch == second.position.epoch == log.position.epoch
    assert second.position.seq == first.position.seq + 1
    assert first.shared
    assert first.duration_ms >= 0
    assert log.lease_state() is LeaseState.HELD


@pytest.mark.parametrize("event", REACHED)
async def test_an_entry_is_spared_by_its_own_event_and_by_no_other(log: InvalidationLog, event: Invalidation) -> None:
    entry = stored(log.position, *TAGS, uri=URI)
    own = await log.append(Invalidation(uris=(URI,)), strict=True)
    assert await log.spares(entry, own.position)
    disturbed = stored(own.position, *TAGS, uri=URI)
    await log.append(event, strict=True)
    last = await log.append(Invalidation(uris=(URI,)), strict=True)
    assert not await log.spares(disturbed, last.position)


@pytest.mark.parametrize("event", MISSED)
async def test_an_entry_is_spared_by_the_events_of_strangers(log: InvalidationLog, event: Invalidation) -> None:
    entry = stored(log.position, *TAGS, uri=URI)
    await log.append(event, strict=True)
    own = await log.append(Invalidation(uris=(URI,)), strict=True)
    assert await log.spares(entry, own.position)


async def test_nobody_vouches_for_what_is_long_past_or_of_another_epoch(log: InvalidationLog) -> None:
    entry = stored(log.position, *TAGS, uri=URI)
    for number in range(600):
        await log.append(Invalidation(tags=(f"other:{number}",)), strict=False)
    own = await log.append(Invalidation(uris=(URI,)), strict=True)
    assert not await log.spares(entry, own.position)
    assert not await log.spares(stored(Position("another", 1), uri=URI), own.position)
    assert not await log.spares(entry, Position("another", 2))


@pytest.mark.parametrize("event", REACHED)
async def test_what_a_write_in_doubt_names_is_dead_until_its_event_is_repeated(
    log: InvalidationLog, event: Invalidation
) -> None:
    before = stored(log.position, *TAGS, uri=URI)
    opened = (await log.append(event, strict=True, settles_s=0.8)).position
    young = stored(opened, *TAGS, uri=URI)
    assert log.validity(before) is log.validity(young) is Validity.DEAD
    await until(lambda: log.position.seq > opened.seq)
    assert log.validity(young) is Validity.DEAD, "it was born before the backend had ended the write"
    assert log.validity(stored(log.position, *TAGS, uri=URI)) is Validity.VALID


@pytest.mark.parametrize("event", MISSED[1:])
async def test_a_write_in_doubt_leaves_the_rest_alone(log: InvalidationLog, event: Invalidation) -> None:
    entry = stored(log.position, *TAGS, uri=URI)
    await log.append(event, strict=True, settles_s=60.0)
    assert log.validity(entry) is log.validity(stored(log.position, *TAGS, uri=URI)) is Validity.VALID


async def test_two_writes_in_doubt_of_the_same_hold_it_until_the_last_is_over(log: InvalidationLog) -> None:
    event = Invalidation(tags=("x",))
    await log.append(event, strict=True, settles_s=0.3)
    opened = (await log.append(event, strict=True, settles_s=60.0)).position
    await asyncio.sleep(1.0)  # the first would be over by now
    assert log.validity(stored(opened, "x")) is log.validity(stored(log.position, "x")) is Validity.DEAD
