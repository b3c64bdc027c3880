"""How much of a request's body is read before anything is done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from veneer.core.fields import Fields, Pair
from veneer.core.messages import RequestHead
from veneer.pipeline.ahead import beginning, read_ahead
from veneer.ports import BodyTooLargeError, Content


def head(*fields: Pair) -> RequestHead:
    return RequestHead("PUT", "/x", None, "site", Fields(fields))


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def whole(content: Content | None) -> bytes:
    assert content is not None
    return content if isinstance(content, bytes) else b"".join([piece async for piece in content])


async def test_a_short_body_is_at_hand() -> None:
    assert await read_ahead(head(), pieces(b"a", b"b"), 2) == b"ab"


async def test_a_long_one_is_joined_again() -> None:
    content = await read_ahead(head(), pieces(b"ab", b"c", b"d"), 2)
    assert not isinstance(content, bytes)
    assert await whole(content) == b"abcd"


@pytest.mark.parametrize(("fields", "most"), [([("Expect", "100-continue")], 10), ([], 0)], ids=["expects", "off"])
async def test_nothing_is_read_where_that_is_not_wanted(fields: list[Pair], most: int) -> None:
    body = pieces(b"a")
    assert await read_ahead(head(*fields), body, most) is body


async def test_what_the_body_raises_is_raised() -> None:
    async def too_large() -> AsyncIterator[bytes]:
        yield b"a"
        raise BodyTooLargeError(1)

    with pytest.raises(BodyTooLargeError):
        await read_ahead(head(), too_large(), 10)


async def test_a_beginning_says_whether_it_is_all() -> None:
    assert await beginning(pieces(b"ab"), 2) == (b"ab", True)
    assert await beginning(pieces(b"ab", b"c", b"d"), 2) == (b"abc", False)
