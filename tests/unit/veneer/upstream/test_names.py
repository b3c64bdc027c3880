"""Names of backends: looked up apart from each other, remembered, and followed when they move."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.clock import ManualClock
from veneer.upstream.names import FRESH_S, HANGS_S, MAX_THREADS, USABLE_S, Names
from veneer.upstream.settings import Endpoint


class Dns:
    """A resolver that says what it is told to, or waits until it may go on."""

    def __init__(self) -> None:
        self.says: list[str] | Exception = ["192.0.2.1"]
        self.asked = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self, endpoint: Endpoint) -> list[str]:
        self.asked += 1
        self.open.wait(20)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def dns() -> Iterator[Dns]:
    """Threads that wait for it end with the test."""
    made = Dns()
    yield made
    made.open.set()


def names_for(dns: Dns, clock: ManualClock, host: str = "api.test") -> Names:
    return Names(Endpoint(host, 80), clock, dns)


async def settled(names: Names) -> None:
    """Wait until no look-up is under way."""
    if names._asked is not None:
        await asyncio.wait([names._asked])
        await asyncio.sleep(0)


async def test_an_answer_is_remembered_and_renewed_in_the_background(dns: Dns) -> None:
    clock = ManualClock()
    names = names_for(dns, clock)
    assert await names.addresses() == ["192.0.2.1"]
    clock.advance(FRESH_S)
    assert await names.addresses() == ["192.0.2.1"]
    assert dns.asked == 1
    dns.says = ["192.0.2.2"]
    clock.advance(1)
    assert await names.addresses() == ["192.0.2.1"]
    await settled(names)
    assert await names.addresses() == ["192.0.2.2"]
    assert dns.asked == 2


async def test_an_old_answer_is_not_used_where_a_new_one_comes(dns: Dns) -> None:
    clock = ManualClock()
    names = names_for(dns, clock)
    await names.addresses()
    dns.says = ["192.0.2.2"]
    clock.advance(USABLE_S + 1)
    assert await names.addresses() == ["192.0.2.2"]


async def test_a_name_whose_addresses_all_failed_is_asked_for_at_once(dns: Dns) -> None:
    names = names_for(dns, ManualClock())
    await names.addresses()
    dns.says = ["192.0.2.2"]
    names.failed()
    assert await names.addresses() == ["192.0.2.2"]


@pytest.mark.parametrize("says", [socket.gaierror(-3, "Temporary failure in name resolution"), []])
async def test_the_last_addresses_serve_while_dns_is_away(
    dns: Dns, says: list[str] | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    names = names_for(dns, clock)
    await names.addresses()
    dns.says = says
    for _ in range(3):
        clock.advance(USABLE_S + 1)
        assert await names.addresses() == ["192.0.2.1"]
        await settled(names)
    assert len([line for line in caplog.messages if "cannot be looked up" in line]) == 1
    dns.says = ["192.0.2.1"]
    with caplog.at_level(logging.INFO):
        await names.addresses()
        await settled(names)
    assert "api.test is at 192.0.2.1" in caplog.messages


async def test_the_last_addresses_serve_while_dns_hangs(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veneer.upstream.names.PATIENCE_S", 0.01)
    clock = ManualClock()
    names = names_for(dns, clock)
    await names.addresses()
    dns.open.clear()
    for _ in range(9):
        clock.advance(HANGS_S + USABLE_S)
        assert await names.addresses() == ["192.0.2.1"]
    assert dns.asked == 1 + MAX_THREADS


async def test_names_that_hang_keep_no_other_waiting(dns: Dns) -> None:
    dns.open.clear()
    hanging = [asyncio.ensure_future(names_for(dns, ManualClock()).addresses()) for _ in range(64)]  # noqa: TID251
    other = Dns()
    async with asyncio.timeout(10):
        assert await names_for(other, ManualClock(), "other.test").addresses() == ["192.0.2.1"]
    assert not any(one.done() for one in hanging)
    dns.open.set()
    assert await asyncio.gather(*hanging) == [["192.0.2.1"]] * 64


async def test_who_asks_together_asks_once(dns: Dns) -> None:
    names = names_for(dns, ManualClock())
    assert await asyncio.gather(*(names.addresses() for _ in range(20))) == [["192.0.2.1"]] * 20
    assert dns.asked == 1


async def test_what_answered_last_is_tried_first(dns: Dns) -> None:
    dns.says = ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
    names = names_for(dns, ManualClock())
    await names.addresses()
    names.worked("192.0.2.2")
    assert await names.addresses() == ["192.0.2.2", "2001:db8::1", "192.0.2.1"]
    names.worked("192.0.2.9")
    assert await names.addresses() == dns.says


async def test_a_name_without_an_address_is_an_error_for_each(dns: Dns) -> None:
    dns.says = socket.gaierror(-2, "Name or service not known")
    names = names_for(dns, ManualClock())
    first, second = await asyncio.gather(names.addresses(), names.addresses(), return_exceptions=True)
    assert isinstance(first, socket.gaierror)
    assert isinstance(second, socket.gaierror)
    assert first is not second
    dns.says = []
    with pytest.raises(OSError, match="has no address"):
        await names.addresses()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
async def test_an_address_is_not_looked_up(dns: Dns, host: str) -> None:
    assert await names_for(dns, ManualClock(), host).addresses() == [host]
    assert dns.asked == 0
