"""Paths that servers read in different ways: refused, unless a policy says that they are kept as they are."""

from __future__ import annotations

import asyncio
import json

import pytest

from devstack.process import wait_until
from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
routes:
  - {name: packages, match: {path: "/{room}/npm/{name}"}, limits: {encoded_slash: keep}, cache: {tags: ["{name}"]}}
  - name: publish
    match: {path: "/{room}/publish/{name}"}
    limits: {encoded_slash: keep}
    invalidates: ["{name}"]
  - name: objects
    match: {path: "/{room}/s3/{key:path}"}
    limits: {encoded_slash: keep, backslash: keep, dot_segments: keep}
"""
FRESH = "200\nCache-Control: max-age=600"


async def test_a_kept_slash_is_keyed_matched_and_forwarded_as_it_is(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\npackage", "404\n\n")
    for _ in range(3):
        assert (await talk.ask("GET /npm/@scope%2fname")).text() == "package"
    assert (await talk.ask("GET /npm/@scope/name")).status == 404
    assert talk.paths() == ["GET /npm/@scope%2Fname", "GET /npm/@scope/name"]


async def test_it_is_part_of_the_value_in_tags(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\none", "201\n\n", "200\n\ntwo")
    await talk.ask("GET /npm/@scope%2fname")
    await talk.ask("PUT /publish/%40scope%2Fname", body=b"x")
    assert (await talk.ask("GET /npm/@scope%2fname")).text() == "two"


@pytest.mark.parametrize(
    "key", ["a%2Fb", "a\\b", "a%5Cb", "a/../b", "a/./b", "..;x/b", "a%2F..%2Fb", "%2e%2e/b", "a;b=c/d"]
)
async def test_names_of_objects_are_literal(talk: Dialogue, key: str) -> None:
    talk.answers(f"{FRESH}\n\none")
    for _ in range(3):
        assert (await talk.ask(f"GET /s3/{key}")).text() == "one"
    assert talk.paths() == [f"GET /s3/{key.replace('%2e', '.')}"]


@pytest.mark.parametrize(
    "path",
    [
        "/elsewhere/a%2Fb", "/elsewhere/a%5cb", "/elsewhere/a\\b", "/elsewhere/../b", "/elsewhere/%2e%2e/b",
        "/npm/a%5Cb", "/npm/..", "/npm/..%2Fb", "/npm/a%2F..%2fb", "/npm/..;x", "/s3/a%00b", "/s3/%zz",
        "/s3/../../elsewhere%zz",
    ],
)  # fmt: skip
async def test_all_others_are_refused_as_by_default(talk: Dialogue, path: str) -> None:
    assert (await talk.ask(f"GET {path}")).status == 400


@pytest.mark.parametrize(
    ("start", "method", "path", "reason"),
    [
        ("GET {}/a%2Fb?q=1 HTTP/1.1", "GET", "{}/a%2Fb", "encoded-slash"),
        ("POST {}/a%5Cb HTTP/1.1", "POST", "{}/a%5Cb", "backslash"),
        ("BREW {}/a/../b HTTP/1.1", "BREW", "{}/a/../b", "dot-segment"),
        ("GET {}/a b HTTP/1.1", "GET", "{}/a b", ""),
        ("get {}/lower HTTP/1.1", "get", "{}/lower", ""),
    ],
)
async def test_what_is_refused_leaves_its_name_in_the_log(
    talk: Dialogue, stage: Stage, start: str, method: str, path: str, reason: str
) -> None:
    raw = f"{start.format(talk.at(''))}\r\nHost: x\r\n\r\n".encode("latin-1")
    answer = await talk.send_raw(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    own_id = answer.partition(b"X-Request-ID: ")[2].partition(b"\r\n")[0].decode()
    line = await logged(stage, own_id)
    assert (line["method"], line["path"]) == (method, path.format(talk.at("")))
    assert line["refused"] == "malformed"
    assert reason in str(line["error"])


async def test_a_refused_head_has_no_body(talk: Dialogue) -> None:
    for path in ("/a%2Fb", "/a b"):
        answer = await talk.send_raw(f"HEAD {talk.at(path)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.endswith(b"\r\n\r\n")


async def test_nothing_malformed_is_a_fault_of_the_proxy(talk: Dialogue, stage: Stage) -> None:
    """No library's traceback stands in the log for what a client has written."""
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        await talk.send_raw(raw)
    await talk.send_raw(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n")
    talk.forget_answers()
    text = stage.proxy.process.log_text()
    assert "Traceback" not in text
    assert '"level":"error"' not in text.lower().replace(" ", "")


async def test_a_location_at_the_backend_itself_leads_to_the_proxy(talk: Dialogue, stage: Stage) -> None:
    inner = f"http://127.0.0.1:{stage.listener.getsockname()[1]}"
    talk.answers(
        f"302\nLocation: {inner}/login?next=a#b\n\n",
        f"302\nLocation: {inner.upper().replace('HTTP', 'http')}\n\n",
        f"302\nLocation: {inner}//evil.test/\n\n",
        f"302\nLocation: {inner}1/x\n\n",
        f"301\nLocation: {inner}/kept\nCache-Control: max-age=60\n\n",
    )
    found = [(await talk.ask(f"GET /r{number}")).lines.get("location") for number in range(5)]
    assert found == ["/login?next=a#b", "/", f"{inner}//evil.test/", f"{inner}1/x", "/kept"]
    assert (await talk.ask("GET /r4")).lines.get("location") == "/kept"


async def test_what_a_rewritten_location_names_is_invalidated(talk: Dialogue, stage: Stage) -> None:
    inner = f"http://127.0.0.1:{stage.listener.getsockname()[1]}"
    talk.answers(f"{FRESH}\n\nold", f"201\nLocation: {inner}{talk.at('/item')}\n\n", "200\n\nnew")
    await talk.ask("GET /item")
    await talk.ask("POST /items", body=b"")
    assert (await talk.ask("GET /item")).text() == "new"


async def logged(stage: Stage, request_id: str) -> dict[str, object]:
    """The line of a request in the access log, once it is there."""
    lines: list[str] = []

    def written() -> bool:
        lines[:] = [line for line in stage.proxy.process.log_lines() if request_id in line]
        return bool(lines)

    assert await asyncio.to_thread(wait_until, written, timeout_s=5)
    found: dict[str, object] = json.loads(lines[0])
    return found
