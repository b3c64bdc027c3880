"""What operators ask of a node: of one process, and of several workers over Redis."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin
from veneer.admin.recent import Purges
from veneer.admin.standing import Standing
from veneer.admin.views import Config, DryRun, Entries, Routes, Version

NewProxy = Callable[[ProxyOptions], ProxyServer]

USER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nSurrogate-Key: user:42\r\n"
    b"Content-Length: 5\r\n\r\nplain"
)
POLICY = """\
version: 1
upstreams: {api: {url: "http://127.0.0.1:1"}}
defaults:
  request: {set: {X-Api-Key: "${API_TOKEN}"}}
routes:
  - name: users
    match: {path: "/users/{id}", methods: [GET]}
    cache: {tags: ["users"]}
"""
BROKEN = POLICY.replace("tags:", "tagz:")


def get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        body: bytes = response.read()
    return body


class Asking:
    """A proxy's admin listener, and its answers by type."""

    def __init__(self, proxy: ProxyServer) -> None:
        self.proxy = proxy

    async def raw(self, path: str) -> bytes:
        return await asyncio.to_thread(get, f"{self.proxy.admin_url}{path}")

    async def until(self, holds: Callable[[Standing], bool]) -> None:
        def look() -> bool:
            return holds(msgspec.json.decode(get(f"{self.proxy.admin_url}/status"), type=Standing))

        assert await asyncio.to_thread(wait_until, look, timeout_s=60)

    async def status(self) -> Standing:
        return msgspec.json.decode(await self.raw("/status"), type=Standing)

    async def entries(self, target: str) -> Entries:
        url = urllib.parse.quote(f"{self.proxy.url}{target}", safe="")
        return msgspec.json.decode(await self.raw(f"/entries?url={url}"), type=Entries)

    async def config(self) -> dict[str, tuple[str, str, str]]:
        answer = msgspec.json.decode(await self.raw("/config"), type=Config)
        return {one.key: (one.value, one.origin, one.at) for one in answer.values}

    async def preview(self, *tags: str) -> DryRun:
        return msgspec.convert(
            await asyncio.to_thread(self.proxy.purge, {"tags": list(tags), "dry_run": True}), type=DryRun
        )


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_node_tells_what_is_in_force_what_is_stored_and_what_was_purged(
    new_proxy: NewProxy, redis_url: str, tmp_path: Path, workers: int
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICY)
    async with running_origin(answering(USER)) as origin:
        proxy = await asyncio.to_thread(
            new_proxy,
            ProxyOptions(
                upstream=origin.url,
                redis_url=redis_url,
                workers=workers,
                policies=policies,
                env={"API_TOKEN": "very-secret", "REDIS_MAX_CONNECTIONS": "9"},
            ),
        )
        asking = Asking(proxy)
        await told_of_the_policy(asking, policies, origin.url)
        await told_of_the_node(asking, workers)
        if workers == 1:
            await told_of_a_reload(asking, policies)
        for _ in range(6):
            await asyncio.to_thread(fetch, f"{proxy.url}/users/42")
        await told_of_what_is_stored(asking, workers)
        preview = await asking.preview("users:*")
        # Both workers have a copy; `user:42` is a tag of it, but not below `users:*`: `users` itself is reached.
        assert (preview.entries >= 1, preview.uris) == (True, (f"127.0.0.1:{proxy.port}/users/42",))
        assert preview.shared_estimate is not None
        assert preview.shared_estimate.entries == 1
        preview = await asking.preview("user:*")
        assert preview.tags == ("user:42", "users")
        preview = await asking.preview("userz:*")
        assert (preview.entries, preview.spared) == (0, ("user:42", "users"))
        await asyncio.to_thread(proxy.purge, {"tags": ["user:42"]})
        purges = msgspec.json.decode(await asking.raw("/purges"), type=Purges).purges
        assert [(one.tags, one.receipt.shared) for one in purges] == [(("user:42",), True)]
        assert {one.state for one in (await asking.entries("/users/42")).entries} == {"dead"}


async def told_of_the_policy(asking: Asking, policies: Path, upstream: str) -> None:
    config = await asking.config()
    assert b"very-secret" not in await asking.raw("/config")
    assert config["upstreams.api.url"] == (upstream, "option", "--upstream")
    assert config["stores.redis.max_connections"] == ("9", "environment", "REDIS_MAX_CONNECTIONS")
    assert config["limits.head"] == ("32KB", "default", "")
    assert config["routes[0].cache.tags"] == ('["users"]', "file", f"{policies}:8")
    assert config["defaults.request.set"][0] == "{X-Api-Key: (not shown)}"
    routes = msgspec.json.decode(await asking.raw("/routes"), type=Routes).routes
    assert [(one.name, one.at, one.cache, one.upstream) for one in routes] == [
        ("users", f"{policies}:6", "respect", "api"),
        ("default", "", "respect", "api"),
    ]
    version = msgspec.json.decode(await asking.raw("/version"), type=Version)
    assert (version.policy, version.form in {"compiled", "interpreted"}) == ((await asking.status()).policy, True)


async def told_of_the_node(asking: Asking, workers: int) -> None:
    if workers > 1:
        await asking.until(lambda standing: len(standing.workers) == workers)
    standing = await asking.status()
    assert (standing.status, standing.lease_held) == ("ok", True)
    assert standing.reload.result in {"none", "unchanged"}
    assert standing.redis is not None
    assert standing.redis.state == "reachable"
    assert standing.nodes is not None
    assert [(lease.here, 0 < (lease.left_s or 0) <= 2) for lease in standing.nodes] == [(True, True)] * workers
    assert len(standing.workers) == (workers if workers > 1 else 0)
    assert [target.state for target in standing.upstreams[0].targets] == ["unknown"]


async def told_of_a_reload(asking: Asking, policies: Path) -> None:
    for text, result, says in ((BROKEN, "refused", 'did you mean "tags"'), (POLICY, "unchanged", "")):
        await asyncio.to_thread(policies.write_text, text)
        asking.proxy.reload()
        await asking.until(partial(_came_to, result, says))


def _came_to(result: str, says: str, standing: Standing) -> bool:
    return standing.reload.result == result and says in standing.reload.error


async def told_of_what_is_stored(asking: Asking, workers: int) -> None:
    found = await asking.entries("/users/42")
    assert (found.route, found.decision, found.redis) == ("users", "hit", "asked")
    assert {one.store for one in found.entries} == {"memory", "redis"}
    assert {one.worker != "" for one in found.entries if one.store == "memory"} == {workers > 1}
    first = found.entries[0]
    assert (first.status, first.state, first.why) == (200, "fresh", "1m by explicit")
    assert (set(first.tags), first.bytes > 0) == ({"user:42", "users"}, True)
    nothing = await asking.entries("/users/43")
    assert (nothing.decision, nothing.reason, nothing.entries) == ("miss", "uri-miss", ())
    assert "veneer explain" in nothing.note
    with pytest.raises(urllib.error.HTTPError, match="400"):
        await asking.raw("/entries?url=ftp://x/")
