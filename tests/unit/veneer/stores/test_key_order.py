"""Writes about one key, one after the other; keys do not wait for each other."""

from __future__ import annotations

import asyncio

from veneer.stores.key_order import KeyOrder


async def test_one_key_in_order_and_others_beside_it() -> None:
    order, begun = KeyOrder(), list[str]()
    for name, key in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        order.add(key, lambda name=name: begun.append(name))  # type: ignore[misc]
    assert begun == ["a1", "b1"]
    assert order.busy("a")
    assert len(order) == 2
    for expected in ("a2", "a3"):
        order.done("a")
        await asyncio.sleep(0)
        assert begun[-1] == expected
    order.done("a")
    assert not order.busy("a")
    assert order.busy("b")


async def test_many_that_are_over_at_once_are_no_recursion() -> None:
    order, begun = KeyOrder(), list[int]()

    def at_once(number: int) -> None:
        begun.append(number)
        order.done("a")

    order.add("a", lambda: None)
    for number in range(5000):
        order.add("a", lambda number=number: at_once(number))  # type: ignore[misc]
    order.done("a")
    await order.settled()
    assert begun == list(range(5000))


async def test_settled_waits_for_all_also_for_what_comes_meanwhile() -> None:
    order = KeyOrder()
    await order.settled()
    order.add("a", lambda: None)
    async with asyncio.TaskGroup() as group:
        settling = group.create_task(order.settled())
        await asyncio.sleep(0)
        order.add("b", lambda: None)
        order.done("a")
        await asyncio.sleep(0)
        assert not settling.done()
        order.done("b")
