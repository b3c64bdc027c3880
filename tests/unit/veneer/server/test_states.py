"""The states of a client connection: which may follow which, what brings each about, and that the docs draw them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.veneer.server.front_row import FrontRow
from veneer.compiling.form import BuildKind, form
from veneer.server.connection import ClientConnection
from veneer.server.plain import PlainRequest
from veneer.server.ports import ConnectionHandle
from veneer.server.states import TRANSITIONS, ConnectionState, TransitionError

IDLE, BATCHED, FASTPATH, PLAIN, ENDING, AIOHTTP, TUNNEL, CLOSING, CLOSED = ConnectionState
DOCS = Path(__file__).parents[4] / "docs" / "architecture.md"
ALLOWED = [(before, after) for before in TRANSITIONS for after in TRANSITIONS[before]]
REQUEST = b"PUT /a HTTP/1.1\r\nHost: site\r\n\r\n"


class Scene:
    """One connection, and what may happen to it."""

    def __init__(self, kind: type[ClientConnection] = ClientConnection) -> None:
        self._row = FrontRow(plain=self)
        self.connection, self._fallback = self._row.connection(kind)

    def begin(self, request: PlainRequest, connection: ConnectionHandle) -> asyncio.Task[None]:
        """A plain request that nobody answers before the test says so."""
        return cast("asyncio.Task[None]", asyncio.get_running_loop().create_future())

    def hit(self) -> None:
        self.connection.data_received(b"GET a")

    def miss(self) -> None:
        self.connection.data_received(b"GET miss")

    def plain(self) -> None:
        self.connection.data_received(REQUEST)

    def odd(self) -> None:
        self.connection.data_received(b"BREW")

    def failing(self) -> None:
        self.connection.data_received(b"GET fail")

    def iterate(self) -> None:
        self._row.end_iteration()

    def answered(self) -> None:
        if self.connection.is_answering():
            self.connection.exchange_done(keep_alive=True)

    def answered_last(self) -> None:
        if self.connection.is_answering():
            self.connection.exchange_done(keep_alive=False)

    def read(self) -> None:
        self._fallback.idle = True

    def slow(self) -> None:
        self.connection.pause_writing()

    def switch(self) -> None:
        if self.connection.state in {AIOHTTP, CLOSING}:
            self.connection.detach_stream()

    def end(self) -> None:
        self.connection.eof_received()

    def close(self) -> None:
        self.connection.close()

    def lose(self) -> None:
        self.connection.connection_lost(None)


Step = Callable[[Scene], None]
THERE: dict[ConnectionState, tuple[Step, ...]] = {
    IDLE: (),
    BATCHED: (Scene.hit,),
    FASTPATH: (Scene.miss, Scene.iterate),
    PLAIN: (Scene.plain, Scene.iterate),
    ENDING: (Scene.plain, Scene.iterate, Scene.close),
    AIOHTTP: (Scene.odd, Scene.iterate),
    TUNNEL: (Scene.odd, Scene.iterate, Scene.switch),
    CLOSING: (Scene.close,),
    CLOSED: (Scene.lose,),
}
"""What leads to each state."""

ON: dict[tuple[ConnectionState, ConnectionState], tuple[Step, ...]] = {
    **{(state, CLOSED): (Scene.lose,) for state in ConnectionState if state is not CLOSED},
    **{(state, IDLE): (Scene.answered,) for state in (FASTPATH, PLAIN)},
    **{(state, ENDING): (Scene.close,) for state in (FASTPATH, PLAIN)},
    **{(state, CLOSING): (Scene.answered_last,) for state in (FASTPATH, PLAIN)},
    (IDLE, BATCHED): (Scene.hit,),
    (IDLE, AIOHTTP): (Scene.slow, Scene.hit),
    (IDLE, CLOSING): (Scene.close,),
    (BATCHED, IDLE): (Scene.iterate,),
    (BATCHED, FASTPATH): (Scene.iterate,),
    (BATCHED, PLAIN): (Scene.iterate,),
    (BATCHED, AIOHTTP): (Scene.iterate,),
    (BATCHED, CLOSING): (Scene.iterate,),
    (ENDING, CLOSING): (Scene.answered,),
    (AIOHTTP, BATCHED): (Scene.read, Scene.hit),
    (AIOHTTP, TUNNEL): (Scene.switch,),
    (AIOHTTP, CLOSING): (Scene.close,),
    (CLOSING, TUNNEL): (Scene.switch,),
}
"""What leads from one to the next."""

BATCHES = {FASTPATH: Scene.miss, PLAIN: Scene.plain, AIOHTTP: Scene.odd, CLOSING: Scene.failing}
"""What has to wait in BATCHED for it to become each of these."""


def test_what_leads_from_state_to_state_is_known() -> None:
    assert ON.keys() == set(ALLOWED)
    assert TRANSITIONS.keys() == set(ConnectionState)


@pytest.mark.parametrize(("before", "after"), ALLOWED, ids=lambda state: state.name)
async def test_every_transition_is_walked(before: ConnectionState, after: ConnectionState) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # what fails on purpose
    scene = Scene()
    there = (BATCHES.get(after, Scene.hit),) if before is BATCHED else THERE[before]
    for step in there:
        step(scene)
    assert scene.connection.state is before
    for step in ON[before, after]:
        step(scene)
    assert scene.connection.state is after


@pytest.mark.parametrize("before", ConnectionState, ids=lambda state: state.name)
async def test_every_other_is_refused(before: ConnectionState) -> None:
    for after in ConnectionState:
        if after not in TRANSITIONS[before]:
            scene = Scene()
            scene.connection.state = before
            with pytest.raises(TransitionError, match=f"{before.name} cannot become {after.name}"):
                scene.connection._enter(after)
            assert scene.connection.state is before


async def test_a_fault_of_our_own_is_seen() -> None:
    scene = Scene()
    with pytest.raises(TransitionError):
        scene.connection.detach_stream()
    assert scene.connection.state is IDLE


class Checked(ClientConnection):
    """Checks every change, those too that a hit makes unchecked."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "state" and hasattr(self, "state"):
            assert isinstance(value, ConnectionState)
            assert value in TRANSITIONS[self.state]
        super().__setattr__(name, value)


STEPS: list[Step] = [
    Scene.hit, Scene.miss, Scene.plain, Scene.odd, Scene.failing, Scene.iterate, Scene.answered, Scene.answered_last,
    Scene.read, Scene.slow, Scene.switch, Scene.end, Scene.close,
]  # fmt: skip


@pytest.mark.skipif(form() is BuildKind.COMPILED, reason="a native class has no subclass that is not")
@given(st.lists(st.sampled_from(STEPS), max_size=20))
def test_nothing_leads_anywhere_else(steps: list[Step]) -> None:
    async def walk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        scene = Scene(Checked)
        for step in [*steps, Scene.lose]:
            step(scene)
        assert scene.connection.state is CLOSED

    asyncio.run(walk())


def drawn() -> list[str]:
    """The table as `docs/architecture.md` has it."""
    arrows = [f"    {one.name} --> {other.name}: {TRANSITIONS[one][other]}" for one, other in ALLOWED]
    rows = [f"| {state.name} | {state.value} |" for state in ConnectionState]
    return ["```mermaid", "stateDiagram-v2", "    [*] --> IDLE", *arrows, "    CLOSED --> [*]", "```", "",
            "| state | what comes |", "|---|---|", *rows]  # fmt: skip


def test_the_docs_draw_the_table() -> None:
    wanted = "\n".join(drawn())
    assert wanted in DOCS.read_text("utf-8"), f"docs/architecture.md has to say:\n\n{wanted}\n"
