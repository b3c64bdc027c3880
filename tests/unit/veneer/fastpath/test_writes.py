"""The fast path sends on what is not safe, answers it as one like it was, and leaves the rest to the pipeline."""

from __future__ import annotations

import pytest

from tests.unit.veneer.fastpath.stage import DATE, Stage
from veneer.fastpath.write_templates import IN_VAIN

OK = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Length: %d\r\n\r\n%b"


def done(body: bytes = b"done") -> bytes:
    return OK % (DATE, len(body), body)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def teach(stage: Stage, method: str = "POST", content: bytes = b"{}", answer: bytes = b"") -> None:
    """Have the pipeline answer one."""
    assert stage.ask("/first", method=method, content=content)
    assert not stage.backend.says(answer or done())
    await stage.line.is_over.wait()
    stage.line.is_over.clear()
    stage.line.sent.clear()
    stage.backend.heads.clear()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("content", [b"{}", b""])
async def test_the_pipeline_answers_the_first_and_the_fastpath_the_next(
    stage: Stage, method: str, content: bytes
) -> None:
    await teach(stage, method, content)
    assert stage.ask("/second?a=b", method=method, content=content * 3)
    assert stage.active == stage.services.in_flight.active == 1
    (sent,) = stage.backend.heads
    assert sent.startswith(f"{method} /second?a=b HTTP/1.1\r\n".encode())
    assert sent.endswith(b"\r\n\r\n" + content * 3)
    assert stage.backend.says(done(b"other"))
    answer = b"".join(stage.line.sent)
    assert answer.endswith(b"\r\n\r\nother")
    assert b"Cache-Status: Veneer; fwd=method; detail=method\r\n" in answer
    assert stage.active == stage.services.in_flight.active == 0
    stage.observer.work_off()
    before, record = stage.seen
    assert (record.bytes_in, record.bytes_out) == (len(content * 3), 5)
    for member in ("method", "route", "status", "cache", "cache_forward", "cache_reason"):
        assert getattr(before, member) == getattr(record, member)


async def test_it_is_known_before_its_answer_leaves(stage: Stage) -> None:
    await teach(stage)
    before = stage.log.position.seq
    told: list[int] = []
    stage.line.on_send = lambda: told.append(stage.log.position.seq)
    assert stage.ask("/second", method="POST", content=b"{}")
    assert stage.log.position.seq == before, "nothing has been changed yet"
    assert stage.backend.says(done())
    assert told == [before + 1]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (("Content-Length: 3",), b"{}"),
        (("Content-Length: 02",), b"{}"),
        (("Content-Length: 2", "Content-Length: 2"), b"{}"),
        (("Transfer-Encoding: chunked",), b"0\r\n\r\n"),
        (("Content-Length: 2", "Transfer-Encoding: chunked"), b"{}"),
        (("Content-Length: 0",), b""),
        ((), b"{}"),
        (("Content-Length: 2", "Expect: 100-continue"), b"{}"),
        (("Content-Length: 2", 'If-Match: "x"'), b"{}"),
        (("Content-Length: 2", 'If-None-Match: "x"'), b"{}"),
        (("Content-Length: 2", "Connection: close"), b"{}"),
        (("Content-Length: 2", "Upgrade: h2c"), b"{}"),
        (("Content-Length: 2", "X-Odd: \xfc"), b"{}"),
    ],
)
async def test_what_is_not_plain_goes_the_normal_way(stage: Stage, fields: tuple[str, ...], content: bytes) -> None:
    await teach(stage)
    head = "\r\n".join(["POST /second HTTP/1.1", "Host: site", *fields, "", ""]).encode("latin-1")
    assert not stage.handler.answer(head + content)
    assert not stage.handler.answer(head.replace(b"Host: site", b"Host: site\r\nX-New: x") + content)
    assert stage.backend.free


async def test_a_value_that_ends_where_the_last_one_did_hides_nothing(stage: Stage) -> None:
    await teach(stage, content=b"x" * 1000)
    head = b"POST /second HTTP/1.1\r\nHost: site\r\nContent-Length: 2\r\n\r\n\r\n"
    assert not stage.handler.answer(head + b"{}")


@pytest.mark.parametrize("name", [b"X-Cache-Invalidate", b"Cache-Group-Invalidation", b"Location"])
async def test_what_a_response_names_may_be_another_thing_each_time(stage: Stage, name: bytes) -> None:
    def naming(what: bytes) -> bytes:
        return done().replace(b"Date", b"%b: %b\r\nDate" % (name, what))

    await teach(stage, answer=naming(b"/first"))
    before = stage.log.position.seq
    for number in range(3):
        assert stage.ask("/second", method="POST", content=b"{}")
        assert stage.backend.says(naming(b"/page/%d" % number))
        assert stage.log.position.seq == before + number + 1
    answer = b"".join(stage.line.sent)
    assert (b"\r\nLocation: /page/2\r\n" in answer) is (name == b"Location")
    assert b"X-Cache-Invalidate" not in answer


@pytest.mark.parametrize("where", [b"http://127.0.0.1:1/page", b"//127.0.0.1:1/page", b"page"])
async def test_a_location_that_is_no_path_is_the_pipelines(stage: Stage, where: bytes) -> None:
    located = done().replace(b"Date", b"Location: /page\r\nDate")
    await teach(stage, answer=located)
    assert stage.ask("/second", method="POST", content=b"{}")
    assert not stage.backend.says(located.replace(b"/page", where))
    await stage.line.is_over.wait()


async def test_each_target_has_its_own_route_and_its_own_event(stage: Stage) -> None:
    await teach(stage)
    known: list[int] = []
    stage.line.on_send = lambda: known.append(stage.log.position.seq)
    for target in ("/a", "/a", "/b?c=d", "/a", "/streams/1", "/streams/1"):
        stage.line.is_over.clear()
        assert stage.ask(target, method="POST", content=b"{}")
        if not stage.backend.says(done()):
            await stage.line.is_over.wait()
    stage.observer.work_off()
    assert [record.path for record in stage.seen[1:]] == ["/a", "/a", "/b", "/a", "/streams/1", "/streams/1"]
    assert [record.route for record in stage.seen[-2:]] == ["streams"] * 2
    assert known == sorted(set(known)), "each is an event of its own"


async def test_what_a_backend_never_answers_in_a_way_that_is_known_is_left_alone(stage: Stage) -> None:
    for number in range(IN_VAIN):
        assert stage.ask(f"/{number}", method="POST", content=b"{}")
        assert not stage.backend.says(done().replace(b"Date", b"Set-Cookie: a=b\r\nDate"))
        await stage.line.is_over.wait()
        stage.line.is_over.clear()
    assert not stage.ask("/last", method="POST", content=b"{}")
    tried = [stage.ask(f"/{number}", method="POST", content=b"{}") for number in range(IN_VAIN * IN_VAIN)]
    assert tried.count(True) == 1
