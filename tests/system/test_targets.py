"""Several targets behind one name, through the whole proxy: one hangs, refuses, or is stopped."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import Answer, fetch
from tests.support.origin import Origin, OriginConnection, Script, read_body, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

POLICY = """
version: 1
defaults: {cache: {enabled: false}}
upstreams:
  default:
    targets: [%s]
    read_timeout: %s
    ejection: {failures: 2}
"""

ROUNDS = 20
"""So many rounds of requests at most: whoever stands still in one has its share in another."""


def saying(text: str) -> Script:
    async def script(connection: OriginConnection) -> None:
        while True:
            await read_body(connection, await connection.request_head())
            await connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

    return script


async def hangs(connection: OriginConnection) -> None:
    await read_body(connection, await connection.request_head())
    await connection.closed_by_peer()


async def dies(connection: OriginConnection) -> None:
    await read_body(connection, await connection.request_head())


async def busy(connection: OriginConnection) -> None:
    while True:
        await read_body(connection, await connection.request_head())
        await connection.send(b"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n")


def hanging_after(hung: asyncio.Event) -> Script:
    """It answers until the event is set, and its own trials for ever."""

    async def script(connection: OriginConnection) -> None:
        while True:
            head = await connection.request_head()
            await read_body(connection, head)
            if hung.is_set() and not head.startswith(b"OPTIONS"):
                await connection.closed_by_peer()
                return
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nh")

    return script


async def start(
    new_proxy: NewProxy, directory: Path, *origins: Origin, drained: str = "", read_timeout: str = "1s"
) -> ProxyServer:
    targets = ", ".join(f'{{url: "{origin.url}"}}' for origin in origins) + drained
    policies = directory / "policies.yaml"
    policies.write_text(POLICY % (targets, read_timeout))
    return await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies))


async def ask(proxy: ProxyServer, count: int, method: str = "GET") -> list[Answer]:
    """So many requests, one after another, over connections of their own."""
    body = b"abc" if method == "POST" else None
    return [await asyncio.to_thread(fetch, f"{proxy.url}/{number}", method, body=body) for number in range(count)]


async def ask_at_once(proxy: ProxyServer, count: int, method: str = "GET") -> list[Answer]:
    """So many requests of each of four clients."""
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(proxy, count, method)) for _ in range(4)]
    return [answer for task in asking for answer in task.result()]


async def until_both_have_their_share(proxy: ProxyServer, method: str = "GET") -> list[Answer]:
    """Ask in rounds until each of two targets has had a twentieth of one: while one stands still it gets nothing."""
    answers: list[Answer] = []
    for _ in range(ROUNDS):
        answers += (asked := await ask_at_once(proxy, 50, method))
        bodies = Counter(answer.body for answer in asked)
        assert bodies.total() == 200
        if len(bodies) == 2 and min(bodies.values()) >= 10:
            return answers
    pytest.fail(f"in none of {ROUNDS} rounds")


def lines_of(proxy: ProxyServer) -> list[dict[str, object]]:
    """The lines of requests in its log."""
    lines = [line for line in proxy.process.log_lines() if line.startswith("{")]
    return [told for line in lines if "request_id" in (told := json.loads(line))]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_all_targets_get_requests_also_from_the_fast_path(
    new_proxy: NewProxy, tmp_path: Path, method: str
) -> None:
    async with running_origin(saying("a")) as one, running_origin(saying("b")) as other:
        proxy = await start(new_proxy, tmp_path, one, other)
        answers = await until_both_have_their_share(proxy, method)
        metrics = (await asyncio.to_thread(fetch, f"{proxy.admin_url}/metrics")).body.decode()
        assert metrics.count('veneer_upstream_target{state="up",') == 2
        targets = {b"a": one.url.removeprefix("http://"), b"b": other.url.removeprefix("http://")}
        answered = {answer.header("X-Request-ID"): targets[answer.body] for answer in answers}
        assert await asyncio.to_thread(wait_until, lambda: len(lines_of(proxy)) >= len(answers), timeout_s=30)
        assert {line["request_id"]: line.get("target") for line in lines_of(proxy)} == answered


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_has_a_target_of_its_own_where_the_policy_says_so(
    new_proxy: NewProxy, tmp_path: Path, method: str
) -> None:
    async with running_origin(saying("a")) as one, running_origin(saying("b")) as other:
        policies = tmp_path / "policies.yaml"
        sticky = POLICY.rstrip("\n") + '\n    affinity: {key: "cookie:sid"}\n'
        policies.write_text(sticky % (f'{{url: "{one.url}"}}, {{url: "{other.url}"}}', "1m"))
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies))
        body = b"abc" if method == "POST" else None
        found: dict[bytes, set[str]] = {}
        for number in range(80):
            sid = str(number % 20)
            answer = await asyncio.to_thread(
                fetch, f"{proxy.url}/{number}", method, headers={"Cookie": f"sid={sid}"}, body=body
            )
            found.setdefault(answer.body, set()).add(sid)
        assert set(found) == {b"a", b"b"}
        assert not found[b"a"] & found[b"b"]


async def test_one_of_three_hangs_and_its_requests_are_answered_by_another(new_proxy: NewProxy, tmp_path: Path) -> None:
    async with running_origin(saying("a")) as one, running_origin(hangs) as bad, running_origin(saying("c")) as other:
        proxy = await start(new_proxy, tmp_path, one, bad, other)
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(ask(proxy, 40)) for _ in range(5)]
        answers = [answer for task in asking for answer in task.result()]
        assert {answer.status for answer in answers} == {200}
        assert len(bad.heads) < len(answers) * 0.1


async def test_nobody_waits_for_a_target_that_begins_to_hang(new_proxy: NewProxy, tmp_path: Path) -> None:
    """Though the time-out is longer than any client's patience."""
    hung = asyncio.Event()
    async with running_origin(saying("a")) as one, running_origin(hanging_after(hung)) as bad:
        proxy = await start(new_proxy, tmp_path, one, bad, read_timeout="10m")
        await until_both_have_their_share(proxy)
        hung.set()
        answers = await ask_at_once(proxy, 50)
        assert {answer.body for answer in answers} <= {b"a", b"h"}
        assert {answer.status for answer in answers} == {200}


