"""Who waits before being let in: for so long, so many, and counted where it ends there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from veneer.server.lobby import Lobby, Refused


class Guest:
    def __init__(self) -> None:
        self.dismissed: list[Refused] = []

    def dismiss(self, why: Refused) -> None:
        self.dismissed.append(why)


class Timers:
    """The loop's `call_later`, whose time comes when the test says so."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.get_running_loop().call_later(3600, call)
        self.set.append((delay_s, call, handle))
        return handle


async def test_who_does_not_tell_in_time_is_dismissed_and_counted_once() -> None:
    timers, guest = Timers(), Guest()
    lobby = Lobby(timers.later, 10.0)
    lobby.enter(guest)
    delay_s, come, handle = timers.set[0]
    assert (delay_s, len(lobby)) == (10.0, 1)
    come()
    assert guest.dismissed == [Refused.LATE]
    lobby.refuse(guest, Refused.GONE)
    assert lobby.refused == {"late": 1}
    assert len(lobby) == 0
    assert handle.cancelled()


async def test_who_gets_in_is_not_counted_and_has_no_timer() -> None:
    timers, guest = Timers(), Guest()
    lobby = Lobby(timers.later, 10.0)
    lobby.enter(guest)
    lobby.leave(guest)
    lobby.leave(guest)
    assert timers.set[0][2].cancelled()
    assert (lobby.refused, len(lobby)) == ({}, 0)


async def test_one_too_many_takes_the_place_of_who_has_waited_longest() -> None:
    timers, guests = Timers(), [Guest() for _ in range(3)]
    lobby = Lobby(timers.later, 10.0, most=2)
    for guest in guests:
        lobby.enter(guest)
    assert [guest.dismissed for guest in guests] == [[Refused.CROWDED], [], []]
    assert (lobby.refused, len(lobby)) == ({"crowded": 1}, 2)
    for guest in guests:
        lobby.leave(guest)


async def test_at_the_end_nobody_waits_and_nobody_gets_in() -> None:
    timers, guests = Timers(), [Guest() for _ in range(2)]
    lobby = Lobby(timers.later, 10.0)
    lobby.enter(guests[0])
    lobby.end()
    lobby.enter(guests[1])
    assert [guest.dismissed for guest in guests] == [[Refused.STOPPING], [Refused.STOPPING]]
    assert (len(lobby), timers.set[0][2].cancelled(), len(timers.set)) == (0, True, 1)
