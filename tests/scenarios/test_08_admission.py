"""Limits, request IDs, trace context, log lines and the admin listener, through the real proxy."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue
from tests.support.client import Answer, fetch

POLICIES = """
version: 1
limits: {in_flight: 3}
rate_limits:
  few: {key: "header:X-Client", rate: 2/1h, burst: 2}
routes:
  - name: limited
    match: {path: "/{room}/limited"}
    rate_limit: few
  - name: tagged
    match: {path: "/{room}/tagged"}
    cache: {ttl: 10m, tags: ["room:{room}"]}
"""
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PLAIN = "200\n\nhere"


async def admin(stage: Stage, path: str, method: str = "GET", body: dict[str, object] | None = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    return await asyncio.to_thread(fetch, stage.proxy.admin_url + path, method, headers=headers, body=content)


async def logged(stage: Stage, request_id: str) -> dict[str, object]:
    """The line of that request, once it is written."""
    async with asyncio.timeout(10):
        while True:
            for line in stage.proxy.log_records():
                if line.get("request_id") == request_id:
                    return line
            await asyncio.sleep(0.02)


async def test_what_comes_too_fast_is_refused_and_told_when(talk: Dialogue) -> None:
    talk.answers(PLAIN, PLAIN)
    who = f"X-Client: {uuid.uuid4()}"
    first = await talk.ask("GET /limited", who)
    assert (first.lines.get("RateLimit-Policy"), first.lines.get("RateLimit")) == (
        '"few";q=2;w=3600',
        '"few";r=1;t=1800',
    )
    assert (await talk.ask("GET /limited", who)).status == 200
    refused = await talk.ask("GET /limited", who, "X-Request-ID: too-fast")
    assert refused.status == 429
    assert int(refused.lines.get("Retry-After") or 0) in {1799, 1800}
    assert (refused.lines.get("RateLimit") or "").startswith('"few";r=0;t=')
    problem = json.loads(refused.body)
    assert (problem["status"], problem["violated-policies"], problem["request_id"]) == (429, ["few"], "too-fast")
    assert len(talk.asked) == 2


async def test_clients_are_limited_apart(talk: Dialogue) -> None:
    talk.answers(PLAIN, PLAIN, PLAIN)
    one, other = f"X-Client: {uuid.uuid4()}", f"X-Client: {uuid.uuid4()}"
    statuses = [(await talk.ask("GET /limited", who)).status for who in (one, one, one, other)]
    assert statuses == [200, 200, 429, 200]


async def test_more_at_once_than_may_be_is_refused_and_then_served(talk: Dialogue) -> None:
    release = asyncio.Event()
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
    talk.answers([release, late], [release, late], [release, late])
    async with asyncio.TaskGroup() as group:
        held = [group.create_task(talk.ask(f"GET /{number}", client=talk.client())) for number in range(3)]
        await talk.reached(3)
        refused = await talk.ask("GET /more", client=talk.client())
        release.set()
    assert (refused.status, refused.lines.get("Retry-After")) == (503, "1")
    assert [task.result().body for task in held] == [b"late"] * 3
    talk.answers(PLAIN)
    assert (await talk.ask("GET /more")).status == 200


async def test_what_is_stored_is_answered_while_as_many_are_at_work_as_may_be(talk: Dialogue) -> None:
    release, late = asyncio.Event(), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
    talk.answers(PLAIN)
    await talk.ask("GET /tagged")
    talk.answers([release, late], [release, late], [release, late])
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(talk.ask(f"GET /{number}", client=talk.client()))
        await talk.reached(4)
        whole = await talk.ask("GET /tagged", client=talk.client())
        part = await talk.ask("GET /tagged", "Range: bytes=0-1", client=talk.client())
        refused = await talk.ask("GET /more", client=talk.client())
        release.set()
    assert (whole.status, part.status, part.body) == (200, 206, b"he")
    assert (refused.status, refused.lines.get("Cache-Status")) == (503, "Veneer; detail=load")


async def test_a_head_or_target_beyond_the_bounds_is_refused_before_the_backend(talk: Dialogue) -> None:
    def request(target: str, fields: str) -> bytes:
        return f"GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()

    for fields in (f"X-Long: {'x' * 40_000}\r\n", "".join(f"X-{number}: 1\r\n" for number in range(200))):
        assert (await talk.send_raw(request(talk.at("/a"), fields))).startswith(b"HTTP/1.1 431 ")
    assert (await talk.send_raw(request(talk.at("/" + "a" * 20_000), ""))).startswith(b"HTTP/1.1 414 ")
    assert talk.asked == []


async def test_a_request_id_is_passed_on_returned_and_logged(talk: Dialogue, stage: Stage) -> None:
    talk.answers(PLAIN)
    own = f"client-{uuid.uuid4()}"
    answer = await talk.ask("GET /a", f"X-Request-ID: {own}", "User-Agent: scenario")
    assert answer.lines.get("X-Request-ID") == own
    assert (answer.lines.get("X-Response-Time") or "").endswith("ms")
    assert talk.asked[0].lines.get("X-Request-ID") == own
    line = await logged(stage, own)
    assert (line["method"], line["path"], line["status"]) == ("GET", talk.at("/a"), 200)
    assert (line["cache"], line["user_agent"], line["bytes_out"]) == ("miss", "scenario", 4)
    assert float(str(line["duration_ms"])) >= float(str(line["upstream_ms"]))


@pytest.mark.parametrize("own", ["", "a b", 'a"b', "x" * 129, "caf\xe9"])
async def test_an_id_that_could_forge_a_line_is_replaced(talk: Dialogue, own: str) -> None:
    talk.answers(PLAIN)
    answer = await talk.ask("GET /a", f"X-Request-ID: {own}")
    made = answer.lines.get("X-Request-ID")
    assert made not in {None, "", own}
    assert talk.asked[0].lines.get("X-Request-ID") == made


async def test_trace_context_passes_through_and_is_logged(talk: Dialogue, stage: Stage) -> None:
    talk.answers(PLAIN)
    own = f"trace-{uuid.uuid4()}"
    await talk.ask("GET /a", f"traceparent: {TRACEPARENT}", "tracestate: a=b", f"X-Request-ID: {own}")
    assert talk.asked[0].lines.get("traceparent") == TRACEPARENT
    assert talk.asked[0].lines.get("tracestate") == "a=b"
    line = await logged(stage, own)
    assert (line["trace_id"], line["span_id"]) == (TRACEPARENT[3:35], TRACEPARENT[36:52])


async def test_a_purge_by_tag_is_receipted_and_the_next_request_asks_again(talk: Dialogue, stage: Stage) -> None:
    talk.answers("200\n\nold", "200\n\nnew")
    assert [(await talk.ask("GET /tagged")).body for _ in range(2)] == [b"old", b"old"]
    tag = f"room:{talk.at('')[1:]}"
    looked = json.loads((await admin(stage, "/purge", "POST", {"tags": [tag], "dry_run": True})).body)
    assert looked["entries"] == 1
    purged = await admin(stage, "/purge", "POST", {"tags": [tag]})
    assert (purged.status, json.loads(purged.body)["shared"]) == (200, True)
    assert (await talk.ask("GET /tagged")).body == b"new"


async def test_a_purge_by_url_reaches_the_entry(talk: Dialogue, stage: Stage) -> None:
    talk.answers("200\n\nold", "200\n\nnew")
    await talk.ask("GET /tagged?b=2&a=1")
    url = f"http://127.0.0.1:{stage.proxy.port}{talk.at('/tagged?b=2&a=1')}"
    assert (await admin(stage, "/purge", "POST", {"urls": [url]})).status == 200
    assert (await talk.ask("GET /tagged?b=2&a=1")).body == b"new"


async def test_metrics_and_statistics_count_what_happened(talk: Dialogue, stage: Stage) -> None:
    talk.answers(PLAIN)
    before = json.loads((await admin(stage, "/stats")).body)["total"]["cache"]
    await talk.ask("GET /tagged")
    await talk.ask("GET /tagged")
    after = json.loads((await admin(stage, "/stats")).body)["total"]["cache"]
    assert after["hit"] == before.get("hit", 0) + 1
    assert after["miss"] == before.get("miss", 0) + 1
    text = (await admin(stage, "/metrics")).body.decode()
    assert f'veneer_cache_requests_total{{result="hit",route="tagged"}} {float(after["hit"])}' in text


async def test_health_looks_at_the_backend(talk: Dialogue, stage: Stage) -> None:
    assert json.loads((await admin(stage, "/health")).body)["status"] == "ok"
    talk.answers(PLAIN)
    detailed = json.loads((await admin(stage, "/health/detailed")).body)
    assert detailed["status"] == "ok"
    assert any(name.startswith("upstream:") for name in detailed["parts"])
    assert {part["status"] for part in detailed["parts"].values()} == {"up"}