async def test_a_busy_target_is_spared_and_its_requests_are_answered_by_another(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    async with running_origin(saying("a")) as one, running_origin(busy) as other:
        proxy = await start(new_proxy, tmp_path, one, other)
        answers = await ask(proxy, 50)
        assert {answer.body for answer in answers} == {b"a"}
        assert len(other.heads) == 1
        assert await asyncio.to_thread(wait_until, lambda: len(lines_of(proxy)) >= 50, timeout_s=10)
        assert {line["target"] for line in lines_of(proxy)} == {one.url.removeprefix("http://")}
        assert [line["attempts"] for line in lines_of(proxy) if "attempts" in line] == [2]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_target_that_refuses_connections_costs_no_request(
    new_proxy: NewProxy, tmp_path: Path, method: str
) -> None:
    async with running_origin(saying("a")) as one, running_origin(saying("b")) as other:
        proxy = await start(new_proxy, tmp_path, one, other)
        await ask(proxy, 20, method)
        other.close()
        for connection in other.connections:
            connection.reset()
        await asyncio.sleep(0.1)
        answers = await ask(proxy, 40, method)
        assert {(answer.status, answer.body) for answer in answers} == {(200, b"a")}


async def test_a_write_that_may_have_arrived_is_sent_to_one_target_only(new_proxy: NewProxy, tmp_path: Path) -> None:
    async with running_origin(dies) as one, running_origin(dies) as other:
        proxy = await start(new_proxy, tmp_path, one, other)
        assert [answer.status for answer in await ask(proxy, 6, "POST")] == [502] * 6
        writes = [head for head in (*one.heads, *other.heads) if head.startswith(b"POST")]
        assert len(writes) == 6


async def test_each_attempt_is_in_the_log(new_proxy: NewProxy, tmp_path: Path) -> None:
    async with running_origin(dies) as one, running_origin(dies) as other:
        proxy = await start(new_proxy, tmp_path, one, other)
        await ask(proxy, 1)
        assert await asyncio.to_thread(proxy.process.says, "is tried again, attempt 2")
        assert len(one.heads) + len(other.heads) == 2


async def test_a_drained_target_gets_nothing(new_proxy: NewProxy, tmp_path: Path) -> None:
    async with running_origin(saying("a")) as one, running_origin(saying("b")) as other:
        proxy = await start(new_proxy, tmp_path, one, drained=f', {{url: "{other.url}", drain: true}}')
        assert {answer.body for answer in await ask(proxy, 20)} == {b"a"}
        assert not other.heads
