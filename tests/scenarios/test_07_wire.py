"""Item 7: the wire."""

from __future__ import annotations

import asyncio

import pytest

from checks.conformance.client import FetchError
from tests.scenarios.dialogue import HANG_UP, Dialogue, framed

FRESH = "Cache-Control: max-age=600"


async def test_early_hints_and_other_interim_responses_are_relayed_and_not_stored(talk: Dialogue) -> None:
    hints = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    talk.answers(hints + framed(f"200\n{FRESH}\n\none"))
    first = await talk.ask("GET /a")
    assert [status for status, _ in first.interim] == [102, 103]
    assert first.interim[1][1].get("Link") == "</a.css>; rel=preload"
    assert "Link" not in first.lines
    assert (await talk.ask("GET /a")).interim == ()


async def test_an_http_1_0_client_gets_no_interim_response_and_no_chunks(talk: Dialogue) -> None:
    talk.answers(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\none\r\n0\r\n\r\n"
    )
    answer = await talk.send_raw(f"GET {talk.at('/a')} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"one"


async def test_trailers_arrive(talk: Dialogue) -> None:
    talk.answers(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\none\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    request = f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n"
    answer = await talk.send_raw(request.encode())
    assert answer.endswith(b"0\r\nX-Sum: 1\r\n\r\n")


async def test_expect_100_continue_is_answered_before_the_body_is_sent(talk: Dialogue) -> None:
    talk.answers("200\n\ngot it")
    reader, writer = await talk.connect()
    head = f"POST {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"abc")
        assert (await reader.readuntil(b"got it")).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert talk.asked[0].body == b"abc"


EXPECTING = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_a_refusal_comes_before_the_body_of_whoever_asks(talk: Dialogue, method: str) -> None:
    over = asyncio.Event()

    async def refuse_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        content.append(await reader.read())
        asked.append(head.count(b"\r\nexpect: 100-continue\r\n"))
        writer.close()
        await writer.wait_closed()
        over.set()

    content: list[bytes] = []
    asked: list[int] = []
    talk.stand_aside()
    async with await asyncio.start_server(refuse_unread, sock=talk.socket()):
        reader, writer = await talk.connect()
        writer.write(f"{method} {talk.at('/a')} HTTP/1.1\r\n{EXPECTING}".encode())
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"no"
            await over.wait()
        writer.close()
    assert (asked, content) == ([1], [b""]), "nothing of the content arrives"
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close" in head.lower()


async def test_a_backend_that_knows_no_expectation_gets_the_body_all_the_same(talk: Dialogue) -> None:
    over = asyncio.Event()

    async def wait_for_content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(3) == b"abc"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()
        await writer.wait_closed()
        over.set()

    talk.stand_aside()
    async with await asyncio.start_server(wait_for_content, sock=talk.socket()):
        reader, writer = await talk.connect()
        writer.write(f"POST {talk.at('/a')} HTTP/1.1\r\n{EXPECTING}".encode())
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(b"abc")
            answer = await reader.readuntil(b"ok")
            await over.wait()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close" not in answer.lower()


@pytest.mark.parametrize(
    ("line", "content", "asked"),
    [
        ("POST {} HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", None),
        ("POST {} HTTP/1.1", "Expect: miracles\r\nContent-Length: 3\r\n\r\nabc", None),
        ("GET {} HTTP/1.1", "Expect: 100-continue\r\n\r\n", None),
        ("POST {} HTTP/1.1", "Expect: 100-continue\r\n\r\n", None),
        ("QUERY {} HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", None),
        ("POST {} HTTP/1.1", "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc", "100-continue"),
    ],
)
async def test_only_what_can_be_expected_of_the_backend_reaches_it(
    talk: Dialogue, line: str, content: str, asked: str | None
) -> None:
    talk.answers("200\n\ngot it")
    request = f"{line.format(talk.at('/a'))}\r\nHost: x\r\nContent-Type: text/plain\r\nConnection: close\r\n{content}"
    assert b"HTTP/1.1 200 " in await talk.send_raw(request.encode())
    assert talk.asked[0].lines.get("expect") == asked
    assert talk.asked[0].body == (b"abc" if content.endswith("abc") else b"")


async def test_a_chunked_upload_is_forwarded(talk: Dialogue) -> None:
    talk.answers("200\n\ndone")
    answer = await talk.send_raw(
        f"POST {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
        + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert talk.asked[0].body == b"abcdefg"


async def test_an_upload_streams_while_it_comes(talk: Dialogue) -> None:
    talk.answers("200\n\ndone")
    reader, writer = await talk.connect()
    head = f"POST {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    beginning = bytes(70_000)  # more than is read before a connection is taken for it
    writer.write(head.encode() + b"%x\r\n%b\r\n" % (len(beginning), beginning))
    await talk.began(1)  # the origin has the head although the body has not ended
    writer.write(b"3\r\ndef\r\n0\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert talk.asked[0].body == beginning + b"def"


async def test_pipelined_requests_are_answered_in_order(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nstored")
    await talk.ask("GET /hit")
    talk.answers("200\n\nslow")
    pipeline = "".join(
        f"GET {talk.at(path)} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\nConnection: {connection}\r\n\r\n"
        for path, connection in (("/miss", "keep-alive"), ("/hit", "close"))
    )
    answer = await talk.send_raw(pipeline.encode())
    assert answer.index(b"slow") < answer.index(b"stored")


async def test_many_requests_in_one_segment_are_all_answered(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nstored")
    await talk.ask("GET /hit")
    head = f"GET {talk.at('/hit')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\nAccept-Language: "
    pipeline = "".join(f"{head}{number}\r\n\r\n" for number in range(99)) + f"{head}x\r\nConnection: close\r\n\r\n"
    answer = await talk.send_raw(pipeline.encode())
    assert answer.count(b"HTTP/1.1 200 ") == 100


async def test_what_is_pipelined_before_a_malformed_request_is_answered(talk: Dialogue) -> None:
    talk.answers("200\n\nfirst")
    good = f"GET {talk.at('/good')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n"
    answer = await talk.send_raw(good.encode() + b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.index(b"first") < answer.index(b"HTTP/1.1 400 ")


async def test_an_absolute_form_target_is_understood(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\none")
    await talk.ask("GET /a")
    answer = await talk.send_raw(
        f"GET http://127.0.0.1:{talk.port}{talk.at('/a')} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.endswith(b"\r\n\r\none")
    assert len(talk.asked) == 1


async def test_obs_text_crosses_byte_by_byte_both_ways(talk: Dialogue) -> None:
    raw = b"ab\xfc\x80\xff"
    talk.answers(b"HTTP/1.1 200 OK\r\nX-Back: " + raw + b"\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n")
    request = f"GET {talk.at('/a')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\nConnection: close\r\nX-There: ".encode()
    first = await talk.send_raw(request + raw + b"\r\n\r\n")
    assert b"X-Back: " + raw + b"\r\n" in first
    assert talk.asked[0].lines.get("X-There") == raw.decode("latin-1")
    assert b"X-Back: " + raw + b"\r\n" in await talk.send_raw(request + b"\r\n\r\n")


async def test_an_over_long_body_is_cut_and_no_second_response_is_made_of_it(talk: Dialogue) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + smuggled, "200\n\ntwo")
    assert (await talk.ask("GET /a")).text() == "one"
    assert (await talk.ask("GET /b")).text() == "two"


async def test_a_short_body_that_breaks_off_is_a_502_and_not_stored(talk: Dialogue) -> None:
    talk.answers(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 10\r\nConnection: close\r\n\r\none")
    talk.answers("200\n\nwhole")
    assert (await talk.ask("GET /a")).status == 502
    assert (await talk.ask("GET /a")).text() == "whole"


async def test_a_long_body_that_breaks_off_breaks_off_for_the_client(talk: Dialogue) -> None:
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 500000\r\nConnection: close\r\n\r\n"
    talk.answers(head + b"x" * 300_000, "200\n\nwhole")
    with pytest.raises(FetchError):
        (await talk.ask("GET /a")).text()
    assert (await talk.ask("GET /a")).text() == "whole"


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 4",
        "Content-Length: +3",
        "Content-Length: -1",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: ",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "X-Folded: a\r\n b",
        "X-Space : a",
        "X-Bare: a\rb",
        "X-Line: a\nb: c",
        "X-Nul: a\x00b",
        ": nameless",
        "no colon",
    ],
)
@pytest.mark.parametrize("method", ["POST", "FROBNICATE"])
async def test_ambiguous_framing_from_a_client_is_refused_and_the_connection_closed(
    talk: Dialogue, head: str, method: str
) -> None:
    smuggled = f"GET {talk.at('/smuggled')} HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await talk.send_raw(
        f"{method} {talk.at('/a')} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{smuggled}".encode("latin-1")
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not talk.asked


@pytest.mark.parametrize("method", ["POST", "FROBNICATE"])
async def test_a_transfer_coding_that_is_not_undone_here_is_refused(talk: Dialogue, method: str) -> None:
    head = f"{method} {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    answer = await talk.send_raw(f"{head}0\r\n\r\nGET {talk.at('/smuggled')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_chunked_http_1_0_request_is_refused(talk: Dialogue) -> None:
    head = f"POST {talk.at('/a')} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert (await talk.send_raw(head.encode())).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("inner", ["GET", "FROBNICATE"])
async def test_a_segment_that_looks_like_a_request_within_a_head_is_part_of_it(talk: Dialogue, inner: str) -> None:
    talk.answers(f"200\n{FRESH}\n\nstored", "200\n\nasked")
    await talk.ask("GET /stored")
    reader, writer = await talk.connect()
    writer.write(f"GET {talk.at('/a')} HTTP/1.1\r\nConnection: close\r\nX-Long: ".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(f"{inner} {talk.at('/stored')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"asked")
    assert talk.paths() == ["GET /stored", "GET /a"]
    assert talk.asked[1].lines.get("X-Long") == f"{inner} {talk.at('/stored')} HTTP/1.1"


@pytest.mark.parametrize("before", ["GET", "FROBNICATE"])
async def test_methods_are_case_sensitive(talk: Dialogue, before: str) -> None:
    talk.answers("200\n\nfirst")
    pair = [f"{method} {talk.at('/a')} HTTP/1.1\r\nHost: x\r\n\r\n" for method in (before, "get")]
    answer = await talk.send_raw("".join(pair).encode())
    assert answer.count(b"HTTP/1.1 400 ") == 1
    talk.forget_answers()
    assert "get /a" not in [path.lower() for path in talk.paths()[1:]]


@pytest.mark.parametrize("method", ["POST", "FROBNICATE"])
@pytest.mark.parametrize("chunk", ["g\r\nabc\r\n", "-1\r\nabc\r\n", "3\r\nabcd\r\n", "3\nabc\r\n", "0x3\r\nabc\r\n"])
async def test_a_bad_chunk_from_a_client_never_becomes_a_request(talk: Dialogue, chunk: str, method: str) -> None:
    talk.answers("200\n\nseen")
    head = f"{method} {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    smuggled = f"GET {talk.at('/smuggled')} HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await talk.send_raw((head + chunk + smuggled).encode())
    talk.forget_answers()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert talk.paths() == []


@pytest.mark.parametrize("method", ["POST", "FROBNICATE"])
async def test_a_bad_chunk_that_comes_later_is_refused_at_once_too(talk: Dialogue, method: str) -> None:
    reader, writer = await talk.connect()
    writer.write(f"{method} {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    await asyncio.sleep(0.1)  # nothing tells that the head was read; if it was not, it is the case before
    writer.write(f"g\r\nabc\r\nGET {talk.at('/smuggled')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert talk.paths() == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Space : a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Bare: a\rb\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_a_malformed_answer_from_the_backend_is_a_502(talk: Dialogue, answer: bytes) -> None:
    talk.answers(answer)
    assert (await talk.ask("GET /a")).status == 502
    talk.answers("200\n\nfine")
    assert (await talk.ask("GET /b")).text() == "fine"


async def test_a_request_the_backend_may_have_seen_is_not_repeated(talk: Dialogue) -> None:
    talk.answers(HANG_UP)
    assert (await talk.ask("POST /a", body=b"x")).status in (502, 504)
    assert talk.paths() == ["POST /a"]


async def test_a_get_is_asked_again_where_its_used_connection_died_before_a_byte_came(talk: Dialogue) -> None:
    talk.answers("200\n\none", HANG_UP, "200\n\ntwo")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /b")).text() == "two"
    assert talk.paths() == ["GET /a", "GET /b", "GET /b"]


@pytest.mark.parametrize("request_line", ["POST /b", "PUT /b", "DELETE /b", "PATCH /b"])
async def test_a_request_that_changes_something_or_has_a_body_is_never_asked_again(
    talk: Dialogue, request_line: str
) -> None:
    talk.answers("200\n\none", HANG_UP)
    await talk.ask("GET /a")
    assert (await talk.ask(request_line, body=b"x")).status in (502, 504)
    assert len(talk.asked) == 2


async def test_a_response_that_had_begun_is_not_asked_for_again(talk: Dialogue) -> None:
    talk.answers("200\n\none", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Le")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /b")).status == 502
    assert len(talk.asked) == 2


@pytest.mark.parametrize("host", ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: a@b\r\n"])
async def test_a_request_without_exactly_one_good_host_is_refused(talk: Dialogue, host: str) -> None:
    answer = await talk.send_raw(f"GET {talk.at('/a')} HTTP/1.1\r\n{host}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "path", ["/%2fa", "/a%5cb", "/a/../b", "/a/./b", "/%2e%2e/b", "/a%00", "/a%0d%0a", "/%zz", "/a#b"]
)
async def test_a_target_that_can_be_read_in_two_ways_is_refused(talk: Dialogue, path: str) -> None:
    answer = await talk.send_raw(f"GET {talk.at(path)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_tunnel_after_101(talk: Dialogue) -> None:
    talk.answers(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: x\r\n\r\nhello from the other side"
    )
    reader, writer = await talk.connect()
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: y\r\nSec-WebSocket-Version: 13"
    writer.write(f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-accept: x" in head.lower()
        assert await reader.readexactly(25) == b"hello from the other side"
    writer.close()
    assert (talk.asked[0].lines.get("Upgrade") or "").lower() == "websocket"


async def test_server_sent_events_are_not_held_back(talk: Dialogue) -> None:
    gate = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk.answers([head + b"9\r\ndata: 1\n\n\r\n", gate, b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"])
    reader, writer = await talk.connect()
    fields = "Accept-Encoding: gzip, br\r\nConnection: close"
    writer.write(f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        await reader.readuntil(b"data: 1\n\n")
        gate.set()
        rest = await reader.read()
    assert b"data: 2\n\n" in rest
    writer.close()


async def test_hop_by_hop_fields_stay_on_their_hop(talk: Dialogue) -> None:
    talk.answers("200\nConnection: X-Hop\nX-Hop: 1\nKeep-Alive: timeout=3\nX-Own: 2\n\none")
    response = await talk.ask(
        "GET /a", "Connection: X-There", "X-There: 1", "TE: gzip", "Proxy-Connection: x", "X-Mine: 2"
    )
    assert ("X-Hop" in response.lines, response.lines.get("X-Own")) == (False, "2")
    assert response.lines.get("Keep-Alive") != "timeout=3"
    for name in ("X-There", "TE", "Proxy-Connection"):
        assert name not in talk.asked[0].lines
    assert talk.asked[0].lines.get("X-Mine") == "2"


async def test_an_uncacheable_resource_may_become_cacheable(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\n\none", "200\nCache-Control: no-store\n\ntwo", f"200\n{FRESH}\n\nthree")
    assert [(await talk.ask("GET /a")).body for _ in range(4)] == [b"one", b"two", b"three", b"three"]


async def test_a_client_that_leaves_an_uncacheable_fetch_takes_nobody_with_it(talk: Dialogue) -> None:
    gate = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\n"
    talk.answers("200\nCache-Control: no-store\n\none", [gate, head, b"two"], "200\nCache-Control: no-store\n\nend")
    assert (await talk.ask("GET /a")).body == b"one"
    _, writer = await talk.connect()
    writer.write(f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await talk.reached(2)
    writer.transport.abort()
    assert (await talk.ask("GET /a")).body == b"end"
    gate.set()


LEAVING = pytest.mark.parametrize("connection", ["keep-alive", "close"])
"""Plain requests are answered without aiohttp, others with it: to leave means the same on both ways."""


@LEAVING
async def test_a_fetch_goes_on_for_those_who_follow_when_its_leader_leaves(talk: Dialogue, connection: str) -> None:
    gate = asyncio.Event()
    talk.answers([gate, f"HTTP/1.1 200 OK\r\n{FRESH}\r\nContent-Length: 3\r\n\r\none".encode()])
    _, writer = await talk.connect()
    writer.write(
        f"GET {talk.at('/a')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\nConnection: {connection}\r\n\r\n".encode()
    )
    await talk.reached(1)
    following = asyncio.ensure_future(talk.ask("GET /a"))  # noqa: TID251 - a test's own task
    await asyncio.sleep(0.05)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    gate.set()
    response = await following
    assert response.body == b"one"
    assert "collapsed" in (response.lines.get("Cache-Status") or "")
    assert talk.paths() == ["GET /a"]


@LEAVING
async def test_what_nobody_waits_for_any_more_is_stored(talk: Dialogue, connection: str) -> None:
    gate = asyncio.Event()
    body = b"x" * 200_000
    head = f"HTTP/1.1 200 OK\r\n{FRESH}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    talk.answers([head, body[:50_000], gate, body[50_000:]])
    reader, writer = await talk.connect()
    writer.write(
        f"GET {talk.at('/a')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\nConnection: {connection}\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    await asyncio.sleep(0.05)
    gate.set()
    async with asyncio.timeout(5):
        while "hit" not in ((response := await talk.ask("GET /a")).lines.get("Cache-Status") or ""):
            pass
    assert response.body == body
    assert talk.paths() == ["GET /a"]


@LEAVING
async def test_a_write_whose_client_has_left_still_invalidates(talk: Dialogue, connection: str) -> None:
    gate = asyncio.Event()
    talk.answers(f"200\n{FRESH}\n\none", [gate, b"HTTP/1.1 204 No Content\r\n\r\n"], f"200\n{FRESH}\n\ntwo")
    assert (await talk.ask("GET /a")).body == b"one"
    _, writer = await talk.connect()
    fields = f"Host: 127.0.0.1:{talk.port}\r\nConnection: {connection}\r\nContent-Length: 2"
    writer.write(f"PUT {talk.at('/a')} HTTP/1.1\r\n{fields}\r\n\r\n{{}}".encode())
    await talk.reached(2)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    gate.set()
    async with asyncio.timeout(5):
        while (await talk.ask("GET /a")).body != b"two":
            pass


async def test_a_request_that_comes_early_waits_for_its_turn(talk: Dialogue) -> None:
    gate = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\n"
    talk.answers([gate, head, b"one"], [head, b"two"])
    reader, writer = await talk.connect()
    for path in ("/a", "/b"):
        writer.write(f"GET {talk.at(path)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.sleep(0.05)
    assert talk.paths() == ["GET /a"]
    gate.set()
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\none")
        await reader.readuntil(b"\r\n\r\ntwo")
    writer.close()


async def test_requests_of_many_clients_at_the_same_moment_are_each_answered(talk: Dialogue) -> None:
    head = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 6\r\n\r\n"
    talk.answers(f"200\n{FRESH}\n\nstored", *[head + b"posted" for _ in range(20)])
    for _ in range(2):
        await talk.ask("GET /hit")
    lines = f"HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n"
    hit, post = f"GET {talk.at('/hit')} {lines}\r\n", f"POST {talk.at('/new')} {lines}Content-Length: 3\r\n\r\nabc"
    asked = [(hit, b"stored"), (post, b"posted"), (hit + hit, b"stored"), ("BAD\r\n\r\n", b" 400 ")] * 20
    clients = [await talk.connect() for _ in asked]
    for (raw, _), (_, writer) in zip(asked, clients, strict=True):
        writer.write(raw.encode())
    async with asyncio.timeout(10):
        for (raw, wanted), (reader, writer) in zip(asked, clients, strict=True):
            for _ in range(2 if raw == hit + hit else 1):
                await reader.readuntil(wanted)
            writer.close()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: " + b"x" * 70_000], id="at once"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", *[b"X-Line: " + b"x" * 4_000 + b"\r\n"] * 18], id="in pieces"),
        pytest.param([b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"x" * 4_000 + b">\r\n\r\n"] * 18, id="interim, in sum"),
        pytest.param([b"HTTP/1.1 102 Processing\r\n\r\n" * 1_001], id="interim, many"),
    ],
)
async def test_a_response_head_without_end_is_a_bad_gateway_at_once(talk: Dialogue, head: list[bytes]) -> None:
    # The origin goes on waiting: nothing but the bound may end this.
    gate = asyncio.Event()
    talk.answers([*head, gate])
    try:
        async with asyncio.timeout(5):
            answer = await talk.ask("GET /a")
    finally:
        gate.set()
    assert answer.status == 502
    assert b"no valid response" in answer.body
    await talk.let_go()


async def test_a_long_response_head_within_the_bound_arrives_in_pieces(talk: Dialogue) -> None:
    lines = [f"X-Line-{number}: {'x' * 4_000}\r\n".encode() for number in range(14)]
    talk.answers([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", *lines, b"\r\none"])
    async with asyncio.timeout(5):
        answer = await talk.ask("GET /a")
    assert (answer.status, answer.body) == (200, b"one")
