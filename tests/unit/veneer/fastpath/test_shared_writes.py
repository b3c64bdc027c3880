"""Writes of the fast path where other nodes share the log: what may be sent, and what its answer waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.pipeline import Log
from tests.unit.veneer.fastpath.stage import DATE, Stage

DONE = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Length: 4\r\n\r\ndone" % DATE


class WriteStage(Stage):
    """A stage whose log others share; the test says when they know."""

    def made(self) -> None:
        self.shared = Log(self.clock)
        self.services = replace(self.services, log=self.shared)

    async def teach(self, target: str = "/first", *_: object, **__: object) -> None:
        """Have the pipeline answer one."""
        assert self.ask(target, method="POST", content=b"{}")
        assert not self.backend.says(DONE)
        await self.over()
        self.line.sent.clear()
        self.shared.appended.clear()

    def send(self, target: str = "/second") -> None:
        """Have one sent, and answered by the backend."""
        assert self.ask(target, method="POST", content=b"{}")
        assert self.shared.open_writes == 1
        assert self.backend.says(DONE)
        assert self.backend.free
        assert len(self.shared.appended) == 1
        assert not self.line.sent

    async def over(self) -> bytes:
        """What the client has got in the end."""
        await self.line.is_over.wait()
        self.line.is_over.clear()
        assert self.active == self.services.in_flight.active == self.shared.open_writes == 0
        self.observer.work_off()
        return b"".join(self.line.sent)


@pytest.fixture
async def stage() -> WriteStage:
    stage = WriteStage()
    await stage.teach()
    return stage


async def test_it_is_answered_once_the_others_know(stage: WriteStage) -> None:
    for number in range(3):
        stage.line.sent.clear()
        stage.shared.appended.clear()
        stage.send(f"/{number}")
        stage.shared.tell()
        answer = await stage.over()
        assert answer.endswith(b"\r\n\r\ndone")
        assert b"Cache-Status: Veneer; fwd=method; detail=method\r\n" in answer
        (appended, settles_s) = stage.shared.appended[0]
        assert f"site/{number}" in appended.uris
        assert settles_s == 0.0
    assert [record.bytes_out for record in stage.seen] == [4] * 4


async def test_it_is_not_sent_from_here_while_the_others_do_not_know_that_it_may_be_under_way(
    stage: WriteStage,
) -> None:
    stage.shared.writable = False
    assert not stage.ask("/second", method="POST", content=b"{}")
    assert stage.backend.free
    assert stage.shared.open_writes == 0


async def test_one_of_which_the_others_could_not_be_told_is_not_answered_with_what_came(stage: WriteStage) -> None:
    stage.shared.reachable = False
    stage.send()
    stage.shared.tell()
    answer = await stage.over()
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"detail=log-lost" in answer
    assert not answer.endswith(b"done")
    assert len(stage.shared.appended) == 1, "it is not appended again"


async def test_where_consistency_is_bounded_it_waits_for_nobody(stage: WriteStage) -> None:
    await stage.teach("/bounded/1")
    stage.shared.reachable = stage.shared.writable = False
    assert stage.ask("/bounded/2", method="POST", content=b"{}")
    assert stage.backend.says(DONE)
    assert len(stage.shared.appended) == 1
    assert (await stage.over()).endswith(b"\r\n\r\ndone"), "although nobody was told"


async def test_a_client_that_leaves_meanwhile_is_recorded_and_the_write_is_known(stage: WriteStage) -> None:
    stage.send()
    assert stage.line.pending is not None
    stage.line.pending.leave()
    stage.shared.tell()
    assert await stage.over() == b""
    assert "left" in stage.seen[-1].error


async def test_a_client_that_sends_no_more_is_told_that_this_is_the_last_answer(stage: WriteStage) -> None:
    stage.send()
    assert stage.line.pending is not None
    assert stage.line.pending.ended()
    stage.line.is_last = True
    stage.shared.tell()
    answer = await stage.over()
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\ndone")
    assert stage.line.overs[-1] is False


async def test_an_answer_that_waited_long_says_how_old_it_is(stage: WriteStage) -> None:
    stage.send()
    stage.clock.advance(3)
    stage.shared.tell()
    answer = await stage.over()
    assert b"Age: 3\r\n" in answer
    assert answer.endswith(b"\r\n\r\ndone")


async def test_a_proxy_that_stops_meanwhile_answers_nobody(stage: WriteStage) -> None:
    stage.send()
    assert stage.line.pending is not None
    stage.line.pending.cancel()
    assert await stage.over() == b""
    stage.shared.tell()
    assert not stage.line.sent
    assert not stage.backend.aborted, "the connection may be another request's"


async def test_what_the_pipeline_takes_over_is_told_to_the_log_once(stage: WriteStage) -> None:
    assert stage.ask("/second", method="POST", content=b"{}")
    assert not stage.backend.says(DONE.replace(b"Date", b"Set-Cookie: a=b\r\nDate"))
    assert (await stage.over()).endswith(b"done")
    assert len(stage.shared.appended) == 1
