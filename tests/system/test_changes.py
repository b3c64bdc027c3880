"""Writes that do not pass through the proxy, or of which the backend says nothing: two nodes and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from devstack.postgres import PostgresServer
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import OriginConnection, Script, read_body, running_origin
from tests.support.postgres_changes import UsersInPostgres, users_in_postgres

NewProxy = Callable[[ProxyOptions], ProxyServer]

POLICY = """
version: 1
upstreams: {{service: {{url: "{origin}"}}}}
changes:
  db:
    postgres: {{dsn: "{dsn}", slot: "{slot}", publication: told}}
    tables:
      users: ["user:{{id}}"]
routes:
  - name: user
    match: {{path: "/users/{{id}}", methods: [GET]}}
    cache: {{ttl: 1h, tags: ["user:{{id}}"], changes: db}}
"""


@pytest.fixture
def users(postgres_server: PostgresServer) -> Iterator[UsersInPostgres]:
    with users_in_postgres(postgres_server) as data:
        yield data


def service(users: UsersInPostgres) -> Script:
    """Reads users, moves them for who posts, and says nothing to caches."""

    async def script(connection: OriginConnection) -> None:
        while True:
            head = await connection.request_head()
            await read_body(connection, head)
            method, target = head.decode().split(" ")[:2]
            user = int(target.split("/")[2])
            if method == "POST":
                await users.move(user, int(target.split("/")[3]))
            found = await asyncio.to_thread(users.run, f"SELECT company_id FROM users WHERE id = {user}")
            body = str(found[0][0])
            await connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return script


async def _read(proxy: ProxyServer, user: int) -> tuple[str, str]:
    """What the page says, and whether it was a hit."""
    answer = await asyncio.to_thread(fetch, f"{proxy.url}/users/{user}", headers={"Host": "site"})
    return answer.body.decode(), "hit" if answer.hit else "miss"


async def _wait(proxy: ProxyServer) -> None:
    answer = await asyncio.to_thread(
        fetch, f"{proxy.admin_url}/changes/wait", "POST", body=b"{}", headers={"Content-Type": "application/json"}
    )
    assert answer.status == 200, answer.body


async def _told(proxy: ProxyServer) -> dict[str, object]:
    answer = await asyncio.to_thread(fetch, f"{proxy.admin_url}/changes")
    return msgspec.json.decode(answer.body)["sources"][0]  # type: ignore[no-any-return]


async def test_what_is_written_to_the_database_reaches_every_node(
    new_proxy: NewProxy, redis_url: str, users: UsersInPostgres, tmp_path: Path
) -> None:
    await users.insert((1, 10), (2, 20))
    async with running_origin(service(users)) as origin:
        policies = tmp_path / "policies.yaml"
        dsn, slot = users.settings.dsn, users.settings.slot
        policies.write_text(POLICY.format(origin=origin.url, dsn=dsn, slot=slot))
        options = ProxyOptions(upstream=None, policies=policies, redis_url=redis_url)
        one, other = [await asyncio.to_thread(new_proxy, options) for _ in range(2)]
        for proxy in (one, other):  # from now on each knows how late the source is
            await _wait(proxy)
        for user, shown in ((1, "10"), (2, "20")):
            assert await _read(one, user) == (shown, "miss")
            for proxy in (one, other, one, other):
                assert await _read(proxy, user) == (shown, "hit")

        await users.move(1, 11)
        await _wait(other)
        assert await _read(one, 1) == ("11", "miss")
        assert await _read(other, 1) == ("11", "hit")
        assert await _read(one, 2) == ("20", "hit")

        # A write through the proxy whose answer names nothing, to another URL than the page's.
        await asyncio.to_thread(fetch, f"{one.url}/move/2/21", "POST", body=b"")
        await _wait(one)
        assert await _read(other, 2) == ("21", "miss")
        assert await _read(one, 2) == ("21", "hit")

        told = [await _told(proxy) for proxy in (one, other)]
        assert sorted(str(each["state"]) for each in told) == ["reading", "standing-by"]
        assert told[0]["reader"] == told[1]["reader"] != ""
        assert sum(int(str(each["commits"])) for each in told) >= 2

        # Who reads is gone; the other reads on, and what was written meanwhile is not missed.
        reader = one if told[0]["state"] == "reading" else other
        left = other if reader is one else one
        reader.kill()
        await users.move(1, 12)
        await _wait(left)
        assert (await _told(left))["state"] == "reading"
        assert (await _read(left, 1))[0] == "12"
