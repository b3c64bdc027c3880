"""The relay between two ends of a tunnel: what has come goes out, whoever ends first, and both are told."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.loop.tasks import Tasks
from veneer.pipeline.exchange import TunnelEnd
from veneer.pipeline.tunnel import Passed, relay
from veneer.ports import Client, ClientGoneError, UpstreamError, UpstreamFailure, UpstreamResponse


class End:
    """One end of a tunnel: what its peer says is put in, what it was told is kept."""

    def __init__(self, gone: Exception | None = None) -> None:
        self.heard: list[bytes] = []
        self.told_end = self.closed = self.was_cut = self.stopped = False
        self.was_told = asyncio.Event()
        self.clear = asyncio.Event()
        self.clear.set()
        self._gone = gone
        self._said: list[bytes] = []
        self._ended = False
        self._change = asyncio.Event()

    def says(self, *pieces: bytes, then_ends: bool = False) -> End:
        self._said += pieces
        self._ended = self._ended or then_ends
        self._change.set()
        return self

    async def read(self) -> bytes:
        while not self._said and not self._ended and not self.stopped:
            self._change.clear()
            await self._change.wait()
        return self._said.pop(0) if self._said else b""

    async def write(self, data: bytes) -> None:
        assert not self.told_end
        if self._gone is not None:
            raise self._gone
        await self.clear.wait()
        self.heard.append(data)

    async def end(self) -> None:
        self.told_end = True
        self.was_told.set()

    def stop(self) -> None:
        self.stopped = True
        self._change.set()

    async def aclose(self) -> None:
        self.closed = True

    def cut(self) -> None:
        self.was_cut = True


class Response:
    """A switch, with its tunnel."""

    head = ResponseHead(101, "", Fields())

    def __init__(self, tunnel: End) -> None:
        self.tunnel = tunnel


class Switching:
    """A client that switches."""

    def __init__(self, end: End | None) -> None:
        self._end = end
        self.held = False

    def detach(self) -> None:
        self.held = True

    def reattach(self) -> bool:
        self.held = False
        return False

    async def upgrade(self, head: ResponseHead) -> End:
        assert self.held
        assert head.status == 101
        if self._end is None:
            raise ClientGoneError("gone")
        return self._end


async def relayed(client: End | None, backend: End, idle_s: float = 60.0) -> Passed:
    tasks = Tasks()
    try:
        return await relay(
            tasks, cast("Client", Switching(client)), cast("UpstreamResponse", Response(backend)), idle_s
        )
    finally:
        assert len(tasks) == 0
        await tasks.aclose()


async def test_what_crossed_is_told() -> None:
    client, backend = End().says(b"one", b"two", then_ends=True), End().says(b"answer")
    running = asyncio.ensure_future(relayed(client, backend))  # noqa: TID251 - the test's own
    await asyncio.wait_for(backend.was_told.wait(), 5)
    backend.says(b"last", then_ends=True)
    assert await running == Passed(6, 10, TunnelEnd.CLIENT)
    assert (backend.heard, client.heard) == ([b"one", b"two"], [b"answer", b"last"])
    assert client.closed
    assert backend.closed


async def test_silence_of_both_ends_it_for_both() -> None:
    client, backend = End(), End()
    assert (await relayed(client, backend, 0.01)).end is TunnelEnd.SILENT
    assert client.told_end
    assert backend.told_end


async def test_a_stop_lets_out_what_had_come_and_takes_no_more() -> None:
    client, backend = End().says(b"held", b"back"), End()
    backend.clear.clear()
    running = asyncio.ensure_future(relayed(client, backend))  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    client.stop()
    while not backend.stopped:
        await asyncio.sleep(0)
        backend.clear.set()
    assert await running == Passed(8, 0, TunnelEnd.DRAIN)
    assert backend.heard == [b"held", b"back"]
    assert client.told_end
    assert backend.told_end


@pytest.mark.parametrize("gone", ["client", "backend"])
async def test_who_is_gone_is_the_end_although_the_other_spoke(gone: str) -> None:
    if gone == "client":
        client, backend = End(ClientGoneError("gone")), End().says(b"to nobody", then_ends=True)
        client.says(then_ends=True)
    else:
        client = End().says(b"to nobody", then_ends=True)
        backend = End(UpstreamError(UpstreamFailure.RESET, "gone", sent=True)).says(then_ends=True)
    passed = await relayed(client, backend)
    assert passed == Passed(0, 0, TunnelEnd(gone))


async def test_a_client_that_left_before_the_switch_lets_the_backend_go() -> None:
    backend = End()
    with pytest.raises(ClientGoneError):
        await relayed(None, backend)
    assert backend.was_cut
